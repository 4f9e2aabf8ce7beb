"""The service as it runs for real, in processes of its own: all in one, or web, worker and beat on servers."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from tests.servers import free_port
from tests.smtp_servers import Mailbox

COMMAND = (sys.executable, "-m", "notifier")
API_KEY = "a made-up key for the API of this installation"
STARTS_WITHIN = 120.0


@dataclass(frozen=True)
class Running:
    """A running service: where it answers, where its mails arrive, and what its processes wrote."""

    url: str
    mailbox: Mailbox
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    """Of its processes, for commands that work beside them."""

    @property
    def logs(self) -> str:
        """Everything the processes wrote to standard output and error."""
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.log")))


@contextmanager
def all_in_one(folder: Path, mailbox: Mailbox, *, terminal: bool = False, **more: str) -> Iterator[Running]:
    """The embedded default: ``notifier up``; with a ``terminal`` it logs as it does for people."""
    port = free_port()
    settings = {"NOTIFIER_PORT": str(port), "NOTIFIER_DATA_DIR": str(folder / "var"), **_common(mailbox), **more}
    with _process("up", folder=folder, settings=settings, terminal=terminal):
        yield _ready(f"http://127.0.0.1:{port}", mailbox, folder, settings)


@contextmanager
def on_servers(folder: Path, mailbox: Mailbox, *, database_url: str, broker_url: str, **more: str) -> Iterator[Running]:
    """Web, worker and beat in processes of their own, on PostgreSQL and Redis."""
    port = free_port()
    settings = {
        "NOTIFIER_PORT": str(port),
        "NOTIFIER_BASE_URL": f"http://127.0.0.1:{port}",
        "NOTIFIER_DATABASE_URL": database_url,
        "NOTIFIER_BROKER_URL": broker_url,
        "NOTIFIER_SECRET_KEY": "a made-up secret that is long enough for anybody",
        "NOTIFIER_INDEX_KEY": "a made-up index key that is long enough for anybody",
        "NOTIFIER_MAIL_FROM": "Study updates <updates@updates.example.org>",
        "NOTIFIER_POSTAL_ADDRESS": "1 Made-up Road, Example",
        **_common(mailbox),
        **more,
    }
    run(folder, settings, "migrate")
    with ExitStack() as running:
        for command in ("web", "worker", "beat"):
            running.enter_context(_process(command, folder=folder, settings=settings))
        yield _ready(f"http://127.0.0.1:{port}", mailbox, folder, settings)


def run(folder: Path, settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    command = [*COMMAND, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment_of(settings), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def wait_until(condition: Callable[[], bool], *, seconds: float = 60.0, what: str, every: float = 0.05) -> None:
    """Wait for something to become true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds} s in vain: {what}"
        time.sleep(every)


@contextmanager
def _process(
    command: str, *, folder: Path, settings: dict[str, str], terminal: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    written = folder / f"{command}.log"
    with ExitStack() as opened:
        log: IO[bytes] = opened.enter_context(_terminal(written) if terminal else written.open("wb"))
        process = subprocess.Popen(
            [*COMMAND, command],
            cwd=folder,
            env=environment_of(settings),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0, f"notifier {command} ended with {process.returncode}"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


@contextmanager
def _terminal(file: Path) -> Iterator[IO[bytes]]:
    """One end of a terminal; what is written there goes into the file, as long as any process has it open."""
    ours, theirs = pty.openpty()

    def copy() -> None:
        with file.open("wb", buffering=0) as log, suppress(OSError):
            while said := os.read(ours, 65_536):
                log.write(said)
        os.close(ours)

    threading.Thread(target=copy, daemon=True).start()
    with os.fdopen(theirs, "wb", buffering=0) as opened:
        yield opened


def _ready(url: str, mailbox: Mailbox, folder: Path, settings: dict[str, str]) -> Running:
    running = Running(url, mailbox, folder, settings)

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(answers, seconds=STARTS_WITHIN, what=f"readiness; the processes said:\n{running.logs}")
    return running


def _common(mailbox: Mailbox) -> dict[str, str]:
    return {"NOTIFIER_SMTP_URL": f"smtp://127.0.0.1:{mailbox.port}?starttls=never", "NOTIFIER_API_KEY": API_KEY}


def environment_of(settings: dict[str, str]) -> dict[str, str]:
    """The environment of this process with these settings instead of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    return {**inherited, **settings}
