"""Everything in one process: what keeps it from starting is one sentence, and stopping it is quick."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from notifier.config import load_settings
from notifier.embedded import serve, settle
from notifier.errors import ConfigurationError
from tests.servers import free_port
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.topologies import COMMAND, environment_of, run, wait_until


@contextmanager
def _up(folder: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """``notifier up``, ready."""
    port = free_port()
    given = {f"NOTIFIER_{name}": value for name, value in settings.items()}
    environment = environment_of({"NOTIFIER_PORT": str(port), **given})
    with (folder / "up.log").open("wb") as log:
        service = subprocess.Popen([*COMMAND, "up"], cwd=folder, env=environment, stderr=log)
    try:
        wait_until(lambda: _answers(port), what="the pages")
        yield service
    finally:
        service.kill()
        service.wait(10)


def _have_a_mail_due(folder: Path) -> None:
    file = folder / "records.json"
    file.write_text(json.dumps([make_study(1)]))
    run(folder, {}, "ingest", str(file))
    run(folder, {}, "subscribe", "ada@example.org", "--trial", "NCT90000001", "--cadence", "instant")
    file.write_text(json.dumps([make_study(1, enrollment=120)]))
    run(folder, {}, "ingest", str(file))


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _stop(service: subprocess.Popen[bytes]) -> float:
    """Interrupt it; the seconds it took to end."""
    began = time.monotonic()
    service.send_signal(signal.SIGINT)
    assert service.wait(60) == 0
    return time.monotonic() - began


def test_it_stops_within_moments(tmp_path: Path) -> None:
    with _up(tmp_path) as service:
        time.sleep(1)
        seconds = _stop(service)

    assert seconds < 3
    assert "Traceback" not in (tmp_path / "up.log").read_text()


@pytest.mark.slow
def test_it_stops_although_the_mail_server_hangs(tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.hang_at = "message"
    _have_a_mail_due(tmp_path)
    with _up(tmp_path, SMTP_URL=f"smtp://127.0.0.1:{mailbox.port}?starttls=never") as service:
        wait_until(lambda: bool(mailbox.accepted), what="a mail under way")
        seconds = _stop(service)

    assert seconds < 15
    assert "Traceback" not in (tmp_path / "up.log").read_text()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        settings = load_settings(data_dir=tmp_path, bind=host, port=taken.getsockname()[1])

        with pytest.raises(ConfigurationError, match="is taken"):
            settle(settings)


def test_a_mailbox_that_cannot_be_kept_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mailbox").write_text("not a folder")

    with pytest.raises(ConfigurationError, match="mailbox cannot be started"):
        serve(load_settings(data_dir=tmp_path, port=free_port()), announce=lambda *_: None)


def test_an_address_of_another_machine_is_one_sentence(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, bind="192.0.2.1", port=free_port())

    with pytest.raises(ConfigurationError, match=r"NOTIFIER_BIND 192\.0\.2\.1"):
        settle(settings)
