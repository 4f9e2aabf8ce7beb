"""Starts the processes of the service, each forked from one that has read the code already."""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.chaos import process

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Started:
    """A process in a session of its own, which somebody else looks after."""

    pid: int

    def lives(self) -> bool:
        """Whether it has not ended."""
        return is_alive(self.pid)

    def send_signal(self, what: signal.Signals) -> None:
        """Send a signal to this process only, if it is there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, what)

    def kill_group(self) -> None:
        """Kill it and everything it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> None:
        """Wait until it has ended.

        Raises:
            TimeoutError: it has not.
        """
        until = time.monotonic() + seconds
        while self.lives():
            if time.monotonic() > until:
                raise TimeoutError(f"process {self.pid} did not end in {seconds:.0f} s")
            time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie.

    One that was killed has its ports and files as long as any of its threads is there, when its first one is a zombie.
    """
    try:
        return any(not _is_zombie(thread) for thread in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False


def _is_zombie(thread: Path) -> bool:
    try:
        return (thread / "stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def start(arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> Started:
    """Start ``process.py`` with arguments, in a folder; what it says is added to the log."""
    order = {"arguments": arguments, "folder": str(folder), "environment": dict(environment), "log": str(log)}
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(order) + "\n")
    server.stdin.flush()
    return Started(int(server.stdout.readline()))


@cache
def _server() -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.chaos.nursery"]
    server = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)
    return server


def _serve() -> None:
    """Start what standard input asks for, a line each, and answer with process ids, until it ends."""
    # Whoever ended is gone at once, rather than a zombie.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            _run(_become(json.loads(line)))
        print(child, flush=True)  # noqa: T201


def _run(arguments: list[str]) -> None:
    """Go on as the process that was ordered; in a new interpreter where something is to be loaded before it."""
    if "LD_PRELOAD" not in os.environ:
        process.run(arguments)
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    os.execv(sys.executable, [sys.executable, "-m", "tests.chaos.process", *arguments])


def _become(order: dict[str, Any]) -> list[str]:
    """Make this process the one that was ordered; its arguments."""
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    return list(order["arguments"])


if __name__ == "__main__":
    _serve()
