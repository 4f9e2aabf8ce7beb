"""The page of choices in parts: pausing, another mailbox, one's own data, and what stands beside what was changed."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from limits import parse
from sqlalchemy import update
from starlette.testclient import TestClient

from notifier.installation import Installation
from notifier.stopping import pause
from notifier.store.models import Subscriber
from notifier.web.app import create_app
from notifier.web.limiting import MAILBOX, RULES
from tests.web.site import NUMBER, READER

Rows = Callable[[str], list[Any]]
NEW = "new@example.org"


@pytest.fixture
def path(installation: Installation, subscriber: int, now: datetime) -> str:
    return installation.links.preferences(subscriber, now=now).removeprefix("http://testserver")


def notice(page: str) -> str:
    """What stands beside what was changed."""
    found = BeautifulSoup(page, "html.parser").select_one("[autofocus]")
    return found.get_text(" ", strip=True) if found else ""


def part_of(page: str) -> str:
    """The heading of the part of the page in which the notice stands."""
    found = BeautifulSoup(page, "html.parser").select_one("section:has([autofocus]) h2")
    return found.get_text(strip=True) if found else ""


def test_one_mailbox_under_many_names_is_asked_only_so_often(
    client: TestClient, path: str, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, (MAILBOX, "mailbox"), parse("2/day"))

    for one in range(4):
        answer = client.post(path, data={"action": "move" if one % 2 else "hand_over", "email": f"v.ictim+{one}@x.org"})
        assert answer.status_code == 200

    assert rows("SELECT state, count(*) FROM deliveries GROUP BY state") == [("cancelled", 2), ("waiting", 2)]


def test_a_pause_is_begun_and_ended(client: TestClient, path: str) -> None:
    begun = client.post(path, data={"action": "pause", "pause": "until", "until": "2026-03-20"}).text
    ended = client.post(path, data={"action": "resume"}).text

    assert notice(begun) == "Your pause has begun."
    assert "We write again from <strong>20 March 2026</strong> on" in begun
    assert notice(ended).startswith("Your pause is over.")
    assert "We write again from <strong>" not in ended


@pytest.mark.parametrize("until", ["", "2026-03-02", "2027-03-03", "20.3.2026", "9" * 40, "<b>"])
def test_a_bad_day_is_said_beside_the_field(client: TestClient, path: str, rows: Rows, until: str) -> None:
    answer = client.post(path, data={"action": "pause", "pause": "until", "until": until})

    assert answer.status_code == 422
    assert part_of(answer.text) == "How often you hear from us"
    assert rows("SELECT paused_until FROM subscribers") == [(None,)]


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"action": "cadence", "cadence": "instant", "hour": "0", "weekday": "0", "time_zone": "UTC"}, "How often"),
        ({"action": "mails", "country": "DE"}, "Your mails"),
        ({"action": "language", "language": "en"}, "Your mails"),
        ({"action": "end:1"}, "What you follow"),
        ({"action": "change:2", "wants": "everything", "narrower": "no"}, "What you follow"),
        ({"action": "move", "email": NEW}, "Another mailbox"),
        ({"action": "hand_over", "email": NEW}, "Another mailbox"),
    ],
)
def test_what_was_done_is_said_beside_it(client: TestClient, path: str, fields: dict[str, str], part: str) -> None:
    page = client.post(path, data=fields).text

    assert part_of(page).startswith(part)
    assert notice(page)


def test_narrower_conditions_are_left_out(client: TestClient, path: str, rows: Rows) -> None:
    page = client.post(path, data={"action": "change:2", "wants": "openings", "narrower": "no"}).text

    assert "only studies on exactly this" in page
    assert rows("SELECT narrower FROM subscriptions WHERE id = 2") == [(0,)]


@pytest.mark.parametrize("action", ["move", "hand_over"])
@pytest.mark.parametrize("address", ["", "nobody", "a@b@c", f"{READER}\r\nBcc: x@example.org", "x" * 300])
def test_a_bad_address_is_said_and_nothing_is_sent(
    client: TestClient, path: str, rows: Rows, action: str, address: str
) -> None:
    answer = client.post(path, data={"action": action, "email": address})

    assert answer.status_code == 422
    assert part_of(answer.text) == "Another mailbox"
    assert rows("SELECT count(*) FROM pending_requests") == [(0,)]


def test_the_answer_is_the_same_whoever_has_the_address(
    client: TestClient, path: str, installation: Installation, rows: Rows
) -> None:
    known = client.post(path, data={"action": "move", "email": NEW}).text
    client.post("/subscribe", data={})
    unknown = client.post(path, data={"action": "move", "email": "other@example.org"}).text

    assert notice(known) == notice(unknown)
    assert NEW not in known


def test_the_new_mailbox_is_asked_on_a_page_that_shows_nothing(
    client: TestClient, path: str, installation: Installation, rows: Rows, snapshot: Callable[[], str]
) -> None:
    client.post(path, data={"action": "move", "email": NEW})
    link = installation.links.move(1).removeprefix("http://testserver")
    before = snapshot()
    asked = client.get(link).text
    assert client.head(link).status_code == 200
    assert snapshot() == before

    done = client.post(link).text

    assert "Ischemic" not in asked + done
    assert "Your mails now come to this mailbox" in done
    assert client.post(link).text == done
    assert rows("SELECT count(*) FROM subscribers") == [(1,)]


@pytest.mark.parametrize("moments", [timedelta(minutes=5), timedelta(milliseconds=5)], ids=["minutes", "milliseconds"])
def test_a_link_in_the_former_mailbox_opens_nothing_any_more(
    client: TestClient, installation: Installation, subscriber: int, rows: Rows, now: datetime, moments: timedelta
) -> None:
    sent_before = installation.links.preferences(subscriber, now=now - moments)
    sent_after = installation.links.preferences(subscriber, now=now + moments)
    client.post(sent_before, data={"action": "move", "email": NEW})
    request_id = rows("SELECT max(id) FROM pending_requests")[0][0]
    assert client.post(installation.links.move(request_id), data={}).status_code == 200

    for answer in (client.get(sent_before), client.post(sent_before, data={"action": "export"})):
        assert (answer.status_code, NUMBER in answer.text) == (404, False)
    client.post(sent_before, data={"action": "erase_now"})

    assert NUMBER in client.get(sent_after).text
    assert rows("SELECT count(*) FROM subscriptions WHERE ended_at IS NULL") == [(2,)]


def test_who_takes_over_sees_what_it_is_and_must_agree(
    client: TestClient, path: str, installation: Installation, rows: Rows
) -> None:
    client.post(path, data={"action": "hand_over", "email": NEW})
    link = installation.links.hand_over(1).removeprefix("http://testserver")
    page = client.get(link).text
    assert "Ischemic Stroke" in page
    assert READER not in page
    seal = re.findall(r'name="seal" value="(\w+)"', page)[0]

    refused = client.post(link, data={"seal": seal, "consent": "yes"})
    altered = client.post(link, data={"seal": "x", "consent": "yes", "consent_health": "yes"})
    assert (refused.status_code, altered.status_code) == (422, 409)
    assert rows("SELECT count(*) FROM subscribers") == [(1,)]
    done = client.post(link, data={"seal": seal, "consent": "yes", "consent_health": "yes"}).text

    assert "You are subscribed" in done
    assert rows("SELECT subscriber_id FROM subscriptions WHERE ended_at IS NULL") == [(2,), (2,)]
    assert "Ischemic" not in client.get(link).text


@pytest.mark.parametrize("kind", ["mailbox", "handing-over"])
def test_links_of_other_purposes_open_nothing(client: TestClient, installation: Installation, kind: str) -> None:
    tokens = [installation.links.confirm(1), installation.links.end_all(1), installation.links.end_one(1)]

    for token in [url.rsplit("/", 1)[1] for url in tokens]:
        assert client.get(f"/confirm/{kind}/{token}").status_code == 404
        assert client.post(f"/confirm/{kind}/{token}").status_code == 404


def test_everything_held_is_given_as_a_file(client: TestClient, path: str) -> None:
    answer = client.post(path, data={"action": "export"})

    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    assert READER in json.dumps(json.loads(answer.content))


def test_erasing_is_explained_first_and_done_then(client: TestClient, path: str, rows: Rows) -> None:
    asked = client.post(path, data={"action": "erase"}).text
    assert "This is what happens" in asked
    assert rows("SELECT count(*) FROM subscriptions") == [(2,)]

    done = client.post(path, data={"action": "erase_now"}).text

    assert "All that we held about you is deleted" in done
    assert rows("SELECT count(*) FROM subscriptions WHERE ended_at IS NULL") == [(0,)]
    assert rows("SELECT count(*) FROM deliveries WHERE state = 'waiting'") == [(0,)]


def test_after_erasing_links_answer_kindly(
    client: TestClient, path: str, installation: Installation, subscriber: int
) -> None:
    client.post(path, data={"action": "erase_now"})

    for action in ("", "export", "erase", "pause", "move"):
        answer = client.post(path, data={"action": action, "email": NEW, "pause": "2w"})
        assert answer.status_code == 200
        assert "Nothing is kept here any more" in answer.text
    ask = installation.links.ask_preferences(subscriber).removeprefix("http://testserver")
    assert client.get(ask).status_code == 200
    assert client.post(ask).status_code == 200


@pytest.mark.parametrize("action", ["export", "erase", "erase_now", "move", "pause", "end_all"])
def test_a_link_from_a_digest_does_none_of_it(
    client: TestClient, installation: Installation, subscriber: int, rows: Rows, action: str
) -> None:
    ask = installation.links.ask_preferences(subscriber).removeprefix("http://testserver")

    answer = client.post(ask, data={"action": action, "email": NEW, "pause": "2w"})

    assert READER not in answer.text
    assert rows("SELECT count(*) FROM subscriptions WHERE ended_at IS NULL") == [(2,)]
    assert rows("SELECT paused_until FROM subscribers") == [(None,)]


def test_a_page_left_open_for_too_long_changes_nothing_and_offers_one_way_on(
    installation: Installation, path: str, now: datetime, rows: Rows
) -> None:
    late = TestClient(create_app(installation, now=lambda: now + timedelta(hours=2)))

    pause(installation.database, note=None, now=now)
    refused = late.post(path, data={"action": "end_all"})
    asked = late.post(path, data={"action": "fresh"})

    assert refused.status_code == 404
    assert BeautifulSoup(refused.text, "html.parser").select("main form button")[0]["value"] == "fresh"
    assert rows("SELECT count(*) FROM subscriptions WHERE ended_at IS NULL") == [(2,)]
    assert "Now check your mailbox" in asked.text
    assert "No mails go out from here just now" in asked.text
    assert "No mails go out from here just now" not in refused.text
    assert rows("SELECT kind FROM deliveries") == [("preferences",)]


def test_the_page_is_in_the_readers_language(
    client: TestClient, path: str, installation: Installation, subscriber: int
) -> None:
    with installation.database.writing() as session:
        session.execute(update(Subscriber).where(Subscriber.id == subscriber).values(language="de"))

    assert '<html lang="de"' in client.get(path).text
