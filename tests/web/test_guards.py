"""What stands around every request."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from notifier.installation import Installation
from notifier.store.models import Base
from notifier.web.app import create_app
from tests.web.site import API_KEY, NUMBER, filled_form

KEY = {"X-API-Key": API_KEY}


def chunks(size: int) -> Iterator[bytes]:
    """A body whose size nobody declares."""
    for _ in range(size // 1000):
        yield b"x" * 1000


@pytest.fixture
def small(installation: Installation) -> TestClient:
    """A server that takes bodies up to 5,000 bytes."""
    tight = installation.settings.model_copy(update={"max_body_bytes": 5_000})
    opened = type(installation)(tight, installation.database, installation.keys, installation.links)
    return TestClient(create_app(opened))


@pytest.mark.parametrize("body", [b"x" * 6_000, "chunks"], ids=["declared", "chunked"])
@pytest.mark.parametrize("path", ["/api/v1/records", "/api/v1/subscriptions"])
def test_a_body_over_the_limit_is_refused_by_the_api(small: TestClient, body: Any, path: str) -> None:
    content = chunks(6_000) if body == "chunks" else body

    answer = small.post(path, content=content, headers=KEY | {"content-type": "application/json"})

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "5,000 bytes" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"a=" + b"x" * 200_000, "chunks"], ids=["declared", "chunked"])
@pytest.mark.parametrize("path", ["/subscribe", "/unsubscribe/x", "/confirm/x", "/preferences/x"])
def test_a_form_over_the_limit_is_refused_by_the_pages(client: TestClient, body: Any, path: str) -> None:
    content = chunks(200_000) if body == "chunks" else body

    answer = client.post(path, content=content, headers={"content-type": "application/x-www-form-urlencoded"})

    assert answer.status_code == 413
    assert "too large" in answer.text


def test_a_body_at_the_limit_is_read(small: TestClient) -> None:
    assert small.post("/api/v1/records", content=b" " * 5_000, headers=KEY).status_code == 422


@pytest.mark.parametrize(
    "path", ["/", f"/studies/{NUMBER}", "/subscribe", "/nothing", "/confirm/x", "/mailbox", "/api/docs"]
)
def test_every_page_is_guarded_and_sets_no_cookie(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in headers


def test_no_page_carries_inline_script_or_style(client: TestClient) -> None:
    pages = [client.get(path).text for path in ("/", f"/studies/{NUMBER}", "/subscribe", "/mailbox", "/api/docs")]

    assert not [
        page for page in pages if " style=" in page or "<style" in page or "<script>" in page or " onclick" in page
    ]


def test_style_and_script_are_served_and_kept(client: TestClient) -> None:
    for name in ("site.css", "site.js", "icon.svg"):
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/static/../site.css", "/static/%2e%2e/home.html", "/static/nothing", "/static/"])
def test_nothing_else_is_served_from_the_static_folder(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 405)


@pytest.mark.parametrize("path", ["//evil.example/", "/studies//evil.example", "/subscribe/", "/\\evil.example"])
def test_no_path_redirects_anywhere(client: TestClient, path: str) -> None:
    assert client.get(f"http://testserver{path}").status_code in (200, 404)


def test_pages_answer_with_the_methods_they_have(client: TestClient) -> None:
    answer = client.put("/subscribe")

    assert answer.status_code == 405
    assert "<h1>" in answer.text


@pytest.fixture
def broken(app: FastAPI, installation: Installation) -> TestClient:
    """A server whose database lost a table: something that nobody expects."""
    with installation.database.migrating() as connection:
        Base.metadata.drop_all(connection)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["/", "/api/v1/conditions?q=canary.canary@example.org"])
def test_a_lost_table_is_told_without_details(broken: TestClient, caplog: pytest.LogCaptureFixture, path: str) -> None:
    caplog.set_level(logging.DEBUG)

    answer = broken.get(path)

    assert answer.status_code in (500, 503)
    assert "Traceback" not in answer.text
    assert "SELECT" not in answer.text
    assert "canary.canary" not in answer.text


def test_a_database_that_cannot_be_opened_is_told_to_come_back(installation: Installation) -> None:
    client = TestClient(create_app(installation))
    file = Path(str(installation.database.engine.url.database))
    installation.database.close()
    file.rename(file.with_suffix(".gone"))
    file.mkdir()

    page, api = client.get("/"), client.get(f"/api/v1/studies/{NUMBER}")
    form = client.post("/subscribe", data=filled_form())

    assert (page.status_code, api.status_code, form.status_code) == (503, 503, 503)
    assert "Nothing was changed" in form.text
    assert page.headers["retry-after"] == "5"
    assert api.headers["content-type"] == "application/problem+json"


def test_what_nobody_expected_is_a_page_with_a_number(app: FastAPI) -> None:
    @app.get("/explode")
    def explode() -> None:
        raise RuntimeError("secret.canary@example.org")

    answer = TestClient(app).get("/explode")

    assert answer.status_code == 500
    assert "give this number" in answer.text
    assert "canary" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_what_nobody_expected_is_told_to_head_without_a_body(app: FastAPI) -> None:
    @app.get("/explode")
    def explode() -> None:
        raise RuntimeError("boom")

    answer = TestClient(app).head("/explode")

    assert (answer.status_code, answer.content) == (500, b"")


def test_a_file_that_is_not_there_yet_is_not_missed_for_a_year(client: TestClient) -> None:
    assert client.get("/static/nothing.css").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/subscribe", "/nowhere", f"/studies/{NUMBER}", "/api/v1/studies", "/api/v1/conditions"]
)
def test_a_query_in_no_utf8_is_answered(app: FastAPI, path: str) -> None:
    async def behind_another_server(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "query_string": b"q=\xff&condition=\xfe"}, receive, send)

    assert TestClient(behind_another_server).get(path).status_code in (200, 404, 422)
