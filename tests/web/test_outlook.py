"""What a choice would bring, shown before anybody subscribes."""

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from tests.web.site import NUMBER, READER, filled_form


def shown(client: TestClient, **changes: str) -> BeautifulSoup:
    answer = client.post("/subscribe/preview", data=filled_form(**changes))
    return BeautifulSoup(answer.text, "html.parser")


def test_it_is_shown_in_the_form_with_everything_typed_and_asks_for_no_address(
    client: TestClient, snapshot: Callable[[], str]
) -> None:
    before = snapshot()

    page = shown(client, email="", consent="", consent_health="", cadence="weekly", wants="everything")

    outlook = page.select_one("form #outlook .outlook")
    assert outlook is not None
    assert "Ischemic Stroke" in outlook.text
    assert "In the last 90 days" in outlook.text
    assert "only just begun to watch" in outlook.text
    assert outlook.select_one(f"a[href='/studies/{NUMBER}']")
    assert page.select_one("[name=cadence][value=weekly][checked]")
    assert page.select_one("details.more[open]")
    assert not page.select("#errors")
    assert snapshot() == before


def test_a_script_gets_the_outlook_alone(client: TestClient) -> None:
    page = shown(client, part="outlook")

    assert page.select_one(".outlook")
    assert not page.select("form, html")
    assert READER not in str(page)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"trial": "", "condition": ""}, ""),
        ({"condition": "something unheard of"}, "No condition of this name is known"),
        ({"intents": "yes", "follow_trial": "yes"}, ""),
    ],
)
def test_where_there_is_nothing_to_show_none_is_made_up(client: TestClient, asked: dict[str, str], says: str) -> None:
    page = shown(client, part="outlook", **asked)

    assert says in page.text
    assert not page.select(".outlook")


def test_it_says_whether_kinds_of_the_condition_count(client: TestClient, installation: Any) -> None:
    with installation.database.writing() as session:
        session.connection().exec_driver_sql("UPDATE trial_conditions SET how = 'broader'")

    assert "Studies on kinds of it are included." in shown(client, part="outlook").text
    alone = shown(client, part="outlook", narrower="no").text
    assert "Studies on kinds of it are not included." in alone
    assert "this would have brought nothing" in alone


@pytest.mark.parametrize(("field", "value"), [("near", "Nowhereville"), ("cadence", "hourly"), ("time_zone", "Mars")])
def test_what_is_wrong_is_said_where_it_stands(client: TestClient, field: str, value: str) -> None:
    page = shown(client, **{field: value})

    assert page.select("#errors")
    assert page.select_one("details.more[open]")


def test_whether_kinds_count_and_what_was_agreed_to_wait_with_the_request(
    client: TestClient, rows: Callable[[str], list[Any]]
) -> None:
    assert client.post("/subscribe", data=filled_form(narrower="no")).status_code == 200

    ((narrower, health, terms),) = rows(
        "SELECT narrower, consent_health, terms FROM pending_requests"
        " JOIN consent_texts ON consent_text_id = consent_texts.id"
    )
    assert (narrower, health) == (0, 1)
    page = BeautifulSoup(client.get("/subscribe").text, "html.parser")
    assert terms in page.select_one("#consent").text  # type: ignore[union-attr]


def test_nothing_is_ticked_for_anybody(client: TestClient) -> None:
    page = BeautifulSoup(client.get("/subscribe").text, "html.parser")

    assert not page.select("[name^=consent][checked]")
    assert not page.select("details.more[open]")
