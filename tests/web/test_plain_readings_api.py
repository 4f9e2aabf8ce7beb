"""What an operator says of a study in plain words: kept by the API, shown on its page, with its caveat."""

import pytest
from starlette.testclient import TestClient

from tests.web.site import API_KEY, NUMBER

KEY = {"Authorization": f"Bearer {API_KEY}"}
PATH = f"/api/v1/studies/{NUMBER}/readings/en"
SAID = {"summary": "A made-up medicine is tried out.", "could_go_wrong": "Some people feel sick."}
CAVEAT = "It is not from the registry, and it may be incomplete."


def test_a_reading_is_kept_and_shown_with_its_caveat(client: TestClient) -> None:
    put = client.put(PATH, headers=KEY, json=SAID)

    assert put.status_code == 200
    assert put.json() == client.get(PATH, headers=KEY).json()
    assert put.json() == {
        **SAID,
        "substance": None,
        "could_lead_to": None,
        "nct_id": NUMBER,
        "language": "en",
        "revision": 1,
        "supplied_at": "2026-03-02T09:00:00Z",
    }
    page = client.get(f"/studies/{NUMBER}").text
    assert [words in page for words in (*SAID.values(), "What could go wrong", CAVEAT)] == [True] * 4


def test_the_revision_rises_when_it_says_something_else(client: TestClient) -> None:
    said = [SAID, SAID, {**SAID, "summary": "Another one."}]

    assert [client.put(PATH, headers=KEY, json=one).json()["revision"] for one in said] == [1, 1, 2]


def test_a_withdrawn_reading_is_shown_nowhere(client: TestClient) -> None:
    client.put(PATH, headers=KEY, json=SAID)

    gone = [client.delete(PATH, headers=KEY).status_code for _ in range(2)]

    assert gone == [204, 204]
    assert client.get(PATH, headers=KEY).status_code == 404
    assert CAVEAT not in client.get(f"/studies/{NUMBER}").text


def test_contact_details_never_get_in_and_markup_stays_text(client: TestClient) -> None:
    summary = "Call +44 113 496 0000 or write to nurse@clinic.example. <b>Now</b>\x07\n\nThen wait."

    held = client.put(PATH, headers=KEY, json={"summary": summary}).json()["summary"]

    assert held == "Call •••-•••-•••• or write to •••••@•••••. <b>Now</b>\n\nThen wait."
    assert "&lt;b&gt;Now&lt;/b&gt;" in client.get(f"/studies/{NUMBER}").text


def test_a_page_shows_the_reading_in_its_language_or_the_english_one(client: TestClient) -> None:
    client.put(PATH, headers=KEY, json=SAID)
    german = {"accept-language": "de"}

    assert SAID["summary"] in client.get(f"/studies/{NUMBER}", headers=german).text

    client.put(PATH.replace("/en", "/de-AT"), headers=KEY, json={"summary": "Ein ausgedachtes Mittel."})
    page = client.get(f"/studies/{NUMBER}", headers=german).text
    assert "Ein ausgedachtes Mittel." in page
    assert SAID["summary"] not in page


@pytest.mark.parametrize("method", ["put", "get", "delete"])
def test_only_programs_with_a_key_read_and_write_them(client: TestClient, method: str) -> None:
    assert client.request(method, PATH, json=SAID).status_code == 401


@pytest.mark.parametrize(
    ("path", "said", "status"),
    [
        (PATH, {}, 422),
        (PATH, {"summary": " \x07 "}, 422),
        (PATH, {"summary": "x" * 2_001}, 422),
        (PATH, {**SAID, "substance": "x" * 2_001}, 422),
        (PATH, {**SAID, "opinion": "x"}, 422),
        (PATH.replace("/en", "/xx"), SAID, 422),
        (PATH.replace(NUMBER, "NCT99999999"), SAID, 404),
        (PATH.replace(NUMBER, "no such"), SAID, 404),
    ],
)
def test_what_cannot_be_used_is_refused(client: TestClient, path: str, said: dict[str, str], status: int) -> None:
    answer = client.put(path, headers=KEY, json=said)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
