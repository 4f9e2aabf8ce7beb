"""The search over conditions and studies: posted, in two groups, straight to a study by its number."""

from datetime import datetime

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from notifier.installation import Installation
from tests.web.site import NUMBER, ingest, make_record


def found(client: TestClient, words: str) -> BeautifulSoup:
    answer = client.post("/search", data={"q": words})
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


@pytest.mark.parametrize("words", ["Walking", "walk", "after walking", "ischaemic stroke", " stroke ", "ACUTE stroke"])
def test_studies_are_found_by_words_and_condition(client: TestClient, words: str) -> None:
    assert found(client, words).select_one(f"main a[href='/studies/{NUMBER}']")


def test_conditions_are_found_beside_studies(client: TestClient) -> None:
    page = found(client, "stroke")

    assert page.select("[aria-labelledby=conditions] a[href^='/conditions/']")


@pytest.mark.parametrize("number", [NUMBER, NUMBER.lower(), f" {NUMBER} ", "NCT 9000 0001"])
def test_a_study_number_leads_straight_to_the_study(client: TestClient, number: str) -> None:
    for answer in (client.post("/search", data={"q": number}), client.get("/", params={"q": number})):
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/studies/{NUMBER}"


@pytest.mark.parametrize(
    "words", ["nothing like this", "%", "_", "'; DROP TABLE trials", "x" * 1999, "{{7*7}}", "\u202estroke\u202c\u200b"]
)
def test_odd_words_are_no_trouble(client: TestClient, words: str) -> None:
    for answer in (client.post("/search", data={"q": words}), client.get("/", params={"q": words})):
        assert answer.status_code == 200
        assert "49" not in BeautifulSoup(answer.text, "html.parser").get_text()


def test_who_finds_nothing_is_told_what_may_help(client: TestClient) -> None:
    text = found(client, "zzyzx").get_text()

    assert "Nothing was found for “zzyzx”" in text
    assert "Use fewer words" in text


def test_links_with_words_in_them_keep_working(client: TestClient) -> None:
    assert f"/studies/{NUMBER}" in client.get("/", params={"q": "Walking"}).text


def test_what_is_searched_for_stands_in_no_address(client: TestClient) -> None:
    page = found(client, "Walking")

    assert page.select_one("form[role=search][method=post]")
    assert not page.select("[href*=alking], [action*=alking]")


def test_results_may_be_gone_back_to_and_are_not_for_others(client: TestClient) -> None:
    held = client.post("/search", data={"q": "Walking"}).headers

    assert held["cache-control"] == "private, no-cache"
    assert "noindex" in held["x-robots-tag"]


def test_a_search_for_nothing_shows_the_search(client: TestClient) -> None:
    for answer in (client.get("/search"), client.post("/search", data={"q": " \x00 "}), client.post("/search")):
        assert answer.status_code == 200
        assert BeautifulSoup(answer.text, "html.parser").select_one("form[action='/search'] #q")


def test_another_site_cannot_search_in_our_name(client: TestClient) -> None:
    answer = client.post("/search", data={"q": "stroke"}, headers={"origin": "https://elsewhere.example"})

    assert answer.status_code == 403


def test_the_language_is_kept_on_the_way_to_a_study(client: TestClient) -> None:
    answer = client.post("/search?lang=de", data={"q": NUMBER})

    assert answer.headers["location"] == f"/studies/{NUMBER}?lang=de"


def test_a_study_says_where_it_is(client: TestClient, installation: Installation, now: datetime) -> None:
    countries = ("France", "Germany", "Spain", "Italy", "Japan")
    places = [{"facility": "Clinic", "city": "Town", "country": name, "status": "RECRUITING"} for name in countries]
    ingest(installation, make_record("NCT90000002", contactsLocationsModule={"locations": places}), now=now)

    item = found(client, "walking").select_one("li:has(a[href='/studies/NCT90000002'])")

    assert item is not None
    assert "France, Germany, Italy and 2 more countries" in item.get_text()
