"""Receipts over HTTP: for whoever has the key, by a body that holds the address, in the shape that is documented."""

from datetime import datetime
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from notifier.installation import Installation
from tests.web.site import API_KEY, NUMBER, READER, ingest, make_record

KEY = {"X-API-Key": API_KEY}


def asked(client: TestClient, **body: str) -> Any:
    return client.post("/api/v1/receipts", json={"email": READER} | body, headers=KEY)


@pytest.mark.usefixtures("subscriber")
def test_a_reader_has_receipts(client: TestClient, installation: Installation, now: datetime) -> None:
    ingest(installation, make_record(designModule={"studyType": "OBSERVATIONAL"}), now=now)

    answer = asked(client, trial=NUMBER, since="7d").json()

    assert answer["known"] is True
    assert {one["trial"] for one in answer["receipts"]} == {NUMBER}
    assert {one["fate"]["outcome"] for one in answer["receipts"]} == {"not matched"}
    assert READER not in str(answer)


def test_an_unknown_address_has_the_same_shape(client: TestClient) -> None:
    answer = asked(client)

    assert answer.status_code == 200
    assert answer.json()["known"] is False
    assert answer.json()["receipts"] == []


def test_the_mail_that_asks_to_confirm_is_told(client: TestClient) -> None:
    client.post("/api/v1/subscriptions", json={"email": READER, "trial": NUMBER, "wants": "everything"}, headers=KEY)

    answer = asked(client).json()

    assert answer["known"] is True
    assert [(one["kind"], one["state"]) for one in answer["mails"]] == [("confirmation", "waiting")]


@pytest.mark.parametrize("body", [{"since": "soon"}, {"trial": "NCT90009999"}, {"email": "nobody"}, {"other": "x"}])
def test_what_cannot_be_asked_is_refused_without_the_address(client: TestClient, body: dict[str, str]) -> None:
    answer = asked(client, **body)

    assert answer.status_code == 422
    assert READER not in answer.text


def test_the_key_is_needed(client: TestClient) -> None:
    assert client.post("/api/v1/receipts", json={"email": READER}).status_code == 401


def test_receipts_are_documented(app: FastAPI) -> None:
    described = app.openapi()

    schema = described["paths"]["/api/v1/receipts"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Account"}
    assert {"receipts", "mails", "subscriptions"} <= described["components"]["schemas"]["Account"]["properties"].keys()
