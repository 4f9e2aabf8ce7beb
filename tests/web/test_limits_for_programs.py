"""Limits of the API: wrong keys, many look-ups, and one mailbox asked for too often."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from notifier.web.limiting import LOOK_UPS, MAILBOX, PROGRAMS, RULES, UNPROVEN, WRONG_KEYS
from tests.web.site import API_KEY, NUMBER

Rows = Callable[[str], list[Any]]
FEW = RULES[UNPROVEN, "network"]
KEY = {"X-API-Key": API_KEY}


def test_whoever_tries_keys_out_has_to_wait_and_the_right_key_has_not(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, (WRONG_KEYS, "network"), FEW)

    tried = [client.get("/api/v1/status", headers={"X-API-Key": f"guess-{one}"}) for one in range(FEW.amount + 1)]

    assert [one.status_code for one in tried] == [401] * FEW.amount + [429]
    assert tried[-1].headers["content-type"] == "application/problem+json"
    assert int(tried[-1].headers["retry-after"]) > 0
    assert client.get("/api/v1/status", headers=KEY).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/conditions?q=stroke", "/api/v1/conditions/matches?q=stroke"])
def test_too_many_look_ups_are_answered_with_problem_details(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setitem(RULES, (LOOK_UPS, "network"), FEW)

    answers = [client.get(path) for _ in range(FEW.amount + 1)]

    assert [one.status_code for one in answers] == [200] * FEW.amount + [429]
    assert answers[-1].json()["status"] == 429


def test_a_mailbox_asked_for_too_often_gets_the_same_answer_and_no_mail(
    client: TestClient, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, (MAILBOX, "mailbox"), FEW)

    answers = [
        client.post("/api/v1/subscriptions", json={"email": f"vic.tim+{one}@example.org", "trial": NUMBER}, headers=KEY)
        for one in range(FEW.amount + 2)
    ]

    assert {(one.status_code, one.text) for one in answers} == {(202, answers[0].text)}
    assert rows("SELECT state, count(*) FROM deliveries GROUP BY state") == [("cancelled", 2), ("waiting", FEW.amount)]


def test_a_key_is_counted_and_not_the_network_it_comes_from(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, (PROGRAMS, "key"), FEW)

    answers = [
        client.post("/api/v1/subscriptions", json={"email": f"a{one}@example.org", "trial": NUMBER}, headers=KEY)
        for one in range(FEW.amount + 1)
    ]

    assert [one.status_code for one in answers] == [202] * FEW.amount + [429]
