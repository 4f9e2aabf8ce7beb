"""Everything in one process: what keeps it from starting is one sentence, and stopping it is quick."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from notifier.config import load_settings
from notifier.embedded import serve, settle
from notifier.errors import ConfigurationError
from tests.servers import choose_ports, free_port
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.topologies import COMMAND, environment_of, run, wait_until

MOST_SECONDS = 60


@contextmanager
def _up(folder: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """``notifier up``, ready."""
    port = choose_ports(folder / "var")
    given = {f"NOTIFIER_{name}": value for name, value in settings.items()}
    environment = environment_of(given)
    with (folder / "up.log").open("wb") as log:
        service = subprocess.Popen([*COMMAND, "up"], cwd=folder, env=environment, stderr=log)
    try:
        wait_until(lambda: _answers(port), what="the pages")
        yield service
    finally:
        service.kill()
        service.wait(MOST_SECONDS)


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
    assert service.wait(MOST_SECONDS) == 0
    return time.monotonic() - began


def _seconds_to_stop(folder: Path) -> float:
    """Of a service that has done what there was to do."""
    folder.mkdir()
    with _up(folder) as service:
        wait_until(lambda: any((folder / "var" / "mailbox").glob("*.eml")), what="the mails to the sample readers")
        seconds = _stop(service)
    assert "Traceback" not in (folder / "up.log").read_text()
    return seconds


def test_it_stops_within_moments(tmp_path: Path) -> None:
    # A busy machine may be slow once; what waits for something (a minute is given) is slow each time.
    assert any(_seconds_to_stop(tmp_path / str(number)) < 3 for number in range(5))


def test_it_says_at_its_start_that_no_mail_goes_out(tmp_path: Path) -> None:
    run(tmp_path, {}, "pause", "--note", "the relay moves")
    told = tmp_path / "up.log"
    with _up(tmp_path) as service:
        wait_until(lambda: "Ctrl-C" in told.read_text(), what="the announcement")
        _stop(service)

    assert "its digest waits until mails go out." in told.read_text()
    assert "(paused by notifier pause: the relay moves). To go on: notifier resume" in told.read_text()


@pytest.mark.slow
def test_it_stops_although_the_mail_server_hangs(tmp_path: Path, mailbox: Mailbox) -> None:
    mailbox.hang_at = "message"
    _have_a_mail_due(tmp_path)
    with _up(tmp_path, SMTP_URL=f"smtp://127.0.0.1:{mailbox.port}?starttls=never") as service:
        wait_until(lambda: bool(mailbox.accepted), what="a mail under way")
        # It is given a minute, and the mail server hangs for an hour.
        _stop(service)

    assert "Traceback" not in (tmp_path / "up.log").read_text()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        settings = load_settings(data_dir=tmp_path, bind=host, port=taken.getsockname()[1])

        with pytest.raises(ConfigurationError, match="is taken"):
            settle(settings)


def test_a_taken_port_of_the_mailbox_is_said_to_be_one_that_may_change(tmp_path: Path) -> None:
    choose_ports(tmp_path)
    port = json.loads((tmp_path / "ports.json").read_text())["smtp"]

    with (
        socket.create_server(("127.0.0.1", int(port))),
        pytest.raises(ConfigurationError, match=rf"Port {port} is taken.*delete .*ports\.json"),
    ):
        settle(load_settings(data_dir=tmp_path))


def test_ports_that_are_taken_are_passed_over_for_the_next(tmp_path: Path) -> None:
    with ExitStack() as held:
        with suppress(OSError):
            held.enter_context(socket.create_server(("127.0.0.1", 2525)))
        settle(load_settings(data_dir=tmp_path, port=free_port()))

    chosen = json.loads((tmp_path / "ports.json").read_text())
    assert 2525 < int(chosen["smtp"]) < 2545


def test_a_mailbox_that_cannot_be_kept_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mailbox").write_text("not a folder")

    with pytest.raises(ConfigurationError, match="mailbox cannot be started"):
        serve(load_settings(data_dir=tmp_path, port=free_port()), announce=lambda *_: None)


def test_an_address_of_another_machine_is_one_sentence(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, bind="192.0.2.1", port=free_port())

    with pytest.raises(ConfigurationError, match=r"NOTIFIER_BIND 192\.0\.2\.1"):
        settle(settings)
