"""Seeing and changing what one follows."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from notifier.domain.reasons import cadence_in_words
from notifier.domain.schedules import Cadence
from notifier.installation import Installation
from notifier.web.app import create_app
from tests.web.site import READER

Rows = Callable[[str], list[Any]]
DAILY = Cadence(cadence="daily", time_zone="Europe/Berlin")


@pytest.fixture
def path(installation: Installation, subscriber: int, now: datetime) -> str:
    return installation.links.preferences(subscriber, now=now).removeprefix("http://testserver")


@pytest.fixture
def ask_path(installation: Installation, subscriber: int) -> str:
    return installation.links.ask_preferences(subscriber).removeprefix("http://testserver")


def test_the_link_of_a_digest_has_a_fresh_one_mailed(client: TestClient, ask_path: str, rows: Rows) -> None:
    assert "Send me the link" in client.get(ask_path).text

    answer = client.post(ask_path)

    assert "check your mailbox" in answer.text
    assert rows("SELECT kind FROM deliveries") == [("preferences",)]


def test_asking_again_and_again_mails_once(client: TestClient, ask_path: str, rows: Rows) -> None:
    for _ in range(5):
        client.post(ask_path)

    assert rows("SELECT count(*) FROM deliveries") == [(1,)]


def test_the_fresh_link_shows_what_one_follows(client: TestClient, path: str) -> None:
    page = client.get(path).text

    assert "Walking after" in page
    assert "Ischemic Stroke" in page
    assert cadence_in_words(DAILY, language="en") in page
    assert READER not in page


def test_the_fresh_link_expires_after_an_hour(installation: Installation, path: str, now: datetime) -> None:
    late = TestClient(create_app(installation, now=lambda: now + timedelta(hours=1)))

    answer = late.get(path)

    assert answer.status_code == 404
    assert "This link has expired" in answer.text


def test_one_subscription_is_ended(client: TestClient, path: str, rows: Rows) -> None:
    answer = client.post(path, data={"action": "end:1"})

    assert "That has ended." in answer.text
    assert rows("SELECT id FROM subscriptions WHERE ended_at IS NULL") == [(2,)]


@pytest.mark.parametrize("number", ["99", "-1", "x", "", "1 OR 1=1", "9" * 30])
def test_somebody_elses_subscription_is_not_ended(client: TestClient, path: str, rows: Rows, number: str) -> None:
    client.post(path, data={"action": f"end:{number}"})

    assert rows("SELECT count(*) FROM subscriptions WHERE ended_at IS NULL") == [(2,)]


def test_everything_is_ended(client: TestClient, path: str, rows: Rows) -> None:
    page = client.post(path, data={"action": "end_all"}).text

    assert "You follow nothing now" in page
    assert "After one last mail" in page
    assert page.count("no more") == 1
    assert rows("SELECT count(*) FROM subscriptions WHERE ended_at IS NULL") == [(0,)]


def test_the_cadence_is_changed(client: TestClient, path: str) -> None:
    chosen = {"action": "cadence", "cadence": "weekly", "hour": "18", "weekday": "4", "time_zone": "Asia/Tokyo"}

    page = client.post(path, data=chosen).text

    assert "Your choice is kept." in page
    weekly = Cadence(cadence="weekly", hour=18, weekday=4, time_zone="Asia/Tokyo")
    assert cadence_in_words(weekly, language="en") in page


@pytest.mark.parametrize("wrong", [{"hour": "25"}, {"cadence": "never"}, {"time_zone": "x"}, {"weekday": ""}])
def test_a_bad_cadence_changes_nothing(client: TestClient, path: str, wrong: dict[str, str]) -> None:
    chosen = {"action": "cadence", "cadence": "weekly", "hour": "18", "weekday": "4", "time_zone": "Asia/Tokyo"}

    answer = client.post(path, data=chosen | wrong)

    assert answer.status_code == 422
    assert cadence_in_words(DAILY, language="en") in answer.text


def test_what_was_chosen_beside_a_mistyped_town_is_shown_again(client: TestClient, path: str) -> None:
    chosen = {"wants": "everything", "narrower": "no", "urgent": "yes", "near": "Xyzzy", "within_km": "50"}

    answer = client.post(path, data={"action": "change:2", **chosen})

    own = BeautifulSoup(answer.text, "html.parser").select_one("details.change[open]")
    assert own is not None
    ticked = {str(one["name"]): one.get("value") for one in own.select("input[checked]")}
    assert ticked == {"wants": "everything", "narrower": "no", "urgent": "yes"}
