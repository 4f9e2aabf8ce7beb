"""The API, as programs use it."""

import gzip
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from notifier.installation import Installation
from notifier.stopping import pause
from notifier.web.app import create_app
from tests.web.site import API_KEY, NUMBER, READER, ingest, make_record

Rows = Callable[[str], list[Any]]
KEY = {"Authorization": f"Bearer {API_KEY}"}


def subscription(**changes: Any) -> dict[str, Any]:
    return {"email": READER, "trial": NUMBER, "cadence": "weekly", "weekday": 2, "time_zone": "Europe/Berlin"} | changes


def assert_problem(answer: Any, status: int, said: str = "") -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert said in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {API_KEY}"},
        {"Authorization": API_KEY},
        {"X-API-Key": "wrong"},
        {"X-API-Key": API_KEY + "x"},
        {"X-API-Key": b"\xff\xfe"},
    ],
)
@pytest.mark.parametrize("call", [("POST", "records"), ("POST", "subscriptions"), ("GET", "status")])
def test_without_the_key_nothing_is_taken(
    client: TestClient, snapshot: Callable[[], str], headers: dict[str, Any], call: tuple[str, str]
) -> None:
    before = snapshot()
    method, name = call

    answer = client.request(method, f"/api/v1/{name}", headers=headers, content=b"not even JSON")

    assert_problem(answer, 401, "key")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert snapshot() == before


def test_without_a_key_of_its_own_a_server_takes_none(installation: Installation) -> None:
    keyless = installation.settings.model_copy(update={"api_key": ""})
    opened = type(installation)(keyless, installation.database, installation.keys, installation.links)
    client = TestClient(create_app(opened))

    assert_problem(client.post("/api/v1/records", headers={"X-API-Key": ""}), 401, "NOTIFIER_API_KEY is not set")


def test_the_key_is_taken_from_either_header(client: TestClient) -> None:
    assert client.get("/api/v1/status", headers=KEY).status_code == 200
    assert client.get("/api/v1/status", headers={"X-API-Key": API_KEY}).status_code == 200


@pytest.mark.parametrize("shape", ["one", "list", "page", "lines"])
def test_records_come_in_every_shape(client: TestClient, shape: str) -> None:
    records = [make_record("NCT90000002"), make_record("NCT90000003")]
    bodies = {
        "one": json.dumps(records[0]),
        "list": json.dumps(records),
        "page": json.dumps({"studies": records, "nextPageToken": "x"}),
        "lines": "\n".join(json.dumps(record) for record in records),
    }

    answer = client.post("/api/v1/records", content=bodies[shape], headers=KEY)

    assert answer.status_code == 200
    assert answer.json()["new"] == (1 if shape == "one" else 2)
    assert client.get("/studies/NCT90000002").status_code == 200


def test_a_record_sent_again_is_unchanged(client: TestClient) -> None:
    answer = client.post("/api/v1/records", json=make_record(), headers=KEY)

    assert answer.json() == {
        "read": 1, "new": 0, "changed": 0, "unchanged": 1, "stale": 0, "rejected": 0, "problems": []
    }  # fmt: skip


def test_good_records_are_taken_among_bad_ones(client: TestClient) -> None:
    body = [make_record("NCT90000002"), {"protocolSection": {}}, 7, make_record("NCT90000003")]

    report = client.post("/api/v1/records", json=body, headers=KEY).json()

    assert (report["new"], report["rejected"]) == (2, 2)
    assert [problem["place"] for problem in report["problems"]] == ["body item 2", "body item 3"]
    assert "protocolSection.identificationModule" in report["problems"][0]["reason"]


BAD_BODIES = [
    (b"", "is empty"),
    (b"{", "is not whole JSON"),
    (b"null", "body"),
    (b"[]]", "is not whole JSON"),
    (b'"text"', "body"),
    (b"{}", "protocolSection"),
    (b'{"protocolSection": {"identificationModule": {}}}', "identificationModule.nctId"),
    (b'{"protocolSection": {"identificationModule": {"nctId": 7}}}', "identificationModule.nctId"),
    (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    (b"\xff\xfe\x00", "is not whole JSON"),
    (b"PK\x03\x04", "is not whole JSON"),
]


@pytest.mark.parametrize(("body", "said"), BAD_BODIES)
def test_a_body_without_a_good_record_is_refused_with_place_and_path(
    client: TestClient, snapshot: Callable[[], str], body: bytes, said: str
) -> None:
    before = snapshot()

    answer = client.post("/api/v1/records", content=body, headers=KEY)

    assert_problem(answer, 422, said)
    assert answer.json()["errors"][0]["place"].startswith("body")
    assert snapshot() == before


def test_no_records_is_nothing_to_do(client: TestClient) -> None:
    answer = client.post("/api/v1/records", json=[], headers=KEY)

    assert (answer.status_code, answer.json()["read"]) == (200, 0)


def test_compressed_bodies_are_refused(client: TestClient) -> None:
    packed = gzip.compress(json.dumps(make_record("NCT90000002")).encode())

    assert_problem(client.post("/api/v1/records", content=packed, headers=KEY), 415)
    named = KEY | {"content-encoding": "gzip"}
    assert_problem(client.post("/api/v1/records", content=packed, headers=named), 415)


def test_a_baseline_makes_no_news(client: TestClient, rows: Rows) -> None:
    client.post("/api/v1/records?baseline=true", json=make_record("NCT90000002"), headers=KEY)
    client.post("/api/v1/records", json=make_record("NCT90000003"), headers=KEY)

    assert rows("SELECT baseline FROM changes ORDER BY id") == [(1,), (1,), (0,)]


def test_contacts_of_a_record_reach_neither_database_nor_answer(
    client: TestClient, snapshot: Callable[[], str]
) -> None:
    client.post("/api/v1/records", json=make_record("NCT90000002"), headers=KEY)

    shown = client.get("/api/v1/studies/NCT90000002").text + client.get("/api/v1/studies/NCT90000002/changes").text

    for secret in ("Byron", "555 010", "ada.byron"):
        assert secret not in shown
        assert secret not in snapshot()


def test_a_subscription_waits_for_its_owner(client: TestClient, rows: Rows) -> None:
    answer = client.post("/api/v1/subscriptions", json=subscription(condition="Ischemic stroke"), headers=KEY)

    assert (answer.status_code, answer.json()) == (202, {"status": "confirmation_sent"})
    assert rows("SELECT how, cadence, weekday FROM pending_requests") == [("api", "weekly", 2)]
    assert rows("SELECT count(*) FROM subscribers") == [(0,)]


def test_an_unknown_condition_comes_back_with_what_is_near(client: TestClient) -> None:
    answer = client.post("/api/v1/subscriptions", json=subscription(condition="strok"), headers=KEY)

    assert_problem(answer, 422, "No condition of this name is known")
    assert "Ischemic Stroke" in answer.json()["suggestions"]


def test_a_vouched_subscription_begins_at_once(client: TestClient, rows: Rows) -> None:
    asked = subscription(consent="vouched", site="clinic.example")

    answer = client.post("/api/v1/subscriptions", json=asked, headers=KEY)

    assert (answer.status_code, answer.json()) == (201, {"status": "subscribed"})
    assert rows("SELECT consent_site, consent_how FROM subscriptions") == [("clinic.example", "vouched")]


BAD_SUBSCRIPTIONS = [
    ({"email": "nobody"}, "email"),
    ({"email": "a@example.org\r\nBcc: b@example.org"}, "email"),
    ({"email": None}, "email"),
    ({"email": 7}, "email"),
    ({"email": "a\ud800@example.org"}, ""),
    ({"trial": "NCT00000000"}, "trial"),
    ({"trial": "NCT\x00"}, ""),
    ({"trial": None}, ""),
    ({"condition": "a condition nobody listed"}, "condition"),
    ({"condition": "\ud800\udfff"}, "condition"),
    ({"condition": "x" * 300}, "condition"),
    ({"wants": "all"}, "wants"),
    ({"cadence": "hourly"}, "cadence"),
    ({"hour": 24}, "hour"),
    ({"hour": 8.5}, "hour"),
    ({"weekday": -1}, "weekday"),
    ({"time_zone": "Mars/Olympus"}, ""),
    ({"language": "english please"}, "language"),
    ({"site": "x" * 65}, "site"),
    ({"consent": "sure"}, "consent"),
    ({"is_admin": True}, "is_admin"),
]


@pytest.mark.parametrize(("wrong", "field"), BAD_SUBSCRIPTIONS)
@pytest.mark.parametrize("consent", ["confirm", "vouched"])
def test_a_bad_subscription_is_refused_by_field(
    client: TestClient, snapshot: Callable[[], str], wrong: dict[str, Any], field: str, consent: str
) -> None:
    before = snapshot()
    body = json.dumps(subscription(consent=consent) | wrong)

    answer = client.post("/api/v1/subscriptions", content=body, headers=KEY | {"content-type": "application/json"})

    assert_problem(answer, 422)
    assert READER not in answer.text
    if field:
        assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert snapshot() == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 50_000, b'"x"', b"\xff"])
def test_a_body_that_is_no_subscription_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/v1/subscriptions", content=body, headers=KEY | {"content-type": "application/json"})

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_study_is_given_with_its_facts(client: TestClient) -> None:
    study = client.get(f"/api/v1/studies/{NUMBER}").json()

    assert study["title"] == "Walking after <b>stroke</b>"
    assert study["updates"] == 0
    assert {"name": "Ischemic Stroke", "how": "derived"} in study["conditions"]
    assert study["facts"]["sites"][0]["city"] == "Beijing"
    assert "contacts_fingerprint" not in study["facts"]


def test_changes_are_given_newest_first(client: TestClient, installation: Installation, now: datetime) -> None:
    later = {"overallStatus": "COMPLETED", "lastUpdatePostDateStruct": {"date": "2026-02-20"}}
    ingest(installation, make_record(statusModule=later), now=now)

    changes = client.get(f"/api/v1/studies/{NUMBER}/changes").json()["changes"]

    assert [change["seq"] for change in changes] == [2, 1]
    status = next(one for one in changes[0]["fields"] if one["field"] == "status")
    assert (status["before"], status["after"], status["weight"]) == ("RECRUITING", "COMPLETED", "RECRUITING")
    assert status["path"].startswith("protocolSection.statusModule")


@pytest.mark.parametrize("path", ["studies/NCT00000000", "studies/NCT00000000/changes", "studies/a%00b", "nothing"])
def test_what_is_not_held_is_a_problem(client: TestClient, path: str) -> None:
    assert_problem(client.get(f"/api/v1/{path}"), 404)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v2/studies"])
def test_programs_that_miss_an_address_read_a_problem(client: TestClient, path: str) -> None:
    assert_problem(client.get(path), 404)


@pytest.mark.parametrize(("words", "found"), [("isch", True), ("ischaemic stroke", True), ("\x00%_", False)])
def test_conditions_are_suggested(client: TestClient, words: str, found: bool) -> None:
    names = [one["name"] for one in client.get("/api/v1/conditions", params={"q": words}).json()["conditions"]]

    assert ("Ischemic Stroke" in names) is found


def test_the_status_counts(client: TestClient, subscriber: int) -> None:
    status = client.get("/api/v1/status", headers=KEY).json()

    assert (status["trials"], status["subscribers"], status["subscriptions"]) == (1, 1, 2)
    assert {"changes", "waiting", "sent", "failed", "oldest_waiting_seconds"} <= status.keys()


def test_the_status_says_that_no_mail_goes_out_and_why(
    client: TestClient, installation: Installation, now: datetime
) -> None:
    before = client.get("/api/v1/status", headers=KEY).json()["stops"]
    pause(installation.database, note="the relay moves", now=now)

    [stop] = client.get("/api/v1/status", headers=KEY).json()["stops"]

    assert before == []
    assert datetime.fromisoformat(stop.pop("since")) == now
    assert stop == {"why": "paused", "note": "the relay moves", "undecided": 0}


def test_every_operation_is_described_and_drawn(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()
    page = client.get("/api/docs").text

    assert len(described["paths"]) >= 7
    assert all(path in page for path in described["paths"])
    assert "https://cdn" not in page


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_another_method_is_a_problem(client: TestClient, method: str) -> None:
    answer = client.request(method, "/api/v1/records", headers=KEY)

    assert_problem(answer, 405)
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_no_log_line_holds_the_address(
    client: TestClient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    client.post("/api/v1/subscriptions", json=subscription(), headers=KEY)
    client.post("/api/v1/subscriptions", json=subscription(hour=99), headers=KEY)

    written = caplog.text + "".join(capsys.readouterr())
    assert "request.answered" in written
    assert READER not in written


def test_what_words_would_match_is_told(client: TestClient) -> None:
    found = client.get("/api/v1/conditions/matches", params={"q": "acute ISCHAEMIC"}).json()

    assert found["studies"] == 1
    assert found["examples"][0]["nct_id"] == NUMBER


def test_a_condition_says_by_which_name_it_was_found(client: TestClient) -> None:
    found = client.get("/api/v1/conditions", params={"q": "ischemic strok"}).json()["conditions"][0]

    assert (found["name"], found["studies"], found["kind"], found["matched"]) == ("Ischemic Stroke", 1, "concept", None)
