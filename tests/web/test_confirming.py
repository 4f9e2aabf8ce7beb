"""Confirming: a page that says what will happen, evidence of what was agreed to, and nothing before the button."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from notifier.domain.consent_words import consent_text
from notifier.domain.consents import Agreement, ConsentText
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.installation import Installation
from notifier.leaving import end_everything
from notifier.preferring import change_cadence
from notifier.store.addresses import read_address
from notifier.subscribing import request_subscription
from tests.evidence import list_evidence
from tests.web.site import NUMBER, READER, filled_form

Rows = Callable[[str], list[Any]]
WISH = Wish(
    trial=NUMBER,
    condition="Ischemic stroke",
    cadence=Cadence(cadence="daily", time_zone="Europe/Berlin"),
    site="hospital",
    agreed=Agreement(text=consent_text(language="en", site_name="Study updates"), health=True),
)


@pytest.fixture
def ask(installation: Installation, rows: Rows, now: datetime) -> Callable[..., str]:
    """A function that fills in the form; the path that its mail leads to."""

    def fill_in(email: str = READER, *, at: datetime = now, **wish: Any) -> str:
        wanted = replace(WISH, **wish)
        with installation.database.writing() as session:
            address = read_address(email)
            request_subscription(session, keys=installation.keys, address=address, wish=wanted, how="form", now=at)
        newest = rows("SELECT max(id) FROM pending_requests")[0][0]
        return installation.links.confirm(newest).removeprefix("http://testserver")

    return fill_in


@pytest.fixture
def state(rows: Rows) -> Callable[[], list[Any]]:
    """A function that gives all that is held of readers."""
    return lambda: [rows(f"SELECT * FROM {table}") for table in ("subscribers", "subscriptions", "schedules")]


def test_the_evidence_reads_back_the_very_words(
    client: TestClient, installation: Installation, ask: Callable[..., str], now: datetime
) -> None:
    path = ask(at=now - timedelta(hours=5))
    shown = html.unescape(client.get(path).text)
    client.post(path)

    with installation.database.reading() as session:
        found = list_evidence(session, 1)

    assert len(found) == 2
    assert WISH.agreed is not None
    assert {(one.text, one.health, one.site, one.how) for one in found} == {
        (WISH.agreed.text, True, "hospital", "form")
    }
    assert {(one.asked_at, one.confirmed_at) for one in found} == {(now - timedelta(hours=5), now)}
    assert WISH.agreed.text.terms in shown
    assert str(WISH.agreed.text.health) in shown


def test_who_asks_again_agreed_the_second_time(
    client: TestClient, installation: Installation, ask: Callable[..., str], now: datetime
) -> None:
    ask(at=now - timedelta(days=3))
    client.post(ask(at=now - timedelta(days=2)))

    with installation.database.reading() as session:
        assert list_evidence(session, 1)[0].asked_at == now - timedelta(days=2)


def test_changed_words_are_kept_beside_the_old_ones(
    client: TestClient, installation: Installation, ask: Callable[..., str], rows: Rows
) -> None:
    assert WISH.agreed is not None
    newer = Agreement(text=replace(WISH.agreed.text, version="2031-01", terms="Other words."), health=True)
    client.post(ask(condition=None))

    client.post(ask(trial=None, agreed=newer))

    with installation.database.reading() as session:
        versions = [one.text.version for one in list_evidence(session, 1) if one.text]
    assert versions == [WISH.agreed.text.version, "2031-01"]
    assert rows("SELECT count(*) FROM consent_texts") == [(2,)]


def test_first_words_stay_where_somebody_confirms_the_same_again(
    client: TestClient, installation: Installation, ask: Callable[..., str], subscriber: int
) -> None:
    other = ConsentText(version="2031-01", language="en", terms="Other words.", health=None)
    client.post(ask())
    client.post(ask(agreed=Agreement(text=other, health=False)))

    with installation.database.reading() as session:
        found = list_evidence(session, subscriber)
    assert WISH.agreed is not None
    assert {one.text for one in found} == {WISH.agreed.text}
    assert {one.how for one in found} == {"test"}


def test_words_are_unknown_where_nobody_recorded_them(
    client: TestClient, installation: Installation, ask: Callable[..., str]
) -> None:
    client.post(ask(agreed=None))

    with installation.database.reading() as session:
        found = list_evidence(session, 1)
    assert [(one.text, one.health) for one in found] == [(None, False)] * 2


def test_the_page_says_what_changes_and_nothing_of_what_is(
    client: TestClient, ask: Callable[..., str], subscriber: int
) -> None:
    known = client.get(ask()).text
    unknown = client.get(ask("somebody.else@example.org")).text

    assert "Do you get mails from us already?" in known
    assert re.sub(r"/confirm/[\w.-]+", "", known) == re.sub(r"/confirm/[\w.-]+", "", unknown)


@pytest.mark.parametrize(
    "wish", [{"wants": "everything"}, {"language": "de"}, {"urgent": True}, {"narrower": False}, {"country": "FR"}]
)
def test_what_was_shown_is_what_is_confirmed(
    client: TestClient, ask: Callable[..., str], rows: Rows, wish: dict[str, Any]
) -> None:
    path = ask()
    shown = digest_on(client, path)
    ask(**wish)

    refused = client.post(path, data={"shown": shown})

    assert (refused.status_code, rows("SELECT * FROM subscribers")) == (409, [])
    assert 'class="anew"' in refused.text
    assert digest_on(client, path) in refused.text
    assert client.post(path, data={"shown": digest_on(client, path)}).status_code == 200


def test_who_asks_for_the_same_again_needs_no_second_look(client: TestClient, ask: Callable[..., str]) -> None:
    path = ask()
    shown = digest_on(client, path)
    ask()

    assert client.post(path, data={"shown": shown}).status_code == 200


def digest_on(client: TestClient, path: str) -> str:
    found = re.search(r'name="shown" value="(\w+)"', client.get(path).text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("left", [False, True], ids=["follows", "left"])
def test_asking_for_a_reader_changes_nothing_before_they_confirm(
    client: TestClient,
    installation: Installation,
    ask: Callable[..., str],
    subscriber: int,
    state: Callable[[], list[Any]],
    now: datetime,
    *,
    left: bool,
) -> None:
    with installation.database.writing() as session:
        change_cadence(session, subscriber, cadence=Cadence(cadence="weekly", hour=7, weekday=4), now=now)
        if left:
            end_everything(session, subscriber, reason="reader", now=now)
    before = state()

    path = ask(language="de", wants="everything", country="FR", cadence=Cadence(cadence="instant", hour=0))
    client.get(path)
    client.head(path)
    assert state() == before

    client.post(path)
    assert state() != before


def test_the_link_lives_a_week_from_the_last_mail(ask: Callable[..., str], rows: Rows, now: datetime) -> None:
    for days in (0, 2, 4, 6):
        ask(at=now + timedelta(days=days))

    # The fourth time no mail went out, and the link of the third one lives no longer.
    expires = datetime.fromisoformat(rows("SELECT expires_at FROM pending_requests")[0][0])
    assert expires.replace(tzinfo=now.tzinfo) == now + timedelta(days=4 + 7)


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_form_keeps_the_very_words_that_stood_beside_its_boxes(
    client: TestClient, installation: Installation, rows: Rows, language: str
) -> None:
    form = BeautifulSoup(client.get("/subscribe", params={"lang": language}).text, "html.parser")
    shown = [
        " ".join(form.select_one(f"label:has(input[name={name}])").text.split())  # type: ignore[union-attr]
        for name in ("consent", "consent_health")
    ]

    client.post("/subscribe", data=filled_form(language=language))
    client.post(installation.links.confirm(1))

    with installation.database.reading() as session:
        found = list_evidence(session, 1)[0]
    assert found.text is not None
    assert [found.text.terms, found.text.health, found.text.language] == [*shown, language]
    assert (found.health, found.how, found.asked_at) == (True, "form", found.confirmed_at)
