"""Pages speak the language their address asks for, the reader's own, or the browser's."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from notifier.installation import Installation
from tests.web.site import API_KEY, NUMBER, READER, filled_form

Rows = Callable[[str], list[Any]]
GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
KEY = {"x-api-key": API_KEY}
PAGES = ("/", f"/studies/{NUMBER}", "/subscribe", "/mailbox", "/studies/NCT00000000")


def spoken_by(html: str) -> str:
    page = BeautifulSoup(html, "html.parser").html
    assert page is not None
    return str(page["lang"])


@pytest.fixture
def confirm_path(client: TestClient, installation: Installation, rows: Rows) -> str:
    """The link of a request that a German page sent."""
    client.post("/subscribe?lang=de", data=filled_form(language="de"))
    (request_id,) = rows("SELECT id FROM pending_requests")[0]
    return installation.links.confirm(request_id).removeprefix("http://testserver")


@pytest.fixture
def preferences_path(installation: Installation, subscriber: int, now: datetime) -> str:
    return installation.links.preferences(subscriber, now=now).removeprefix("http://testserver")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_speaks_the_language_of_the_browser(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=GERMAN)

    assert spoken_by(answer.text) == answer.headers["content-language"] == "de"
    assert answer.headers["vary"] == "Accept-Language"
    assert "Nur zur Information." in answer.text
    assert spoken_by(client.get(path).text) == "en"


def test_the_address_wins_over_the_browser_and_keeps_its_language_in_links(client: TestClient) -> None:
    page = BeautifulSoup(client.get("/?lang=en", headers=GERMAN).text, "html.parser")
    paths = [str(link["href"]) for link in page.find_all("a")]

    assert spoken_by(str(page)) == "en"
    assert {"/?lang=en", "/search?lang=en", f"/studies/{NUMBER}?lang=en", "?lang=de"} <= set(paths)
    assert page.find("form", action="/subscribe?lang=en") is not None
    assert page.find("form", action="/search?lang=en") is not None


def test_a_page_that_is_not_there_repeats_nothing_of_its_address(client: TestClient) -> None:
    answer = client.get("/reader.canary@example.org?q=reader.canary@example.org")

    assert answer.status_code == 404
    assert "canary" not in answer.text


def test_a_language_nobody_knows_in_the_address_is_passed_over(client: TestClient) -> None:
    assert spoken_by(client.get("/?lang=xx", headers=GERMAN).text) == "de"
    assert "lang=xx" not in client.get(f"/studies/{NUMBER}?lang=xx").text


def test_a_page_never_writes_what_the_address_says_as_markup(client: TestClient) -> None:
    assert "<script>alert" not in client.get('/?lang="><script>alert(1)</script>&q=%22><script>alert(2)').text


def test_a_study_is_told_in_german(client: TestClient) -> None:
    text = client.get(f"/studies/{NUMBER}", headers=GERMAN).text

    assert "Auf einen Blick" in text
    assert "Sucht Teilnehmende" in text
    assert ">Status<" not in text
    assert "Walking after &lt;b&gt;stroke&lt;/b&gt;" in text


def test_errors_are_told_in_german(client: TestClient) -> None:
    form = filled_form(email="nobody", consent="", trial="NCT00000000", cadence="hourly")

    text = client.post("/subscribe", data=form, headers=GERMAN).text

    assert "Das sieht nicht aus wie eine E-Mail-Adresse." in text
    assert "Setzen Sie hier ein Häkchen" in text
    assert "Diese Studie ist hier nicht aufgeführt." in text
    assert "Für „wie oft“ gibt es nur" in text


@pytest.mark.parametrize(("sent", "kept"), [({"language": "de"}, "de"), ({"language": "DE_at"}, "de"), ({}, "de")])
def test_the_forms_language_is_kept(client: TestClient, rows: Rows, sent: dict[str, str], kept: str) -> None:
    client.post("/subscribe", data=filled_form(**sent), headers=GERMAN)

    assert rows("SELECT language FROM pending_requests") == [(kept,)]


def test_a_form_in_a_language_nobody_knows_is_refused(client: TestClient, rows: Rows) -> None:
    answer = client.post("/subscribe", data=filled_form(language="tlh"))

    assert answer.status_code == 422
    assert "The language must be one of: en, de." in answer.text
    assert rows("SELECT id FROM pending_requests") == []


def test_confirming_speaks_the_language_of_the_form_and_the_reader_keeps_it(
    client: TestClient, confirm_path: str, rows: Rows
) -> None:
    assert "Möchten Sie das?" in client.get(confirm_path).text
    assert "Is this what you want?" in client.get(f"{confirm_path}?lang=en").text

    assert "Sie sind angemeldet" in client.post(confirm_path).text
    assert rows("SELECT language FROM subscribers") == [("de",)]


def test_the_language_of_the_mails_can_be_changed(client: TestClient, preferences_path: str, rows: Rows) -> None:
    assert "Language of the mails" in client.get(preferences_path, headers=GERMAN).text

    answer = client.post(preferences_path, data={"action": "language", "language": "de"})

    assert "Ihre Auswahl ist gespeichert." in answer.text
    assert rows("SELECT language FROM subscribers") == [("de",)]


def test_a_language_nobody_knows_changes_nothing(client: TestClient, preferences_path: str, rows: Rows) -> None:
    answer = client.post(preferences_path, data={"action": "language", "language": "tlh"})

    assert answer.status_code == 422
    assert "The language must be one of: en, de." in answer.text
    assert rows("SELECT language FROM subscribers") == [("en",)]


def test_leaving_speaks_the_readers_language(
    client: TestClient, installation: Installation, subscriber: int, preferences_path: str
) -> None:
    client.post(preferences_path, data={"action": "language", "language": "de"})
    path = installation.links.end_all(subscriber).removeprefix("http://testserver")

    assert "Alle E-Mails beenden" in client.get(path).text
    assert "Erledigt" in client.post(path, data={"what": "everything"}).text


def test_a_program_names_a_language_or_is_told_which_there_are(client: TestClient, rows: Rows) -> None:
    asked = {"email": READER, "condition": "Ischemic Stroke", "consent": "vouched"}

    assert client.post("/api/v1/subscriptions", json=asked | {"language": "de-CH"}, headers=KEY).status_code == 201
    refused = client.post("/api/v1/subscriptions", json=asked | {"language": "fr"}, headers=KEY)

    assert rows("SELECT language FROM subscribers") == [("de",)]
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"field": "language", "message": "The language must be one of: en, de."}]


def test_programs_are_answered_in_english(client: TestClient) -> None:
    answer = client.get("/api/v1/studies/NCT00000000", headers=GERMAN)

    assert answer.json()["detail"].startswith("This study is not among those listed here.")
    assert spoken_by(client.get("/api/docs", headers=GERMAN).text) == "en"
