"""Keys of programs at the door of the API, and Idempotency-Keys behind it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from notifier.domain.scopes import MEANINGS, RECORDS_WRITE, SUBSCRIPTIONS_VOUCH, SUBSCRIPTIONS_WRITE
from notifier.installation import Installation
from notifier.keying import make_key, revoke_key
from notifier.store import idempotency_store
from notifier.store.models import IdempotentAnswer
from notifier.web.app import create_app
from tests.web.site import API_KEY, NUMBER, READER, make_record

Rows = Callable[[str], list[Any]]
KEY = {"Authorization": f"Bearer {API_KEY}"}
VOUCHED = {"email": READER, "trial": NUMBER, "consent": "vouched"}


@pytest.fixture
def made(installation: Installation, now: datetime) -> Callable[..., dict[str, str]]:
    """A function that makes a key with these scopes, as a header."""

    def make(*scopes: str, days: int | None = None) -> dict[str, str]:
        database = installation.database
        key = make_key(database, name="-".join(["key", *scopes]).replace(":", "."), scopes=frozenset(scopes),
                       days=days, now=now)  # fmt: skip
        return {"X-API-Key": key}

    return make


def subscribe(client: TestClient, headers: dict[str, str], **changes: Any) -> Any:
    return client.post("/api/v1/subscriptions", json=VOUCHED | changes, headers=headers)


def test_a_key_does_what_its_scopes_say(client: TestClient, made: Callable[..., dict[str, str]]) -> None:
    key = made(RECORDS_WRITE)

    assert client.post("/api/v1/records", json=make_record(), headers=key).status_code == 200
    refused = client.get("/api/v1/status", headers=key)

    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["scope"] == "status:read"
    assert refused.json()["type"] == "http://testserver/api/docs#missing-scope"


def test_vouching_needs_a_scope_of_its_own(client: TestClient, rows: Rows, made: Callable[..., dict[str, str]]) -> None:
    assert subscribe(client, made(SUBSCRIPTIONS_WRITE)).json()["scope"] == SUBSCRIPTIONS_VOUCH
    assert rows("SELECT count(*) FROM subscribers") == [(0,)]
    assert subscribe(client, made(SUBSCRIPTIONS_WRITE, SUBSCRIPTIONS_VOUCH)).status_code == 201


def test_revoked_and_expired_keys_are_refused(
    installation: Installation, client: TestClient, made: Callable[..., dict[str, str]], now: datetime
) -> None:
    short, revoked = made("status:read", days=1), made(RECORDS_WRITE)
    revoke_key(installation.database, name="key-records.write", now=now)
    later = TestClient(create_app(installation, now=lambda: now + timedelta(days=1)))

    assert client.get("/api/v1/status", headers=short).status_code == 200
    assert "expired" in later.get("/api/v1/status", headers=short).json()["detail"]
    assert "revoked" in client.post("/api/v1/records", headers=revoked).json()["detail"]


def test_the_description_names_the_scope_of_every_operation_with_a_key(app: FastAPI) -> None:
    described = app.openapi()["paths"]
    needed = {
        scope
        for methods in described.values()
        for one in methods.values()
        for scheme in one.get("security", [])
        for scopes in scheme.values()
        for scope in scopes or ["none"]
    }

    assert needed == MEANINGS.keys() - {SUBSCRIPTIONS_VOUCH}


OPEN = {
    ("GET", "/api/v1/studies"),
    ("GET", "/api/v1/studies/{nct_id}"),
    ("GET", "/api/v1/studies/{nct_id}/changes"),
    ("GET", "/api/v1/conditions"),
    ("GET", "/api/v1/conditions/matches"),
    ("GET", "/api/v1/conditions/{condition_id}"),
}
"""What everybody may ask for: what the pages show."""


def operations(app: FastAPI) -> dict[tuple[str, str], set[str]]:
    """The scopes that each operation says it needs."""
    return {
        (method.upper(), path): {scope for scheme in one.get("security", []) for of in scheme.values() for scope in of}
        for path, methods in app.openapi()["paths"].items()
        for method, one in methods.items()
    }


def call(client: TestClient, operation: tuple[str, str], headers: dict[str, str]) -> Any:
    method, path = operation
    return client.request(method, path.format(nct_id=NUMBER, condition_id=1, language="en"), headers=headers)


def test_each_operation_is_open_to_its_own_scope_only(
    app: FastAPI, client: TestClient, made: Callable[..., dict[str, str]]
) -> None:
    keys = {scope: made(scope) for scope in MEANINGS}
    needed = operations(app)

    let_in = {
        operation: {scope for scope, key in keys.items() if call(client, operation, key).status_code not in (401, 403)}
        for operation in needed
    }

    assert let_in == {one: scopes or set(MEANINGS) for one, scopes in needed.items()}


def test_without_a_key_or_with_a_wrong_one_only_what_pages_show_is_answered(app: FastAPI, client: TestClient) -> None:
    needed = operations(app)
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"X-API-Key": "wrong"},
        {"X-API-Key": "wrong", **KEY},
        {"Authorization": "Bearer "},
    )

    for headers in wrong:
        closed = {one for one in needed if call(client, one, headers).status_code in (401, 429)}
        assert set(needed) - closed == OPEN


def test_the_api_is_kept_by_no_cache_on_the_way(client: TestClient) -> None:
    for path in ("/api/v1/status", "/api/v1/studies"):
        assert client.get(path, headers=KEY).headers["cache-control"] == "no-store"


def test_a_request_sent_again_is_done_once_and_answered_the_same(client: TestClient, rows: Rows) -> None:
    headers = KEY | {"Idempotency-Key": '"8e03978e"'}

    first = subscribe(client, headers, consent="confirm")
    again = subscribe(client, headers | {"Idempotency-Key": "8e03978e"}, consent="confirm")

    assert (first.status_code, first.content) == (again.status_code, again.content) == (202, first.content)
    assert first.headers["content-type"] == again.headers["content-type"]
    assert rows("SELECT mails FROM pending_requests") == [(1,)]
    assert rows("SELECT count(*) FROM deliveries") == [(1,)]


def test_another_request_with_the_same_key_is_refused(client: TestClient, rows: Rows) -> None:
    headers = KEY | {"Idempotency-Key": "one"}
    subscribe(client, headers)

    refused = subscribe(client, headers, email="other@example.org")

    assert refused.status_code == 422
    assert refused.json()["type"].endswith("#idempotency-key-reused")
    assert rows("SELECT count(*) FROM subscribers") == [(1,)]


def test_keys_of_different_programs_do_not_meet(client: TestClient, made: Callable[..., dict[str, str]]) -> None:
    key = {"Idempotency-Key": "one"}
    subscribe(client, KEY | key)

    other = made(SUBSCRIPTIONS_WRITE, SUBSCRIPTIONS_VOUCH) | key

    assert subscribe(client, other, email="other@example.org").status_code == 201


def test_what_failed_may_be_sent_again_otherwise(client: TestClient) -> None:
    headers = KEY | {"Idempotency-Key": "one"}

    assert subscribe(client, headers, trial="NCT00000000").status_code == 422
    assert subscribe(client, headers).status_code == 201


def test_records_are_taken_once_under_a_key(client: TestClient) -> None:
    headers = KEY | {"Idempotency-Key": "load-1"}
    answers = [client.post("/api/v1/records", json=make_record("NCT90000002"), headers=headers) for _ in range(2)]

    assert [one.json()["new"] for one in answers] == [1, 1]


def test_a_key_that_is_none_is_a_problem(client: TestClient) -> None:
    keys: list[Any] = ["", '""', "two words", "x" * 256, 'a"b', "ü".encode(), "a\\b"]
    for key in keys:
        answer = subscribe(client, KEY | {"Idempotency-Key": key})

        assert answer.status_code == 400
        assert "Idempotency-Key" in answer.json()["detail"]


def test_nothing_personal_is_kept_of_a_request(client: TestClient, snapshot: Callable[[], str]) -> None:
    subscribe(client, KEY | {"Idempotency-Key": "canary-key"})

    assert READER not in snapshot()
    assert "canary-key" not in snapshot()


def asked(number: bytes = b"request") -> idempotency_store.Asked:
    return idempotency_store.Asked(api_key_id=0, key_digest=b"key", request_digest=number)


def test_a_request_that_is_being_answered_is_not_begun_again(installation: Installation, now: datetime) -> None:
    with installation.database.writing() as session:
        assert idempotency_store.claim(session, asked(), now=now) is None
        meanwhile = idempotency_store.claim(session, asked(), now=now + timedelta(seconds=59))

    assert meanwhile is not None
    assert meanwhile.status is None


def test_who_died_while_answering_is_taken_over_after_a_minute(installation: Installation, now: datetime) -> None:
    with installation.database.writing() as session:
        idempotency_store.claim(session, asked(), now=now)

        assert idempotency_store.claim(session, asked(), now=now + timedelta(minutes=1)) is None


def test_answers_are_kept_a_day(installation: Installation, now: datetime) -> None:
    with installation.database.writing() as session:
        idempotency_store.claim(session, asked(), now=now)
        idempotency_store.keep_answer(session, asked(), status=201, body=b"{}")
        within = idempotency_store.claim(session, asked(), now=now + timedelta(hours=23))

        assert within == idempotency_store.Earlier(is_same=True, status=201, body=b"{}")
        assert idempotency_store.claim(session, asked(b"another"), now=now + timedelta(hours=24)) is None
        assert session.query(IdempotentAnswer).count() == 1
