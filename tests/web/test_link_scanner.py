"""Scanners open every link of every mail before its reader does: nothing may come of it."""

import html
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage

import pytest
from fastapi import FastAPI
from sqlalchemy import inspect, select, text, update
from starlette.testclient import TestClient

from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.emails.links import Links
from notifier.forgetting import forget_subscriber
from notifier.installation import Installation
from notifier.leaving import end_everything
from notifier.moving import HAND_OVER, MOVE, accept_move, ask_mailbox
from notifier.store.addresses import read_address
from notifier.store.models import Match, PendingRequest, Subscriber
from notifier.subscribing import request_preferences, request_subscription
from notifier.web.app import create_app
from tests.smtp_servers import Mailbox
from tests.smtp_servers import mailbox as running_mailbox
from tests.studies import make_study
from tests.world import World

READER, LEAVER, ASKER = "reader@example.org", "leaver@example.org", "asker@example.org"
MOVER, NEW, GIVER, TAKER = "mover@example.org", "new@example.org", "giver@example.org", "taker@example.org"
HOST = "http://updates.example.org"
DAILY = Cadence(cadence="daily", hour=18)
LINK = re.compile(rf"{HOST}[^\s\"'<>]*")
ODD = [
    {},
    {"user-agent": "LinkScanner/1.0 (+https://scanner.example)", "accept": "*/*"},
    {"accept": "application/json", "purpose": "prefetch"},
    {"user-agent": "", "accept": "image/avif,text/plain;q=0.1", "range": "bytes=0-99"},
]


def links_of(mail: EmailMessage) -> set[str]:
    """Every link of ours in a mail: in its headers, its text and its HTML."""
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    whole = [str(value) for value in mail.values()]
    whole += [html.unescape(str(body.get_content())) for body in bodies if body is not None]
    return {found for words in whole for found in LINK.findall(words)}


def every_kind(world: World) -> dict[str, set[str]]:
    """The links of a mail of each kind, all of them really received and still alive, by the mail's kind."""
    world.ingest(make_study(1), make_study(2))
    _tell(world)
    _ask(world)
    _move(world)
    world.tick()
    first = {"confirmation": ASKER, "goodbye": LEAVER, "new_mailbox": NEW, "hand_over": TAKER, "moved": MOVER}
    received = {kind: world.mails(to)[0] for kind, to in first.items()}
    received |= dict(zip(("urgent", "digest", "quiet", "preferences"), world.mails(READER), strict=True))
    return {kind: links_of(mail) for kind, mail in received.items()}


def _tell(world: World) -> None:
    """A reader gets an urgent mail, a digest and a quiet note."""
    reader = world.subscribe(READER, trial="NCT90000001", cadence=DAILY, urgent=True)
    world.subscribe(READER, condition="Stroke", cadence=DAILY)
    with world.installation.database.writing() as session:
        session.execute(update(Subscriber).where(Subscriber.id == reader).values(quiet_notes=True))
    _urgently(world)
    world.ingest(make_study(1, enrollment=150))
    world.tick(after=timedelta(hours=10))
    world.tick(after=timedelta(days=35))
    with world.installation.database.writing() as session:
        request_preferences(session, reader, now=world.now)


def _move(world: World) -> None:
    """One reader leaves, one has moved to another mailbox, and one would hand over."""
    asked = {MOVE: (MOVER, NEW), HAND_OVER: (GIVER, TAKER)}
    readers = {email: world.subscribe(email, trial="NCT90000002", cadence=DAILY) for email in (LEAVER, MOVER, GIVER)}
    keys, database = world.installation.keys, world.installation.database
    with database.writing() as session:
        end_everything(session, readers[LEAVER], reason="reader", now=world.now)
        for kind, (giver, taker) in asked.items():
            ask_mailbox(session, readers[giver], kind=kind, keys=keys, address=read_address(taker), now=world.now)
    world.tick()
    with database.writing() as session:
        moves = select(PendingRequest.id).where(PendingRequest.kind == MOVE)
        accept_move(session, session.scalars(moves).one(), now=world.now)


def _ask(world: World) -> None:
    wish, address = Wish(trial="NCT90000001", condition="Stroke"), read_address(ASKER)
    with world.installation.database.writing() as session:
        request_subscription(
            session, keys=world.installation.keys, address=address, wish=wish, how="form", now=world.now
        )


def _urgently(world: World) -> None:
    world.ingest(make_study(1, enrollment=120))
    world.match()
    with world.installation.database.writing() as session:
        session.execute(update(Match).values(urgent=True))
    world.tick()


def dump(world: World) -> dict[str, list[str]]:
    """Everything in the database, table by table."""
    engine = world.installation.database.engine
    names = sorted(inspect(engine).get_table_names())
    with engine.connect() as connection:
        return {name: sorted(str(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))) for name in names}


def app_of(world: World, *, links: Links | None = None) -> FastAPI:
    here = world.installation
    installation = Installation(here.settings, here.database, here.keys, links or here.links)
    return create_app(installation, now=lambda: world.now)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A real mail server instead of the embedded mailbox that the other tests of the web have."""
    with running_mailbox() as box:
        yield box


@pytest.fixture
def links(world: World) -> dict[str, set[str]]:
    return every_kind(world)


@pytest.fixture
def scanner(world: World) -> Iterator[TestClient]:
    with TestClient(app_of(world), follow_redirects=True) as opened:
        yield opened


def test_scanning_every_link_of_every_mail_changes_nothing(
    world: World, links: dict[str, set[str]], scanner: TestClient
) -> None:
    before = dump(world)
    paths = sorted({link.removeprefix(HOST) or "/" for found in links.values() for link in found})

    asked: list[Callable[..., object]] = [scanner.get, scanner.head, scanner.options]
    for _ in range(2):
        for path in paths:
            for ask in asked:
                for headers in ODD:
                    ask(path, headers=headers)

    assert dump(world) == before
    assert world.tick().sent == 0


def test_every_kind_of_mail_has_its_links_and_all_of_them_open(links: dict[str, set[str]], scanner: TestClient) -> None:
    leaving = {"/unsubscribe/", "/preferences/"}
    wanted = {
        "confirmation": {"/confirm/"},
        "preferences": {"/preferences/"},
        "digest": {*leaving, "/studies/"},
        "urgent": {*leaving, "/studies/"},
        "quiet": leaving,
    }

    for kind, places in wanted.items():
        assert all(any(place in link for link in links[kind]) for place in places), kind
    paths = {link.removeprefix(HOST) or "/" for found in links.values() for link in found}
    assert {path: status for path in paths if (status := scanner.get(path).status_code) != 200} == {}


def test_links_of_who_was_erased_answer_kindly(world: World, links: dict[str, set[str]], scanner: TestClient) -> None:
    paths = {link.removeprefix(HOST) for kind in ("digest", "quiet") for link in links[kind] if "/studies" not in link}
    with world.installation.database.writing() as session:
        forget_subscriber(session, 1, by="reader", now=world.now)
    before = dump(world)["subscriptions"]

    asked = [scanner.get(path) for path in sorted(paths)]
    asked += [scanner.post(path) for path in sorted(paths) if "/unsubscribe/" in path]

    assert {answer.status_code for answer in asked} == {200}
    assert dump(world)["subscriptions"] == before
    assert world.tick().sent == 0


def test_links_work_as_long_as_the_subscription_and_after_the_secret_was_changed(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe(READER, trial="NCT90000001")
    world.subscribe(READER, condition="Stroke")
    world.ingest(make_study(1, enrollment=150))
    world.tick()
    paths = sorted(link.removeprefix(HOST) for link in links_of(world.mails(READER)[0]) if "/unsubscribe/" in link)
    world.now += timedelta(days=3 * 365)
    rotated = Links(base_url=HOST, secrets=("n" * 40, *world.installation.settings.secrets))
    client = TestClient(app_of(world, links=rotated))

    pages = [client.get(path) for path in paths]
    done = [client.post(path, data={"what": "this"}) for path in paths]

    assert len(paths) > 1
    assert {answer.status_code for answer in [*pages, *done]} == {200}
    assert world.counts()["subscriptions"] == 0


def test_a_link_that_was_not_signed_here_ends_nothing(world: World, scanner: TestClient) -> None:
    world.ingest(make_study(1))
    world.subscribe(READER, trial="NCT90000001")
    stranger = Links(base_url=HOST, secrets=("another secret that is long enough for anybody",))
    paths = [link.removeprefix(HOST) for link in (stranger.end_all(1), stranger.end_one(1))]

    assert {scanner.post(path).status_code for path in paths} == {404}
    assert world.counts()["subscriptions"] == 1
