"""A mail program's one click, by the letter of RFC 8058 and RFC 2369, with mails that were really received."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from notifier.delivering import Delivered
from notifier.emails.links import Links
from notifier.emails.messages import build_message, list_id_for
from notifier.emails.sample_mails import SAMPLES
from notifier.emails.templates import render_mail
from notifier.web.app import create_app
from tests.smtp_servers import Mailbox
from tests.smtp_servers import mailbox as running_mailbox
from tests.studies import make_study
from tests.world import World

READER = "reader.canary@example.org"
HOST = "http://updates.example.org"
FORM = "application/x-www-form-urlencoded"
BARE = "List-Unsubscribe=One-Click"
PARTS = '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'


def told(world: World) -> Delivered:
    """Somebody follows two things and gets a digest."""
    world.ingest(make_study(1), make_study(2))
    world.subscribe(READER, trial="NCT90000001")
    world.subscribe(READER, trial="NCT90000002")
    world.ingest(make_study(1, enrollment=120))
    return world.tick()


def path_in_header(world: World) -> str:
    return str(world.mails(READER)[-1]["List-Unsubscribe"]).strip("<>").removeprefix(HOST)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A real mail server instead of the embedded mailbox that the other tests of the web have."""
    with running_mailbox() as box:
        yield box


@pytest.fixture
def path(world: World) -> str:
    assert told(world).sent == 1
    return path_in_header(world)


@pytest.fixture
def program(world: World) -> TestClient:
    """A mail program: it follows no redirect and has no cookies."""
    return TestClient(create_app(world.installation), follow_redirects=False)


def following(world: World) -> int:
    return world.counts()["subscriptions"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, BARE),
        (f"{FORM}; charset=UTF-8", BARE),
        ("multipart/form-data; boundary=x", PARTS),
        ("multipart/form-data; boundary=x", PARTS.replace("\r\n\r\nOne", "\r\nContent-Type: text/plain\r\n\r\nOne")),
        ("text/plain", BARE),
        ("text/plain", f"{BARE}\r\n"),
        ("application/json", BARE),
        ("multipart/form-data", PARTS),
        ("", BARE),
    ],
    ids=["form", "charset", "multipart", "typed part", "plain", "line end", "json", "no boundary", "no type"],
)
def test_the_bare_post_ends_everything_and_twice_is_fine(
    world: World, program: TestClient, path: str, content_type: str, body: str
) -> None:
    headers = {"content-type": content_type} if content_type else {}

    answers = [program.post(path, content=body.encode(), headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(not answer.headers.keys() & {"set-cookie", "location"} for answer in answers)
    assert answers[0].headers["content-type"].startswith("text/plain")
    assert following(world) == 0


@pytest.mark.parametrize("origin", ["https://mail.example.net", "null", "http://updates.example.org"])
def test_one_click_works_from_any_origin(world: World, program: TestClient, path: str, origin: str) -> None:
    headers = {"origin": origin, "sec-fetch-site": "cross-site", "content-type": FORM, "cookie": "a=b"}

    assert program.post(path, content=BARE.encode(), headers=headers).status_code == 200
    assert following(world) == 0


def test_one_click_is_answered_by_silence(world: World, program: TestClient, path: str) -> None:
    world.ingest(make_study(1, enrollment=150))

    program.post(path, content=BARE.encode(), headers={"content-type": FORM})

    assert world.tick().sent == 0


def test_looking_at_the_link_ends_nothing(world: World, program: TestClient, path: str) -> None:
    for ask in (program.get, program.head, program.options):
        ask(path)

    assert following(world) == 2


def test_one_click_on_the_link_of_one_subscription_ends_this_one(world: World, program: TestClient) -> None:
    told(world)
    one = world.installation.links.end_one(1).removeprefix(HOST)

    assert program.post(one, content=BARE.encode(), headers={"content-type": FORM}).text == "You are unsubscribed.\n"
    assert following(world) == 1


def test_what_somebody_wrote_elsewhere_in_a_form_is_no_one_click(world: World, program: TestClient, path: str) -> None:
    program.post(path, data={"what": f"about {BARE}"})

    with world.installation.database.reading() as session:
        reasons = {row[0] for row in session.connection().exec_driver_sql("SELECT ended_reason FROM subscriptions")}
    assert reasons == {"reader"}


def test_every_mail_of_a_subscription_has_each_header_once(world: World) -> None:
    told(world)
    mail = world.mails(READER)[-1]

    assert mail.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    # A signature covers a header by its name: two of a name could be told apart by nobody (RFC 6376, section 5.4.2).
    names = [name.lower() for name in mail]
    assert len(names) == len(set(names))
    assert {"from", "to", "subject", "date", "message-id", "list-id"} <= set(names)


def test_the_header_holds_one_address_in_angle_brackets(world: World) -> None:
    told(world)
    content = next(content for recipient, content in world.mailbox.accepted if recipient == READER)
    raw = re.search(rb"^List-Unsubscribe: ([^\r\n]*)\r?\n(?![ \t])", content, re.MULTILINE)

    # RFC 2369, section 2: no white space and no folding within the brackets, and nothing around them.
    assert raw is not None
    assert re.fullmatch(rb"<[!-;=?-~]+>", raw[1])


def test_the_address_is_https_where_ours_is() -> None:
    links = Links(base_url="https://updates.example.org", secrets=("s" * 40,))

    message = build_message(
        mail=render_mail(SAMPLES["nothing new"]),
        sender="Updates <updates@example.org>",
        recipient=READER,
        message_id="<x@example.org>",
        date=datetime(2026, 3, 2, tzinfo=UTC),
        list_id=list_id_for(links.base_url),
        list_unsubscribe=links.end_all(1),
    )

    assert b"\r\nList-Unsubscribe: <https://updates.example.org/unsubscribe/" in message
    assert message.count(b"\r\nList-Unsubscribe:") == message.count(b"\r\nList-Unsubscribe-Post:") == 1
