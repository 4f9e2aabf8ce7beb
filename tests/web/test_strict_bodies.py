"""Bodies that no reader of JSON should take: each is a problem, never a 500, and nothing of it is repeated."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from notifier.emails.links import END_ALL
from notifier.installation import Installation
from tests.web.site import API_KEY, NUMBER, READER

HEADERS = {"Authorization": f"Bearer {API_KEY}", "content-type": "application/json"}
WHOLE = {"email": READER, "trial": NUMBER}
CANARY = "canary7f3a"


def body(**changes: Any) -> bytes:
    return json.dumps(WHOLE | changes).encode()


BAD = [
    (b"", 422),
    (b"{", 400),
    (b"null", 422),
    (b"[]", 422),
    (b'"text"', 422),
    (b"\xff\xfe{}", 400),
    (b"\xef\xbb\xbf{}", 400),
    (b'{"email": NaN}', 400),
    (b'{"hour": -Infinity}', 400),
    (b'{"hour": 1e999}', 422),
    (b'{"hour": ' + b"9" * 5_000 + b"}", 422),
    (b"[" * 10_000 + b"]" * 10_000, 422),
    (b'{"filter":' * 10_000 + b"1" + b"}" * 10_000, 413),
    (b'{"a":' * 40 + b"1" + b"}" * 40, 422),
    (b'{"email": "a@example.org", "email": "canary7f3a@example.org"}', 422),
    (b'{"email": "\\ud800@example.org"}', 422),
    (b'{"email": "a\\u0000@example.org"}', 422),
    (b'{"\\u0000": 1}', 422),
    (body(email="x" * 10_000_000), 413),
    (body(email="x" * 90_000), 422),
    (body(hour=True), 422),
    (body(hour="8"), 422),
    (body(hour=8.0), 422),
    (body(hour=None), 422),
    (body(urgent=1), 422),
    (body(urgent="true"), 422),
    (body(narrower="no"), 422),
    (body(trial=7), 422),
    (body(email=[READER]), 422),
    (body(condition="Ischemic stroke", filter={"age": True}), 422),
    (body(condition="Ischemic stroke", filter={"age": "54"}), 422),
    (body(condition="Ischemic stroke", filter={"phases": [True]}), 422),
    (body(condition="Ischemic stroke", filter={"near": {"town": "Leipzig", "within_km": 50.0}}), 422),
    (body(site="a\nb"), 422),
    (body(canary7f3a=1), 422),
    (body(**{f"{CANARY}@example.org": 1}), 422),
    (body(email=f"{CANARY}@"), 422),
    (body(agreed={"text": "I agree.", "health": True}), 422),
    (body(consent="vouched", agreed={"text": "I agree."}), 422),
    (body(consent="vouched", agreed={"text": "I agree.", "health": "yes"}), 422),
    (body(consent="vouched", agreed={"text": "I agree.", "health": True, "at": "2999-01-01T00:00:00Z"}), 422),
    (body(consent="vouched", agreed={"text": "I agree.", "health": True, "at": 1_700_000_000}), 422),
]


def test_a_bad_body_is_a_problem(client: TestClient, rows: Any) -> None:
    for sent, status in BAD:
        answer = client.post("/api/v1/subscriptions", content=sent, headers=HEADERS)

        assert answer.status_code == status, (sent[:80], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert CANARY not in answer.text.replace('"field":"canary7f3a"', "")
    assert rows("SELECT count(*) FROM pending_requests") == [(0,)]


def test_a_body_of_another_kind_is_a_problem(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        headers = {**HEADERS, "content-type": kind}

        assert client.post("/api/v1/subscriptions", content=body(), headers=headers).status_code == 415


def test_whoever_has_no_key_learns_nothing_of_the_body(client: TestClient) -> None:
    answers = [client.post("/api/v1/subscriptions", content=sent, headers={"content-type": "application/json"})
               for sent in (b"{", body(), b"[" * 10_000)]  # fmt: skip

    assert {one.status_code for one in answers} == {401}


def test_what_is_agreed_to_is_kept_as_evidence(client: TestClient, rows: Any) -> None:
    agreed = {"text": "I agree.", "version": "7", "language": "en", "health": True, "health_text": "Health too.",
              "at": "2026-03-01T10:30:00+01:00"}  # fmt: skip

    answer = client.post("/api/v1/subscriptions", content=body(consent="vouched", agreed=agreed), headers=HEADERS)

    assert answer.status_code == 201
    assert rows("SELECT version, language, terms, health FROM consent_texts") == [
        ("7", "en", "I agree.", "Health too.")
    ]
    assert rows("SELECT consent_health, consent_asked_at FROM subscriptions") == [(1, "2026-03-01 09:30:00.000000")]


def test_narrower_conditions_may_be_left_out(client: TestClient, rows: Any) -> None:
    sent = body(condition="Ischemic stroke", narrower=False)

    assert client.post("/api/v1/subscriptions", content=sent, headers=HEADERS).status_code == 202
    assert rows("SELECT narrower FROM pending_requests") == [(0,)]


def call(client: TestClient, name: str, token: str, **more: Any) -> Any:
    return client.post(f"/api/v1/{name}", json={"token": token} | more, headers=HEADERS)


def token_of(link: str) -> str:
    return link.rpartition("/")[2]


def test_a_page_of_another_site_confirms_by_token(client: TestClient, installation: Installation, rows: Any) -> None:
    client.post("/api/v1/subscriptions", content=body(), headers=HEADERS)
    token = token_of(installation.links.confirm(1))

    answers = [call(client, "confirmations", token) for _ in range(2)]

    assert [(one.status_code, one.json()) for one in answers] == [(200, {"status": "confirmed"})] * 2
    assert rows("SELECT count(*) FROM subscriptions WHERE ended_at IS NULL") == [(1,)]


@pytest.mark.parametrize("everything", [False, True])
def test_one_subscription_or_all_end_by_token(
    client: TestClient, installation: Installation, subscriber: int, rows: Any, everything: bool
) -> None:
    token = token_of(installation.links.end_one(1))

    answers = [call(client, "unsubscriptions", token, everything=everything) for _ in range(2)]

    assert [(one.status_code, one.json()) for one in answers] == [(200, {"status": "ended"})] * 2
    assert rows("SELECT count(*) FROM subscriptions WHERE ended_at IS NULL") == [(0 if everything else 1,)]


def test_a_token_ends_the_same_whether_or_not_somebody_is_there(client: TestClient, installation: Installation) -> None:
    answers = [call(client, "unsubscriptions", token_of(link))
               for link in (installation.links.end_one(999), installation.links.end_all(999))]  # fmt: skip

    assert [(one.status_code, one.json()) for one in answers] == [(200, {"status": "ended"})] * 2


@pytest.mark.parametrize("name", ["confirmations", "unsubscriptions"])
def test_a_token_that_is_none_is_a_problem(client: TestClient, name: str) -> None:
    for token in ("garbage", "WzFd.c2ln", "x" * 400, "ä", END_ALL):
        answer = call(client, name, token)

        assert answer.status_code == 404
        assert token not in answer.text


def test_a_token_of_another_purpose_does_nothing(
    client: TestClient, installation: Installation, subscriber: int, now: Any
) -> None:
    links = installation.links
    others = [links.end_all(1), links.end_one(1), links.preferences(1, now=now)]

    assert {call(client, "confirmations", token_of(link)).status_code for link in others} == {404}
    assert call(client, "unsubscriptions", token_of(links.preferences(1, now=now))).status_code == 404
