"""What machines that watch get to see."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from notifier.config import load_settings
from notifier.emails.mailbox import Mailbox, serve_mailbox
from notifier.installation import Installation
from notifier.stopping import pause, resume
from notifier.store.models import Schedule
from notifier.web import probes
from notifier.web.app import create_app
from tests.web.site import NUMBER, READER, filled_form


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are kept as long as a test takes, and none is that of a test before; who is busy has time to answer."""
    monkeypatch.setattr(probes, "_kept", probes._Kept())
    monkeypatch.setattr(probes, "KEPT_SECONDS", 600.0)
    monkeypatch.setattr(probes, "TIMEOUT_SECONDS", 60.0)


def test_a_living_process_says_so(client: TestClient) -> None:
    assert client.get("/healthz").text == "ok\n"


def test_a_mail_server_that_is_down_is_named(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["database"] == "ok"
    assert answer.json()["broker"] == "ok"
    assert answer.json()["mail_server"].startswith("does not answer")


def test_everything_up_is_ready(
    installation: Installation, mailbox: Mailbox, free_port: Callable[[], int], now: datetime
) -> None:
    port = free_port()
    settings = installation.settings.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{port}"})
    opened = type(installation)(settings, installation.database, installation.keys, installation.links)

    with serve_mailbox(mailbox, host="127.0.0.1", port=port):
        answer = TestClient(create_app(opened)).get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "database": "ok", "broker": "ok", "mail_server": "ok"}


def test_many_probes_ask_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Installation] = []

    def look(one: Installation) -> dict[str, str]:
        asked.append(one)
        return {"database": "ok"}

    monkeypatch.setattr(probes, "look", look)

    for _ in range(5):
        client.get("/readyz")

    assert len(asked) == 1


def test_a_slow_server_behind_us_holds_up_one_probe_only(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, goes_on = threading.Event(), threading.Event()

    def look_slowly(_one: Installation) -> dict[str, str]:
        asked.set()
        goes_on.wait(60)
        return {"database": "does not answer"}

    before = client.get("/readyz").json()
    monkeypatch.setattr(probes, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(probes, "look", look_slowly)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(client.get, "/readyz")
        asked.wait(60)
        meanwhile = client.get("/readyz").json()
        goes_on.set()

    assert meanwhile == before
    assert slow.result().json()["database"] == "does not answer"


def test_a_missing_mail_server_is_told_in_a_sentence(installation: Installation) -> None:
    settings = load_settings(data_dir=installation.settings.data_dir)
    opened = type(installation)(settings, installation.database, installation.keys, installation.links)

    assert "Set NOTIFIER_SMTP_URL" in probes.look(opened)["mail_server"]


def test_a_mail_server_whose_name_cannot_be_one_is_told(installation: Installation) -> None:
    settings = installation.settings.model_copy(update={"smtp_url": "smtp://mail..example.org"})
    opened = type(installation)(settings, installation.database, installation.keys, installation.links)

    assert probes.look(opened)["mail_server"] == "does not answer (UnicodeError)"


def test_an_alert_can_tell_that_no_mail_goes_out(client: TestClient, installation: Installation, now: datetime) -> None:
    pause(installation.database, note=None, now=now)
    stopped = client.get("/metrics").text
    resume(installation.database, now=now)

    assert "\nnotifier_sending_stopped 1.0\n" in stopped
    assert "\nnotifier_sending_stopped 0.0\n" in client.get("/metrics").text


def test_an_alert_can_tell_that_nobody_plans(client: TestClient, installation: Installation, now: datetime) -> None:
    with installation.database.writing() as session:
        due = now - timedelta(minutes=20)
        session.add(Schedule(cadence="daily", hour=8, weekday=0, time_zone="UTC", next_due_at=due))

    assert 'notifier_held{what="overdue_seconds"} 1200.0' in client.get("/metrics").text


def test_metrics_count_routes_and_name_nobody(client: TestClient, app: FastAPI) -> None:
    client.get(f"/studies/{NUMBER}")
    client.get("/unsubscribe/secret-token")
    client.get(f"/nothing/{READER}")
    client.post("/subscribe", data=filled_form())

    text = client.get("/metrics").text

    assert 'route="/studies/{nct_id}"' in text
    assert 'notifier_held{what="trials"} 1.0' in text
    for private in ("secret-token", NUMBER, READER, "ischaemic"):
        assert private not in text
