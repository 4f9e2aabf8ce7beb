"""Installations to measure: on SQLite in a folder of their own, with mail servers on free local ports."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from notifier.config import load_settings
from notifier.emails.mailbox import Mailbox, serve_mailbox
from notifier.installation import open_installation
from notifier.rounds import Service, open_service
from tests.servers import free_port

REPOSITORY = Path(__file__).resolve().parents[1]
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_SECRET = "a made-up secret that is long enough for anybody"


@contextmanager
def open_bench_service(home: Path, *, smtp_port: int = 25, now: datetime = MONDAY) -> Iterator[Service]:
    """An installation on SQLite whose mail goes to a local port."""
    home.mkdir(parents=True, exist_ok=True)
    settings = load_settings(
        data_dir=home,
        database_url=f"sqlite:///{database_file(home)}",
        smtp_url=f"smtp://127.0.0.1:{smtp_port}?starttls=never",
        base_url="http://updates.example.org",
        secret_key=_SECRET,
        index_key=_SECRET,
        mail_from="Study updates <updates@updates.example.org>",
        postal_address="1 Made-up Road, Example",
    )
    service = open_service(open_installation(settings, now=now))
    try:
        yield service
    finally:
        service.close()


def database_file(home: Path) -> Path:
    """Where the database of such an installation lies."""
    return home / "notifier.db"


@contextmanager
def kept_mails(folder: Path) -> Iterator[tuple[int, Path]]:
    """A mail server that keeps what it accepts: its port and the folder of its ``.eml`` files."""
    port = free_port()
    with serve_mailbox(Mailbox(folder), host="127.0.0.1", port=port):
        yield port, folder


@contextmanager
def mail_sink() -> Iterator[int]:
    """The port of a mail server, in a process of its own, that accepts everything and keeps nothing."""
    command = [sys.executable, "-m", "bench.smtp_sink"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as sink:
        try:
            assert sink.stdout is not None
            yield int(sink.stdout.readline())
        finally:
            stop(sink)


def stop(process: "subprocess.Popen[str]") -> None:
    """End a process we started; what it holds is thrown away with its folder, so it need not say goodbye."""
    process.kill()
    process.wait()
