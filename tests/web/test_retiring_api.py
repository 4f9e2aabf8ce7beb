"""Studies that leave the registry, as programs say it and as pages and the API show it."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from notifier.cli import app as command
from notifier.installation import Installation
from tests.web.site import API_KEY, NUMBER, filled_form, ingest, make_record

OTHER = "NCT90000002"
KEY = {"Authorization": f"Bearer {API_KEY}"}
GONE = f"/api/v1/studies/{NUMBER}/gone"


@pytest.fixture
def other(installation: Installation, now: datetime) -> str:
    """The number of a second study."""
    ingest(installation, make_record(OTHER), now=now)
    return OTHER


def test_a_study_is_gone_once(client: TestClient) -> None:
    first, again = client.post(GONE, headers=KEY), client.post(GONE, headers=KEY, json={})

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == {"nct_id": NUMBER, "listing": "gone", "merged_into": None, "changed": True}
    assert again.json()["changed"] is False


def test_only_programs_with_a_key_say_so(client: TestClient) -> None:
    assert client.post(GONE).status_code == 401


@pytest.mark.parametrize("number", ["NCT99999999", "no such number"])
def test_a_number_nobody_holds_is_not_found(client: TestClient, number: str) -> None:
    answer = client.post(f"/api/v1/studies/{number}/gone", headers=KEY)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("wrong", [NUMBER, NUMBER.lower(), "NCT99999999", "<b>", 7])
def test_a_wrong_other_number_is_refused_by_field(client: TestClient, wrong: object) -> None:
    answer = client.post(GONE, headers=KEY, json={"merged_into": wrong})

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["merged_into"]


def test_the_page_and_the_api_say_that_a_study_is_gone(client: TestClient) -> None:
    client.post(GONE, headers=KEY)

    page, study = client.get(f"/studies/{NUMBER}").text, client.get(f"/api/v1/studies/{NUMBER}").json()

    assert "The registry no longer shows this study" in page
    assert "Recruiting: people can join now" not in page
    assert "Not shown by the registry" in client.get("/").text
    assert (study["listing"], study["facts"]["listing"]) == ("gone", "GONE")


def test_a_merged_number_leads_to_the_other_study(client: TestClient, other: str) -> None:
    answer = client.post(GONE, headers=KEY, json={"merged_into": other.lower()})

    page = client.get(f"/studies/{NUMBER.lower()}?lang=de")
    study = client.get(f"/api/v1/studies/{NUMBER}").json()
    assert answer.json() == {"nct_id": NUMBER, "listing": "merged", "merged_into": other, "changed": True}
    assert (page.status_code, page.headers["location"]) == (301, f"/studies/{other}?lang=de")
    assert client.get(f"/studies/{other}").status_code == 200
    assert (study["nct_id"], study["other_numbers"], study["listing"]) == (other, [NUMBER], None)


def test_a_merged_study_is_found_once_under_either_number(client: TestClient, other: str) -> None:
    client.post(GONE, headers=KEY, json={"merged_into": other})

    for words in (NUMBER, other):
        assert client.post("/search", data={"q": words}).headers["location"] == f"/studies/{other}"
    page = client.get("/").text
    assert (f"/studies/{other}" in page, f"/studies/{NUMBER}" in page) == (True, False)


def test_who_asked_for_a_study_before_it_was_merged_confirms_the_other(
    client: TestClient, installation: Installation, other: str, rows: Callable[[str], list[Any]]
) -> None:
    client.post("/subscribe", data=filled_form(condition="", wants="everything"))
    client.post(GONE, headers=KEY, json={"merged_into": other})

    page = client.post(installation.links.confirm(1))

    assert page.status_code == 200
    chosen = "SELECT number FROM trials JOIN subscriptions ON trial_id = trials.id"
    assert rows(chosen) == [(other,)]


def test_the_command_says_what_it_did(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_DATA_DIR", str(installation.settings.data_dir))

    said = CliRunner().invoke(command, ["gone", NUMBER])
    again = CliRunner().invoke(command, ["gone", NUMBER, "--json"])

    assert said.output == f"{NUMBER} counts as gone now. Its readers will be told once.\n"
    assert json.loads(again.output)["changed"] is False
