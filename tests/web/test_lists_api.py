"""Lists of the API, page by page."""

from datetime import datetime, timedelta
from itertools import repeat
from typing import Any

import pytest
from starlette.testclient import TestClient

from notifier.installation import Installation
from notifier.web.app import create_app
from tests.web.site import API_KEY, NUMBER, ingest, make_record

KEY = {"Authorization": f"Bearer {API_KEY}"}
GARBAGE: list[dict[str, Any]] = [
    {"cursor": "garbage"},
    {"cursor": ""},
    {"cursor": "x" * 500},
    {"cursor": "WyJhIl0.c2ln"},
    {"limit": 0},
    {"limit": 101},
    {"limit": "1_0"},
    {"limit": "ten"},
    {"condition": 0},
    {"condition": 2**63},
    {"status": "recruiting"},
    {"updated_since": "yesterday"},
    {"updated_since": "1700000000"},
    {"updated_since": "2026-02-30T00:00:00Z"},
    {"updated_since": "2026-03-01T00:00:00"},
    {"updated_since": "9999-12-31T23:59:59-12:00"},
    {"colour": "blue"},
]
CLOSED = {"overallStatus": "COMPLETED", "lastUpdatePostDateStruct": {"date": "2026-03-01"}}


@pytest.fixture
def studies(installation: Installation, now: datetime) -> list[str]:
    """The numbers of seven studies, in the order in which they came."""
    numbers = [f"NCT9000000{number}" for number in range(2, 8)]
    for hours, number in enumerate(numbers):
        ingest(installation, make_record(number), now=now + timedelta(hours=hours + 1))
    return [NUMBER, *numbers]


def pages_of(client: TestClient, path: str, name: str, **asked: Any) -> list[list[Any]]:
    """Every page of a list."""
    pages, cursor = [], None
    while True:
        answer = client.get(f"/api/v1/{path}", params={**asked, **({"cursor": cursor} if cursor else {})}, headers=KEY)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()[name])
        cursor = answer.json()["next"]
        assert ("link" in answer.headers) is (cursor is not None)
        if cursor is None:
            return pages


def test_studies_are_listed_page_by_page(client: TestClient, studies: list[str]) -> None:
    pages = pages_of(client, "studies", "studies", limit=3)

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [one["nct_id"] for page in pages for one in page] == studies


def test_what_comes_in_meanwhile_moves_nothing(
    client: TestClient, installation: Installation, studies: list[str], now: datetime
) -> None:
    first = client.get("/api/v1/studies", params={"limit": 4}).json()
    ingest(installation, make_record("NCT90000001", statusModule=CLOSED), make_record("NCT90000000"), now=now)
    rest = client.get("/api/v1/studies", params={"limit": 100, "cursor": first["next"]}).json()

    assert [one["nct_id"] for one in [*first["studies"], *rest["studies"]]] == [*studies, "NCT90000000"]


def test_the_link_header_leads_to_the_next_page(client: TestClient, studies: list[str]) -> None:
    answer = client.get("/api/v1/studies?limit=2&status=RECRUITING")

    target = answer.links["next"]["url"]
    assert target.startswith("/api/v1/studies?limit=2&status=RECRUITING&cursor=")
    assert client.get(target).json()["studies"][0]["nct_id"] == studies[2]


def test_studies_are_listed_by_status_and_condition(
    client: TestClient, installation: Installation, studies: list[str], now: datetime
) -> None:
    ingest(installation, make_record(studies[2], statusModule=CLOSED), now=now)
    stroke = client.get("/api/v1/conditions", params={"q": "ischemic stroke"}).json()["conditions"][0]["id"]

    [closed] = pages_of(client, "studies", "studies", status="COMPLETED", condition=stroke)

    assert [one["nct_id"] for one in closed] == [studies[2]]
    assert len(pages_of(client, "studies", "studies", condition=stroke, limit=2)) == 4
    assert pages_of(client, "studies", "studies", condition=stroke + 999) == [[]]


def test_studies_that_changed_since_a_time_come_in_that_order(
    client: TestClient, studies: list[str], now: datetime
) -> None:
    since = (now + timedelta(hours=3)).isoformat()

    pages = pages_of(client, "studies", "studies", updated_since=since, limit=2)

    assert [one["nct_id"] for page in pages for one in page] == studies[3:]


def test_changes_of_all_studies_are_read_once_each(
    installation: Installation, studies: list[str], now: datetime
) -> None:
    later = TestClient(create_app(installation, now=lambda: now + timedelta(hours=9)))
    pages = pages_of(later, "changes", "changes", limit=4)
    seen = later.get("/api/v1/changes", params={"limit": 100}, headers=KEY).json()
    ingest(installation, make_record(studies[1], statusModule=CLOSED), now=now + timedelta(hours=8))

    more = later.get("/api/v1/changes", params={"cursor": seen["goes_on"]}, headers=KEY).json()

    assert [one["nct_id"] for page in pages for one in page] == studies
    assert [(one["nct_id"], one["seq"]) for one in more["changes"]] == [(studies[1], 2)]
    assert "status" in [one["field"] for one in more["changes"][0]["fields"]]
    again = later.get("/api/v1/changes", params={"cursor": more["goes_on"]}, headers=KEY).json()
    assert (again["changes"], again["goes_on"]) == ([], more["goes_on"])


def test_changes_are_shown_once_no_page_can_miss_one(installation: Installation, now: datetime) -> None:
    ingest(installation, make_record("NCT90000002"), now=now + timedelta(seconds=10))
    moments = [now + timedelta(seconds=seconds) for seconds in (29, 35, 40)]
    at = [TestClient(create_app(installation, now=repeat(moment).__next__)) for moment in moments]

    seen = [client.get("/api/v1/changes", headers=KEY).json()["changes"] for client in at]

    assert [[one["nct_id"] for one in some] for some in seen] == [[], [NUMBER], [NUMBER, "NCT90000002"]]


def test_changes_of_one_study_go_on_from_a_cursor(
    client: TestClient, installation: Installation, now: datetime
) -> None:
    ingest(installation, make_record(statusModule=CLOSED), now=now)

    pages = pages_of(client, f"studies/{NUMBER}/changes", "changes", limit=1)

    assert [[one["seq"] for one in page] for page in pages] == [[2], [1]]


def test_conditions_are_listed_and_each_is_shown(client: TestClient, studies: list[str]) -> None:
    listed = [one for page in pages_of(client, "conditions", "conditions", limit=1) for one in page]
    stroke = next(one for one in listed if one["name"] == "Ischemic Stroke")

    shown = client.get(f"/api/v1/conditions/{stroke['id']}").json()

    assert (shown["name"], shown["studies"]) == ("Ischemic Stroke", len(studies))
    assert shown["page_url"] == f"http://testserver/conditions/{stroke['id']}"


def test_words_that_only_a_reader_follows_are_in_no_list(client: TestClient) -> None:
    body = {"email": "a@example.org", "condition": "Secret canary words", "accept_unknown": True, "consent": "vouched"}
    assert client.post("/api/v1/subscriptions", json=body, headers=KEY).status_code == 201

    names = [one["name"] for page in pages_of(client, "conditions", "conditions") for one in page]

    assert names
    assert "canary" not in " ".join(names).lower()
    assert [client.get(f"/api/v1/conditions/{number}").status_code for number in (len(names) + 1, 999)] == [404, 404]


def test_what_no_list_understands_is_a_problem(client: TestClient) -> None:
    for asked in GARBAGE:
        answer = client.get("/api/v1/studies", params=asked)

        assert answer.status_code == 422, asked
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_cursor_is_good_for_its_own_list_only(client: TestClient, studies: list[str]) -> None:
    cursor = client.get("/api/v1/studies", params={"limit": 2}).json()["next"]

    for other in ("studies?status=RECRUITING&", "conditions?", f"studies/{NUMBER}/changes?", "changes?"):
        answer = client.get(f"/api/v1/{other}cursor={cursor}", headers=KEY)

        assert answer.status_code == 422
        assert answer.json()["type"].endswith("#invalid-cursor")


def test_head_is_answered_as_get_and_options_names_the_methods(client: TestClient, studies: list[str]) -> None:
    head = client.head("/api/v1/studies")
    options = client.options("/api/v1/studies/x/readings/en")

    assert (head.status_code, head.content) == (200, b"")
    assert options.status_code == 204
    assert options.headers["allow"] == "GET, PUT, DELETE, HEAD, OPTIONS"
    assert client.options("/api/v1/nothing").status_code == 404


def test_an_address_that_is_none_is_a_problem(client: TestClient) -> None:
    for path in ("/api/", "/api/v1", "/api/v1/", "/api/v1/studies/", "/api/v1/nothing", "/api/v2"):
        answer = client.get(path)

        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_no_other_site_may_read_the_api(client: TestClient) -> None:
    headers = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}

    answers = [client.options("/api/v1/subscriptions", headers=headers), client.get("/api/v1/studies", headers=headers)]

    assert not [name for one in answers for name in one.headers if name.startswith("access-control-allow")]
