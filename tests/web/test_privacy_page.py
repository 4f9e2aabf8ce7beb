"""The privacy page: what the retention table says, in words for readers, in both languages."""

import re

import pytest
from fastapi.testclient import TestClient

from notifier.domain.retention import KINDS, SETTLED
from notifier.installation import Installation

pytestmark = pytest.mark.rules


def words_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_page_says_all_that_is_kept(client: TestClient) -> None:
    said = words_of(client.get("/privacy").text).replace("&#39;", "'")

    assert [kind.name for kind in KINDS if kind.what not in said] == []
    assert f"{SETTLED.days} days. A note that you were told" in said
    assert "%(" not in said


def test_the_page_names_who_is_responsible(client: TestClient, installation: Installation) -> None:
    said = client.get("/privacy").text

    assert installation.settings.site_name in said
    assert installation.settings.postal_address in said


def test_the_page_is_there_in_german_and_sets_no_cookie(client: TestClient) -> None:
    answer = client.get("/privacy", params={"lang": "de"})

    assert answer.headers["content-language"] == "de"
    assert "180 Tage" in words_of(answer.text)
    assert "set-cookie" not in answer.headers
