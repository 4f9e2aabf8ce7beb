"""The first screen, the search and the page of a study."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import event
from starlette.testclient import TestClient

from notifier.installation import Installation
from notifier.web.app import create_app
from tests.web.site import NUMBER, ingest, make_record

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def text_of(client: TestClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(BeautifulSoup(answer.text, "html.parser").get_text(" ").split())


def test_the_first_screen_offers_the_form_and_the_studies(client: TestClient) -> None:
    page = BeautifulSoup(client.get("/").text, "html.parser")

    names = {field.get("name") for field in page.select("form[action='/subscribe'] [name]")}

    assert {"email", "trial", "condition", "wants", "cadence", "hour", "weekday", "time_zone", "consent"} <= names
    assert page.select_one(f"a[href='/studies/{NUMBER}']")


def test_a_newcomer_is_told_what_to_do_next(client: TestClient) -> None:
    text = text_of(client, "/")

    assert "Try it" in text
    assert "notifier ingest" in text
    assert "mailbox" in text


def test_without_the_embedded_mailbox_nothing_speaks_of_it(installation: Installation) -> None:
    client = TestClient(create_app(installation))

    assert "Try it" not in client.get("/").text
    assert client.get("/mailbox").status_code == 404


def test_a_study_page_shows_what_matters(client: TestClient) -> None:
    text = text_of(client, f"/studies/{NUMBER}")

    for part in ("Walking after <b>stroke</b>", "Recruiting People can join now.", "RECRUITING", "Phase 2", "Beijing"):
        assert part in text
    assert "ACUTE ISCHEMIC STROKE" in text
    assert "Ischemic Stroke" in text


def test_contacts_are_masked_on_the_page(client: TestClient) -> None:
    page = client.get(f"/studies/{NUMBER}").text

    assert "•••-•••-••••" in page
    assert "•••••@•••••" in page
    assert "Byron" not in page
    assert "555" not in page


def test_a_study_never_updated_has_no_counter(client: TestClient) -> None:
    assert "seen since then" not in text_of(client, f"/studies/{NUMBER}")


def test_a_change_appears_in_the_timeline(client: TestClient, installation: Installation, now: datetime) -> None:
    later = {
        "overallStatus": "TERMINATED",
        "whyStopped": "Too few people",
        "lastUpdatePostDateStruct": {"date": "2026-02-20"},
    }
    ingest(installation, make_record(statusModule=later), now=now)

    text = text_of(client, f"/studies/{NUMBER}")

    assert "1 change seen since then" in text
    assert "Too few people" in text
    assert "Before: Recruiting" in text
    assert "First seen here." in text


def test_a_study_is_found_in_lower_case_too(client: TestClient) -> None:
    assert client.get(f"/studies/{NUMBER.lower()}").status_code == 200


@pytest.mark.parametrize(
    "number", ["NCT00000000", "nonsense", "a%00b", "%3Cscript%3E", "x" * 400, "NCT9000000%E2%81%B1"]
)
def test_a_study_that_is_not_held_gets_a_clear_page(client: TestClient, number: str) -> None:
    answer = client.get(f"/studies/{number}")

    assert answer.status_code == 404
    assert "not among those listed here" in answer.text
    assert "<script>" not in answer.text


def test_the_stroke_study_offers_two_intents_in_one_form(
    client: TestClient, installation: Installation, now: datetime
) -> None:
    for version in ("first", "second"):
        ingest(installation, json.loads((FIXTURES / f"NCT07635758.{version}.json").read_text()), now=now)

    page = BeautifulSoup(client.get("/studies/NCT07635758").text, "html.parser")

    form = page.select_one("form[action='/subscribe']")
    assert form is not None
    assert form.select_one("[name=follow_trial][checked]")
    assert form.select_one("[name=follow_condition]")
    assert "1 change seen since then" in page.get_text()
    assert "Beijing" in page.get_text()


def test_an_observational_study_has_no_phase(client: TestClient, installation: Installation, now: datetime) -> None:
    ingest(installation, json.loads((FIXTURES / "NCT07400458.json").read_text()), now=now)

    text = text_of(client, "/studies/NCT07400458")
    about, _, _form = text.partition("Tell me")

    assert "Observational" in text
    assert "Phase" not in about
    assert "Phone: •••-•••-••••" in text
    assert "seen since then" not in text


def test_a_completed_study_says_so_in_plain_words(
    client: TestClient, installation: Installation, now: datetime
) -> None:
    ingest(installation, json.loads((FIXTURES / "NCT04325594.json").read_text()), now=now)

    text = text_of(client, "/studies/NCT04325594")

    assert "Completed The study has ended in the normal way." in text
    assert "Phase 1 and 2" in text or "Phase 1, 2" in text or "Phase 1/2" in text
    assert "18 years and older" in text


def test_a_place_is_not_called_open_where_the_study_is_over(
    client: TestClient, installation: Installation, now: datetime
) -> None:
    places = {"locations": [{"facility": "Made-up Clinic", "city": "Leeds", "status": "RECRUITING"}]}
    over = {"overallStatus": "COMPLETED", "lastUpdatePostDateStruct": {"date": "2026-02-20"}}
    ingest(installation, make_record(statusModule=over, contactsLocationsModule=places), now=now)

    _, _, where = text_of(client, f"/studies/{NUMBER}").partition("Where ")
    facts = client.get(f"/api/v1/studies/{NUMBER}").json()["facts"]

    assert where.startswith("Made-up Clinic Leeds ")
    assert not where.startswith("Made-up Clinic Leeds Recruiting")
    assert facts["sites"][0]["status"] == "RECRUITING"


def test_sites_are_grouped_by_country_and_many_are_folded(
    client: TestClient, installation: Installation, now: datetime
) -> None:
    def places(number: int) -> dict[str, Any]:
        names = ("Spain", "Germany", "Germany")
        each = [{"facility": f"Clinic {at}", "country": names[at % 3], "status": "RECRUITING"} for at in range(number)]
        return make_record(f"NCT9000{number:04d}", contactsLocationsModule={"locations": each})

    ingest(installation, places(3), places(30), now=now)
    few, many = (BeautifulSoup(client.get(f"/studies/NCT9000{at:04d}").text, "html.parser") for at in (3, 30))

    assert [one.get_text() for one in few.select("#where ~ h3")] == ["Germany", "Spain"]
    folded = [" ".join(one.get_text().split()) for one in many.select(".country > summary")]
    assert folded == ["Germany 20 sites · 20 open", "Spain 10 sites · 10 open"]
    assert len(many.select(".country .sites > li")) == 30


def test_conditions_are_told_apart_as_known_and_as_listed(client: TestClient) -> None:
    page = BeautifulSoup(client.get(f"/studies/{NUMBER}").text, "html.parser")

    heads, names = page.select("#who ~ .glance > div:has(li) > dt"), page.select("#who ~ .glance li")
    assert [one.get_text() for one in heads] == ["Condition", "As listed"]
    assert [one.get_text() for one in names] == ["Ischemic Stroke", "ACUTE ISCHEMIC STROKE"]


def test_a_long_history_is_folded_and_says_what_is_important(
    client: TestClient, installation: Installation, now: datetime
) -> None:
    for day in range(1, 10):
        status = "RECRUITING" if day % 2 else "SUSPENDED"
        module = {"overallStatus": status, "lastUpdatePostDateStruct": {"date": f"2026-02-1{day}"}}
        ingest(installation, make_record(statusModule=module), now=now)

    page = BeautifulSoup(client.get(f"/studies/{NUMBER}").text, "html.parser")

    assert "Updated 8 times since we first saw it" in page.get_text()
    assert len(page.select("#changes ~ .timeline > li")) == 6
    assert len(page.select("#changes ~ details .timeline > li")) == 3
    assert page.select_one(".timeline .weight.heavy")


def test_the_form_is_one_press_away_on_a_phone(client: TestClient) -> None:
    page = BeautifulSoup(client.get(f"/studies/{NUMBER}").text, "html.parser")

    link = page.select_one(".hero .jump a")
    assert link is not None
    assert page.select_one(f"{link['href']} ~ form[action='/subscribe']")


@pytest.mark.parametrize("path", ["/", "/search", "/subscribe", f"/studies/{NUMBER}", "/studies/NCT00000000"])
def test_no_link_tells_another_site_where_somebody_was(client: TestClient, path: str) -> None:
    page = BeautifulSoup(client.get(path).text, "html.parser")

    outside = [link for link in page.select("a[href^=http]") if "noreferrer" not in (link.get("rel") or [])]
    assert outside == []


def test_hundreds_of_sites_cost_no_more_questions(
    client: TestClient, installation: Installation, now: datetime
) -> None:
    sites = [{"facility": f"Clinic {at}", "city": f"Town {at}", "country": "Spain"} for at in range(500)]
    ingest(installation, make_record("NCT90000500", contactsLocationsModule={"locations": sites}), now=now)
    asked: list[str] = []
    event.listen(installation.database.engine, "before_cursor_execute", lambda *values: asked.append(values[2]))

    assert client.get("/studies/NCT90000500").status_code == 200
    assert len(asked) <= 10
