"""Scanners open every link of every mail before its reader does: nothing may come of it."""

import html
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage

import pytest
from fastapi import FastAPI
from sqlalchemy import inspect, text, update
from starlette.testclient import TestClient

from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.emails.links import Links
from notifier.installation import Installation
from notifier.store.addresses import read_address
from notifier.store.models import Match, Subscriber
from notifier.subscribing import end_everything, request_preferences, request_subscription
from notifier.web.app import create_app
from tests.smtp_servers import Mailbox
from tests.smtp_servers import mailbox as running_mailbox
from tests.studies import make_study
from tests.world import World

READER, LEAVER, ASKER = "reader.canary@example.org", "leaver.canary@example.org", "asker.canary@example.org"
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
    """The links of a mail of each kind, all of them really received, by the mail's kind."""
    return {kind: links_of(world.mails(to)[at]) for kind, (to, at) in _received(world).items()}


def _received(world: World) -> dict[str, tuple[str, int]]:
    world.ingest(make_study(1), make_study(2))
    _ask(world)
    reader = world.subscribe(READER, trial="NCT90000001", cadence=DAILY, urgent=True)
    world.subscribe(READER, condition="Stroke", cadence=DAILY)
    leaver = world.subscribe(LEAVER, trial="NCT90000002", cadence=DAILY)
    with world.installation.database.writing() as session:
        session.execute(update(Subscriber).where(Subscriber.id == reader).values(quiet_notes=True))
        request_preferences(session, reader, now=world.now)
        end_everything(session, leaver, reason="reader", now=world.now)
    world.tick()
    _urgently(world)
    world.ingest(make_study(1, enrollment=150))
    world.tick(after=timedelta(hours=10))
    world.tick(after=timedelta(days=35))
    at = {"preferences": 0, "urgent": 1, "digest": 2, "quiet": 3}
    return {kind: (READER, number) for kind, number in at.items()} | {
        "confirmation": (ASKER, 0),
        "goodbye": (LEAVER, 0),
    }


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
    wanted = {
        "confirmation": {"/confirm/"},
        "preferences": set(),
        "goodbye": set(),
        "digest": {"/unsubscribe/", "/preferences/", "/studies/"},
        "urgent": {"/unsubscribe/", "/preferences/", "/studies/"},
        "quiet": {"/unsubscribe/", "/preferences/"},
    }

    for kind, places in wanted.items():
        assert all(any(place in link for link in links[kind]) for place in places), kind
    # The other two expired: they live for a week and for an hour.
    living = {link for kind in ("digest", "urgent", "quiet", "goodbye") for link in links[kind]}
    assert {scanner.get(link.removeprefix(HOST) or "/").status_code for link in living} == {200}


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
