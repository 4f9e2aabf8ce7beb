"""What the first visitors would wait for is made before they come."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jinja2 import Environment

from notifier.web import page_rendering
from notifier.web.warming import warm


@pytest.mark.slow
def test_no_template_is_compiled_for_a_visitor(
    app: FastAPI, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_rendering._environment.cache_clear()
    warm(app.state.surroundings)
    compiled: list[str | None] = []
    compiling = Environment.compile

    def note(self: Environment, source: Any, name: str | None = None, *rest: Any, **named: Any) -> Any:
        compiled.append(name)
        return compiling(self, source, name, *rest, **named)

    monkeypatch.setattr(Environment, "compile", note)
    for path in ("/", "/subscribe", "/subscribe?lang=de", "/privacy", "/search"):
        assert client.get(path).status_code == 200

    assert compiled == []


@pytest.mark.slow
def test_an_absent_database_keeps_nobody_from_serving(app: FastAPI) -> None:
    here = app.state.surroundings
    here.installation.database.engine.dispose()
    here.installation.settings.data_dir.joinpath("notifier.db").unlink()

    warm(here)
