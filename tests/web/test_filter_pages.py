"""For whom news is wanted, as people say it on pages, and as pages say it back."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from notifier.installation import Installation
from notifier.web.page_rendering import static_folder
from tests.web.site import READER, filled_form

Rows = Callable[[str], list[Any]]
CHOSEN = {
    "only_recruiting": "yes", "countries": ["DE", "AT"], "near": "Leipzig", "within_km": "50", "phases": ["2", "3"],
    "sex": "FEMALE", "age": "54", "urgent": "yes",
}  # fmt: skip
WORDS = [
    "only studies that people can join now",
    "only with a place in: Austria or Germany",
    "only with a place within about 50 km around Leipzig, Germany",
    "only phase 2 or 3",
    "only studies that women or girls can join",
    "only studies that take people born in 1972",
]


@pytest.fixture
def path(installation: Installation, subscriber: int, now: datetime) -> str:
    return installation.links.preferences(subscriber, now=now).removeprefix("http://testserver")


@pytest.fixture
def confirm_path(client: TestClient, installation: Installation) -> str:
    client.post("/subscribe", data=filled_form(trial="") | CHOSEN)
    return installation.links.confirm(1).removeprefix("http://testserver")


def soup(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


def test_the_form_folds_filters_away(client: TestClient) -> None:
    details = soup(client.get("/subscribe").text).select_one("details.some")

    assert details is not None
    assert not details.has_attr("open")
    assert details.select_one("[name=countries][multiple]")


def test_what_was_chosen_waits_for_confirmation(client: TestClient, rows: Rows) -> None:
    answer = client.post("/subscribe", data=filled_form() | CHOSEN)

    assert answer.status_code == 200
    assert rows("SELECT filter_id, urgent FROM pending_requests") == [(1, 1)]
    assert rows("SELECT only_recruiting, phases, sex, born_year FROM filters") == [(1, 6, "FEMALE", 1972)]
    assert rows("SELECT country FROM filter_countries ORDER BY country") == [("AT",), ("DE",)]


def test_what_was_typed_is_nowhere_kept(client: TestClient, snapshot: Callable[[], str]) -> None:
    client.post("/subscribe", data=filled_form() | CHOSEN)

    assert "leipzig" not in snapshot().lower()


def test_the_confirmation_page_says_all_of_it(client: TestClient, confirm_path: str) -> None:
    page = soup(client.get(confirm_path).text)

    assert [one.get_text() for one in page.select(".filters li")] == WORDS
    assert "When something important happens, we write at once." in page.get_text()


def test_it_says_so_in_german_too(client: TestClient, confirm_path: str) -> None:
    text = client.get(f"{confirm_path}?lang=de").text

    assert "nur mit einem Ort im Umkreis von etwa 50 km um Leipzig, Deutschland" in text
    assert "only" not in soup(text).select(".filters")[0].get_text()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("countries", "XX", "We do not know this country"),
        ("near", "Xyzzy", "We do not know this town"),
        ("near", "Springfield", "Several towns have this name"),
        ("phases", "9", "A phase must be"),
        ("phases", "two", "A phase must be"),
        ("age", "old", "Write the age"),
        ("age", "121", "from 0 to 120"),
        ("age", "-3", "Write the age"),
        ("sex", "both", "must be female or male"),
    ],
)
def test_a_wrong_choice_is_told_where_it_stands(
    client: TestClient, rows: Rows, field: str, value: str, said: str
) -> None:
    answer = client.post("/subscribe", data=filled_form() | CHOSEN | {field: value})

    page = soup(answer.text)
    assert answer.status_code == 422
    assert [link["href"] for link in page.select("#errors a")] == [f"#{field}"]
    assert said in page.select("details.some[open] .wrong")[0].get_text()
    assert page.select_one(f"#{field}")
    assert page.select_one("[name=only_recruiting][checked]")
    assert rows("SELECT count(*) FROM pending_requests") == [(0,)]


def test_errors_of_filters_stand_in_order(client: TestClient) -> None:
    wrong = CHOSEN | {"age": "x", "near": "Xyzzy", "countries": "XX"}

    answer = client.post(
        "/subscribe", data=filled_form(email="x", condition="", trial="") | {"condition": "stroke"} | wrong
    )

    links = [link["href"] for link in soup(answer.text).select("#errors a")]
    assert [link for link in links if link != "#condition"] == ["#email", "#countries", "#near", "#age"]


def test_towns_of_one_name_are_offered_and_one_is_taken(client: TestClient, rows: Rows) -> None:
    first = client.post("/subscribe", data=filled_form() | CHOSEN | {"near": "Springfield"})
    offered = [str(one["value"]) for one in soup(first.text).select("[name=near_choice]")]

    second = client.post("/subscribe", data=filled_form() | CHOSEN | {"near": "Springfield", "near_choice": offered[2]})

    assert offered[2] == "Springfield, Illinois, United States"
    assert second.status_code == 200
    assert rows("SELECT near_x, near_y, near_z FROM filters") == [(5, -980, 815)]


def test_what_was_chosen_is_shown_again(client: TestClient) -> None:
    answer = client.post("/subscribe", data=filled_form(email="x") | CHOSEN)

    page = soup(answer.text)
    assert [one["value"] for one in page.select("[name=countries] [selected]")] == ["AT", "DE"]
    assert [one["value"] for one in page.select("[name=phases][checked]")] == ["2", "3"]
    assert page.select_one("[name=near][value=Leipzig]")
    assert page.select_one("[name=age][value='54']")
    assert page.select_one("[name=urgent][checked]")


def test_who_follows_one_study_is_not_asked_about_others(client: TestClient, rows: Rows) -> None:
    form = filled_form(condition="") | CHOSEN | {"near": "Xyzzy"}

    answer = client.post("/subscribe", data=form)

    assert answer.status_code == 200
    assert rows("SELECT filter_id, urgent FROM pending_requests") == [(None, 1)]


def test_a_subscription_is_changed_in_place(client: TestClient, path: str, rows: Rows) -> None:
    answer = client.post(path, data={"action": "change:2", "wants": "important"} | CHOSEN)

    page = soup(answer.text)
    assert "Your choice is kept." in page.get_text()
    assert [one.get_text() for one in page.select(".followed .filters li")] == [
        *WORDS,
        "at once when something important happens",
    ]
    assert rows("SELECT wants, filter_id, urgent FROM subscriptions WHERE id = 2") == [("important", 1, 1)]
    assert READER not in answer.text


def test_what_stands_there_can_be_kept_as_it_is(client: TestClient, path: str, rows: Rows) -> None:
    client.post(path, data={"action": "change:2", "wants": "important"} | CHOSEN)
    page = soup(client.get(path).text)
    town = page.select_one("#s2-near")
    assert town is not None

    client.post(path, data={"action": "change:2", "wants": "important"} | CHOSEN | {"near": str(town["value"])})

    assert rows("SELECT count(*) FROM filters") == [(1,)]


def test_a_filter_is_taken_away(client: TestClient, path: str, rows: Rows) -> None:
    client.post(path, data={"action": "change:2", "wants": "important"} | CHOSEN)

    client.post(path, data={"action": "change:2", "wants": "openings"})

    assert rows("SELECT wants, filter_id, urgent FROM subscriptions WHERE id = 2") == [("openings", None, 0)]


def test_a_study_has_no_filter_and_no_openings(client: TestClient, path: str, rows: Rows) -> None:
    client.post(path, data={"action": "change:1", "wants": "important"} | CHOSEN)
    refused = client.post(path, data={"action": "change:1", "wants": "openings"})

    assert refused.status_code == 422
    assert rows("SELECT wants, filter_id, urgent FROM subscriptions WHERE id = 1") == [("important", None, 1)]


def test_a_wrong_change_is_told_in_its_place_and_changes_nothing(
    client: TestClient, path: str, snapshot: Callable[[], str]
) -> None:
    before = snapshot()

    answer = client.post(path, data={"action": "change:2", "wants": "important"} | CHOSEN | {"near": "Springfield"})

    page = soup(answer.text)
    assert answer.status_code == 422
    assert len(page.select("details.change[open]")) == 1
    assert page.select("details.change[open] [name=near_choice]")
    assert snapshot() == before


@pytest.mark.parametrize("number", ["99", "-1", "x", "", "9" * 30])
def test_somebody_elses_subscription_is_not_changed(
    client: TestClient, path: str, snapshot: Callable[[], str], number: str
) -> None:
    before = snapshot()

    client.post(path, data={"action": f"change:{number}", "wants": "important"} | CHOSEN)

    assert snapshot() == before


def test_what_mails_look_like_is_changed(client: TestClient, path: str, rows: Rows) -> None:
    chosen = {"action": "mails", "country": "AT", "detailed_subjects": "yes", "quiet_notes": "yes"}

    page = soup(client.post(path, data=chosen).text)

    assert rows("SELECT country, detailed_subjects, quiet_notes FROM subscribers") == [("AT", 1, 1)]
    assert page.select_one("#country [selected][value=AT]")
    assert "whoever sees your screen" in page.get_text()


def test_what_mails_look_like_is_changed_back(client: TestClient, path: str, rows: Rows) -> None:
    client.post(path, data={"action": "mails", "country": "AT", "detailed_subjects": "yes", "quiet_notes": "yes"})

    client.post(path, data={"action": "mails", "country": ""})

    assert rows("SELECT country, detailed_subjects, quiet_notes FROM subscribers") == [(None, 0, 0)]


def test_an_unknown_country_is_refused(client: TestClient, path: str) -> None:
    answer = client.post(path, data={"action": "mails", "country": "XX"})

    assert answer.status_code == 422
    assert soup(answer.text).select_one("#country[aria-invalid]")


def test_no_id_stands_twice(client: TestClient, path: str) -> None:
    for where in ("/subscribe", path):
        ids = [one["id"] for one in soup(client.get(where).text).select("[id]")]

        assert len(ids) == len(set(ids))


def test_the_script_calls_what_it_has() -> None:
    script = (static_folder() / "site.js").read_text(encoding="utf-8")

    called = re.findall(r"^(\w+)\(|forEach\((\w+)\);$", script, re.MULTILINE)

    assert called
    assert [name for one in called for name in one if name and f"function {name}(" not in script] == []
