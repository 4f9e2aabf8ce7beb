"""The form on other sites' pages: shown in frames of listed sites only, and plain forms lead to ours."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from notifier.installation import Installation
from notifier.web.app import create_app
from tests.web.site import NUMBER, READER, filled_form, hidden_fields

Rows = Callable[[str], list[Any]]
CLINIC = "https://clinic.example.org"


@pytest.fixture
def listing(installation: Installation, now: datetime) -> Iterator[TestClient]:
    """A server that lists two sites; a minute passes between each page and the next."""
    settings = installation.settings.model_copy(
        update={"sites": f"clinic={CLINIC},trials=https://trials.example.org:8443"}
    )
    opened = type(installation)(settings, installation.database, installation.keys, installation.links)
    moments = (now + timedelta(seconds=30 * step) for step in range(1_000))
    with TestClient(create_app(opened, now=lambda: next(moments))) as client:
        yield client


@pytest.fixture
def closed(installation: Installation) -> TestClient:
    """A server in production that lists no site."""
    settings = installation.settings.model_copy(update={"database_url": "postgresql+psycopg://elsewhere"})
    return TestClient(
        create_app(type(installation)(settings, installation.database, installation.keys, installation.links))
    )


def test_only_listed_sites_may_frame_the_form(listing: TestClient) -> None:
    headers = listing.get("/embed", params={"study": NUMBER}).headers

    assert f"frame-ancestors {CLINIC} https://trials.example.org:8443" in headers["content-security-policy"]
    assert "x-frame-options" not in headers
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers


def test_no_other_page_may_be_framed(listing: TestClient) -> None:
    for path in ("/", "/subscribe", f"/studies/{NUMBER}", "/embed/", "/embed.js"):
        headers = listing.get(path).headers
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_the_script_may_be_loaded_from_everywhere_and_nothing_else(listing: TestClient) -> None:
    answer = listing.get("/embed.js")

    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert listing.get("/embed").headers["cross-origin-resource-policy"] == "same-origin"
    assert "Hear about studies" in answer.text
    assert '"de": {' in answer.text


def test_without_sites_there_is_nothing_to_embed(closed: TestClient) -> None:
    assert closed.get("/embed").status_code == 404
    assert closed.get("/embed.js").status_code == 404
    assert closed.get("/embed").headers["x-frame-options"] == "DENY"


def test_the_embedded_form_knows_the_study(listing: TestClient) -> None:
    page = BeautifulSoup(listing.get("/embed", params={"study": NUMBER}).text, "html.parser")

    assert page.select_one(f"[name=trial][value='{NUMBER}']")
    assert page.select_one("[name=follow_trial][checked]")
    assert "Walking after" in page.get_text()


def test_the_embedded_form_is_answered_in_the_frame_and_says_where_they_agreed(listing: TestClient, rows: Rows) -> None:
    form = filled_form(follow_trial="yes") | hidden_fields(listing, f"/embed?study={NUMBER}&origin={CLINIC}")

    answer = listing.post(f"/embed?origin={CLINIC}", data=form, headers={"origin": "http://testserver"})

    assert "Now check your mailbox" in answer.text
    assert "folder for spam" in answer.text
    assert f'data-parent="{CLINIC}"' in answer.text
    assert rows("SELECT site FROM pending_requests") == [("clinic",)]


@pytest.mark.parametrize(
    ("query", "site"),
    [
        ("site=trials", "trials"),
        ("site=made-up", "embedded"),
        ("origin=https://evil.example", "embedded"),
        (f"site=trials&origin={CLINIC}", "trials"),
    ],
)
def test_only_a_listed_label_is_kept(listing: TestClient, rows: Rows, query: str, site: str) -> None:
    token = hidden_fields(listing, f"/embed?{query}")

    listing.post("/embed", data=filled_form() | token)

    assert rows("SELECT site FROM pending_requests") == [(site,)]


def test_only_a_listed_page_is_told_the_height(listing: TestClient) -> None:
    assert 'data-parent=""' in listing.get("/embed", params={"origin": "https://evil.example"}).text
    assert f'data-parent="{CLINIC}"' in listing.get("/embed", params={"origin": CLINIC}).text


def test_errors_are_told_in_the_frame_with_everything_kept(listing: TestClient) -> None:
    token = hidden_fields(listing, "/embed?condition=Ischemic stroke")

    answer = listing.post("/embed", data=filled_form(email="nobody", consent="") | token)

    assert answer.status_code == 422
    assert 'value="nobody"' in answer.text
    assert "does not look like an e-mail address" in answer.text


def test_a_frame_that_is_not_ours_cannot_send_the_form(listing: TestClient) -> None:
    assert listing.post("/embed", data=filled_form(), headers={"origin": CLINIC}).status_code == 403


def test_a_plain_form_of_a_listed_site_leads_to_ours_where_they_agree(listing: TestClient, rows: Rows) -> None:
    class FromTheClinic:
        def get(self, path: str) -> Any:
            return listing.post(path, data=filled_form(), headers={"origin": CLINIC, "sec-fetch-site": "cross-site"})

    shown = FromTheClinic().get("/subscribe")
    page = BeautifulSoup(shown.text, "html.parser")

    assert shown.status_code == 200
    assert page.select_one(f"[name=email][value='{READER}']")
    assert not page.select("[name^=consent][checked]")
    assert rows("SELECT count(*) FROM pending_requests") == [(0,)]

    listing.post("/subscribe", data=filled_form() | hidden_fields(FromTheClinic()))  # type: ignore[arg-type]
    assert rows("SELECT site FROM pending_requests") == [("clinic",)]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://clinic.example.org", "null"])
def test_a_plain_form_of_any_other_site_is_refused(listing: TestClient, origin: str) -> None:
    assert listing.post("/subscribe", data=filled_form(), headers={"origin": origin}).status_code == 403


def test_a_listed_site_can_do_nothing_but_show_the_form(listing: TestClient) -> None:
    for path in ("/subscribe/suggestions", "/preferences/x", "/unsubscribe/x", "/confirm/x"):
        assert listing.post(path, data={"q": "a"}, headers={"origin": CLINIC}).status_code in (403, 404)


def test_what_a_frame_is_made_for_is_shown_as_text(listing: TestClient) -> None:
    text = listing.get("/embed", params={"condition": '"><script>alert(1)</script>', "study": "<b>x"}).text

    assert "<script>alert" not in text
    assert "<b>x" not in text
