"""A real application over a real SQLite database, with a study in it, asked through HTTP."""

import shutil
import socket
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from limits.storage import memory

from notifier import queues
from notifier.config import Settings, load_settings
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.emails.mailbox import Mailbox
from notifier.installation import Installation, open_installation
from notifier.store.addresses import read_address
from notifier.subscribing import subscribe_directly
from notifier.web.app import create_app
from tests.web.real_server import running
from tests.web.site import API_KEY, NUMBER, READER, ingest, make_record

with warnings.catch_warnings():
    # Starlette prefers another client by now; this one is what the rest of the tests use.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


@pytest.fixture(autouse=True)
def no_hour_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library counts by the hours of the clock: with a new one, a test would have some requests to spare."""
    moment = time.time()
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: moment))


def settings_in(folder: Path) -> Settings:
    smtp_url = "smtp://127.0.0.1:9?starttls=never"
    return load_settings(data_dir=folder, base_url="http://testserver", api_key=API_KEY, smtp_url=smtp_url)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with keys, a migrated database and one study, to be copied for each test."""
    folder = tmp_path_factory.mktemp("prepared")
    moment = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    opened = open_installation(settings_in(folder), now=moment)
    ingest(opened, make_record(), now=moment)
    opened.close()
    return folder


@pytest.fixture
def installation(prepared: Path, tmp_path: Path, now: datetime) -> Iterator[Installation]:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    settings = settings_in(tmp_path)
    queues.configure(settings)
    opened = open_installation(settings, now=now)
    yield opened
    opened.close()


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path / "mails")


@pytest.fixture
def app(installation: Installation, mailbox: Mailbox, now: datetime) -> FastAPI:
    return create_app(installation, mailbox=mailbox, now=lambda: now)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def subscriber(installation: Installation, now: datetime) -> int:
    """A reader who follows the study and its condition."""
    wish = Wish(trial=NUMBER, condition="Ischemic stroke", cadence=Cadence(cadence="daily", time_zone="Europe/Berlin"))
    with installation.database.writing() as session:
        return subscribe_directly(
            session, keys=installation.keys, address=read_address(READER), wish=wish, how="test", now=now
        )


@pytest.fixture
def rows(installation: Installation) -> Callable[[str], list[Any]]:
    """A function that asks the database and gives its rows."""
    file = str(installation.database.engine.url.database)

    def ask(statement: str) -> list[Any]:
        connection = sqlite3.connect(file)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    return ask


@pytest.fixture
def snapshot(installation: Installation) -> Callable[[], str]:
    """A function that gives everything in the database as text."""
    file = str(installation.database.engine.url.database)

    def dump() -> str:
        connection = sqlite3.connect(file)
        try:
            return "\n".join(connection.iterdump())
        finally:
            connection.close()

    return dump


@pytest.fixture
def served(app: FastAPI) -> Iterator[str]:
    """Where the application answers, on a real port."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listening, running(server, listening):
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
