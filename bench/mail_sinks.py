"""Mail servers that take everything and keep nothing: Postfix's smtp-sink, or where it is missing our own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.installations import REPOSITORY, stop
from tests.servers import free_port

START_SECONDS = 60
_BACKLOG = "512"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """Where it listens, what it is, and its process."""

    port: int
    what: str
    process: int


@contextmanager
def quick_sink() -> Iterator[Sink]:
    """The sink that costs least."""
    program = find_program("smtp-sink")
    if program is None:
        with _own_sink() as sink:
            yield sink
        return
    port = free_port()
    command = [program, *(["-u", "nobody"] if os.geteuid() == 0 else []), "-c", f"127.0.0.1:{port}", _BACKLOG]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield Sink(port=port, what="smtp-sink", process=process.pid)
        finally:
            process.kill()


def find_program(name: str) -> str | None:
    """Where a program of Postfix lies; Debian keeps some where not everybody's path leads."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/lib/postfix/sbin")


@contextmanager
def _own_sink() -> Iterator[Sink]:
    command = [sys.executable, "-m", "bench.smtp_sink"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Sink(
                port=port, what="our own sink (smtp-sink of the package postfix is not here)", process=process.pid
            )
        finally:
            stop(process)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    listening = f":{port:04X} 00000000:0000 0A"
    while time.monotonic() < deadline and process.poll() is None:
        if listening in Path("/proc/net/tcp").read_text():
            return
        time.sleep(0.02)
    raise RuntimeError("smtp-sink did not open its port")
