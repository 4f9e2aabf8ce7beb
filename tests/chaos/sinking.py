"""The mail server of a row: starts it, tells it how to behave, and reads what it took."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import free_port
from tests.topologies import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that was accepted or refused: when, whose, and its Message-ID."""

    at: float
    what: str
    recipient: str
    message_id: str


@dataclass(slots=True)
class Sink:
    """A running mail server."""

    port: int
    folder: Path

    def behave(self, **manners: Any) -> None:
        """How to behave from the next command on; nothing given: well. What can be told, ``sink.py`` says."""
        draft = self.folder / "manners.new"
        draft.write_text(json.dumps(manners))
        draft.replace(self.folder / "manners.json")

    def hold_after(self, mails: int) -> None:
        """Take so many more, and let whatever comes then wait until told how to behave."""
        self.behave(hold_at="message", hold_after=self.count("taken") + mails)

    def list_all(self) -> list[Taken]:
        """Everything that was written down, oldest first."""
        file = self.folder / "accepted"
        lines = file.read_text().splitlines() if file.exists() else []
        parts = (line.split(" ") for line in lines)
        return [Taken(float(at), what, recipient, named) for at, what, recipient, named in parts]

    def list_taken(self) -> list[Taken]:
        """The mails that were accepted."""
        return [one for one in self.list_all() if one.what == "taken"]

    def count_heard(self, phase: str, code: str) -> int:
        """How often the server gave a reply at a phase, of those it writes down."""
        file = self.folder / "heard"
        return file.read_text().splitlines().count(f"{phase} {code}") if file.exists() else 0

    def count(self, what: str = "") -> int:
        """How many lines were written, or only those of a kind; cheap enough to ask all the time."""
        file = self.folder / "accepted"
        return file.read_bytes().count(f" {what} ".encode() if what else b"\n") if file.exists() else 0


@contextmanager
def mail_sink(folder: Path) -> Iterator[Sink]:
    """Start the mail server, well behaved; it is killed in the end."""
    folder.mkdir()
    sink = Sink(free_port(), folder)
    sink.behave()
    command = [sys.executable, "-m", "tests.chaos.sink", str(sink.port), str(folder)]
    with subprocess.Popen(command, cwd=REPOSITORY) as process:
        try:
            wait_until((folder / "accepted").exists, what="the mail server")
            yield sink
        finally:
            process.kill()
