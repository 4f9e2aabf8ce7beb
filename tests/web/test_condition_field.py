"""Suggestions as one types: posted, accessible, and in no log."""

import logging

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient


def test_what_may_be_meant_is_offered_with_how_many_studies(client: TestClient) -> None:
    page = BeautifulSoup(client.post("/subscribe/suggestions", data={"q": "ischemic strok"}).text, "html.parser")

    offer = page.select("li")[0]
    assert offer["data-name"] == "Ischemic Stroke"
    assert "1 study" in offer.text
    assert "suggestion" in page.select_one("p").text  # type: ignore[union-attr]


@pytest.mark.parametrize("typed", ["", "qqqqq", "<b>", "x" * 2000, "%_"])
def test_nothing_near_is_said_so(client: TestClient, typed: str) -> None:
    answer = client.post("/subscribe/suggestions", data={"q": typed})

    assert answer.status_code == 200
    assert "No suggestions." in answer.text


def test_what_is_typed_is_kept_nowhere(
    client: TestClient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    answer = client.post("/subscribe/suggestions", data={"q": "ischemic"})

    assert answer.headers["cache-control"] == "no-store"
    assert "ischemic" not in caplog.text + "".join(capsys.readouterr())


def test_other_sites_are_refused(client: TestClient) -> None:
    sent = client.post("/subscribe/suggestions", data={"q": "stroke"}, headers={"origin": "https://elsewhere.example"})

    assert sent.status_code == 403


def test_the_field_works_without_scripts_and_says_where_suggestions_come_from(client: TestClient) -> None:
    page = BeautifulSoup(client.get("/").text, "html.parser")

    assert page.select_one("#condition[data-suggest='/subscribe/suggestions']")
    assert not page.select_one("[role=combobox]")
