"""Which news somebody wants: by form and by API, for a study and for a condition, and how it is said back."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from notifier.installation import Installation
from tests.web.site import NUMBER, READER, filled_form
from tests.web.test_api import KEY

Rows = Callable[[str], list[Any]]
WANTED = "SELECT wants FROM subscriptions ORDER BY trial_id IS NULL"


def subscribe(client: TestClient, **asked: str) -> int:
    body = {"email": READER, "consent": "vouched", **asked}
    return client.post("/api/v1/subscriptions", json=body, headers=KEY).status_code


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        ({}, ("everything", "openings")),
        ({"trial_wants": "important"}, ("important", "openings")),
        ({"trial_wants": "everything", "wants": "important"}, ("everything", "important")),
        ({"trial": "", "wants": "important"}, ("important", "important")),
        ({"condition": ""}, ("everything", "openings")),
    ],
)
def test_the_form_keeps_which_news_of_which(
    client: TestClient, rows: Rows, chosen: dict[str, str], kept: tuple[str, str]
) -> None:
    assert client.post("/subscribe", data=filled_form(**chosen)).status_code == 200

    assert rows("SELECT trial_wants, wants FROM pending_requests") == [kept]


def test_a_choice_the_form_does_not_offer_is_refused(client: TestClient) -> None:
    answer = client.post("/subscribe", data=filled_form(trial_wants="openings"))

    assert answer.status_code == 422
    assert "#trial_wants" in answer.text


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"trial": NUMBER}, [("everything",)]),
        ({"trial": NUMBER, "wants": "important"}, [("important",)]),
        ({"trial": NUMBER, "condition": "Ischemic stroke"}, [("everything",), ("openings",)]),
        ({"condition": "Ischemic stroke", "wants": "important"}, [("important",)]),
    ],
)
def test_the_api_takes_what_is_important(
    client: TestClient, rows: Rows, asked: dict[str, str], kept: list[tuple[str]]
) -> None:
    assert subscribe(client, **asked) == 201

    assert rows(WANTED) == kept


def test_the_api_refuses_openings_of_one_study(client: TestClient, rows: Rows) -> None:
    assert subscribe(client, trial=NUMBER, wants="openings") == 422
    assert rows(WANTED) == []


def test_asking_again_changes_which_news(client: TestClient, rows: Rows) -> None:
    for wants in ("important", "everything"):
        subscribe(client, trial=NUMBER, wants=wants)

    assert rows(WANTED) == [("everything",)]


def test_the_preferences_say_which_news(
    client: TestClient, installation: Installation, rows: Rows, now: datetime
) -> None:
    subscribe(client, trial=NUMBER, condition="Ischemic stroke", wants="important")
    [(reader,)] = rows("SELECT id FROM subscribers")
    link = installation.links.preferences(reader, now=now)

    page = client.get(link.removeprefix("http://testserver")).text

    assert "A study, when something important changes" in page
    assert "A condition: new studies and important changes" in page
