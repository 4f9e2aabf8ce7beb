"""For whom news is wanted, as programs say it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select
from starlette.testclient import TestClient

from notifier.domain.filter_words import filter_in_words
from notifier.domain.globe import coarse_cell_of, square_of
from notifier.domain.reader_filters import Near, ReaderFilter
from notifier.installation import Installation
from notifier.store import filter_store
from notifier.store.models import Subscription
from tests.web.site import API_KEY, NUMBER, READER

Rows = Callable[[str], list[Any]]
KEY = {"Authorization": f"Bearer {API_KEY}"}
EVERYTHING = {
    "only_recruiting": True, "countries": ["DE", "Austria"], "near": {"town": "Leipzig, Germany", "within_km": 50},
    "phases": [2, 3], "sex": "female", "age": 54,
}  # fmt: skip


def ask(client: TestClient, **changes: Any) -> Any:
    body = {"email": READER, "condition": "Ischemic stroke", "consent": "vouched"} | changes
    return client.post("/api/v1/subscriptions", json=body, headers=KEY)


def filters_held(installation: Installation) -> list[ReaderFilter]:
    with installation.database.reading() as session:
        ids = session.scalars(select(Subscription.filter_id).order_by(Subscription.id)).all()
        return [filter_store.load_filter(session, one) for one in ids]


def test_every_filter_is_kept(client: TestClient, installation: Installation, rows: Rows) -> None:
    answer = ask(client, filter=EVERYTHING, urgent=True, country="Germany")

    assert answer.status_code == 201
    assert filters_held(installation) == [
        ReaderFilter(
            only_recruiting=True,
            countries=frozenset({"DE", "AT"}),
            near=Near(cell=coarse_cell_of(51.34, 12.37), within=square_of(50)),
            phases=frozenset({"PHASE2", "PHASE3"}),
            sex="FEMALE",
            born_year=1972,
        )
    ]
    assert rows("SELECT urgent FROM subscriptions") == [(1,)]
    assert rows("SELECT country, detailed_subjects, quiet_notes FROM subscribers") == [("DE", 0, 0)]


def test_a_point_is_made_coarse_at_once(client: TestClient, installation: Installation, snapshot: Any) -> None:
    answer = ask(client, filter={"near": {"latitude": 51.3396234, "longitude": 12.3712921}})

    assert answer.status_code == 201
    assert [filter_in_words(one) for one in filters_held(installation)] == [
        ["only with a place within about 100 km around Leipzig, Germany"]
    ]
    assert "51.33" not in snapshot()


def test_a_study_followed_by_itself_is_not_filtered(client: TestClient, installation: Installation) -> None:
    ask(client, trial=NUMBER, filter={"only_recruiting": True})

    assert filters_held(installation) == [ReaderFilter(), ReaderFilter(only_recruiting=True)]


def test_asking_again_replaces_the_filter(client: TestClient, installation: Installation) -> None:
    ask(client, filter=EVERYTHING)

    ask(client, filter={"sex": "male"})

    assert filters_held(installation) == [ReaderFilter(sex="MALE")]


def test_what_mails_look_like_is_chosen_where_vouched(client: TestClient, rows: Rows) -> None:
    ask(client, detailed_subjects=True, quiet_notes=True)
    ask(client, quiet_notes=False)

    assert rows("SELECT detailed_subjects, quiet_notes FROM subscribers") == [(1, 0)]


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("filter.countries", {"filter": {"countries": ["Atlantis"]}}),
        ("filter.near", {"filter": {"near": {"town": "Xyzzy"}}}),
        ("filter.near", {"filter": {"near": {}}}),
        ("filter.near", {"filter": {"near": {"latitude": 1.0}}}),
        ("filter.near", {"filter": {"near": {"latitude": 1.0, "longitude": 1.0, "town": "Leipzig"}}}),
        ("filter.near.latitude", {"filter": {"near": {"latitude": 91, "longitude": 1.0}}}),
        ("filter.near.within_km", {"filter": {"near": {"town": "Leipzig", "within_km": 99}}}),
        ("filter.phases.0", {"filter": {"phases": [5]}}),
        ("filter.sex", {"filter": {"sex": "any"}}),
        ("filter.age", {"filter": {"age": -1}}),
        ("filter.colour", {"filter": {"colour": "blue"}}),
        ("country", {"country": "Atlantis"}),
        ("detailed_subjects", {"detailed_subjects": True, "consent": "confirm"}),
        ("quiet_notes", {"quiet_notes": False, "consent": "confirm"}),
    ],
)
def test_a_wrong_choice_is_a_problem_that_names_the_field(
    client: TestClient, rows: Rows, field: str, asked: dict[str, Any]
) -> None:
    answer = ask(client, **asked)

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert rows("SELECT count(*) FROM subscriptions") == [(0,)]


def test_several_towns_of_a_name_are_suggested(client: TestClient) -> None:
    answer = ask(client, filter={"near": {"town": "Springfield"}})

    assert answer.status_code == 422
    assert "Springfield, Illinois, United States" in answer.json()["suggestions"]


def test_a_request_to_confirm_carries_the_filter(client: TestClient, rows: Rows) -> None:
    answer = ask(client, consent="confirm", filter=EVERYTHING, urgent=True)

    assert answer.status_code == 202
    assert rows("SELECT filter_id, urgent FROM pending_requests") == [(1, 1)]


def test_the_reference_tells_of_every_filter(client: TestClient) -> None:
    text = BeautifulSoup(client.get("/api/docs").text, "html.parser").get_text()

    for name in ("filter.only_recruiting", "filter.near.within_km", "filter.sex", "quiet_notes"):
        assert name in text


def test_the_description_knows_the_filter(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()

    assert set(described["components"]["schemas"]["FilterRequest"]["properties"]) == set(EVERYTHING)
    assert "FilterRequest" in json.dumps(described["components"]["schemas"]["SubscriptionRequest"])
