"""Runs ``notifier`` commands, each in a process of its own, forked from one that has read the code already."""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from notifier.cli import main

REPOSITORY = Path(__file__).resolve().parents[1]
MOST_SECONDS = 240


def notifier(folder: Path, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command in a folder with these settings, as a shell would, to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    given = {f"NOTIFIER_{name}": value for name, value in settings.items()}
    with tempfile.TemporaryDirectory(prefix="notifier-command-") as name:
        streams = [Path(name) / stream for stream in ("stdin", "stdout", "stderr")]
        streams[0].write_text(stdin)
        order = {
            "arguments": arguments,
            "folder": str(folder),
            "environment": {**environment, **given},
            "streams": [str(stream) for stream in streams],
        }
        code = _ask(order)
        return subprocess.CompletedProcess(arguments, code, streams[1].read_text(), streams[2].read_text())


def _ask(order: dict[str, Any]) -> int:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(order) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


@cache
def _server() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.commands"]
    server = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)
    return server


def _serve() -> None:
    """Run what standard input asks for, a line each, and answer with exit codes, until it ends."""
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
            main()
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


def _become(order: dict[str, Any]) -> None:
    """Make this process the command that was ordered; one that hangs is ended by the alarm."""
    signal.alarm(MOST_SECONDS)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    for number, stream in enumerate(order["streams"]):
        file = os.open(stream, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.argv = ["notifier", *order["arguments"]]


if __name__ == "__main__":
    _serve()
