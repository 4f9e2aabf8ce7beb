"""The service as an operator runs it: web, worker and beat on PostgreSQL and Redis, or all in one on SQLite."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.installations import REPOSITORY
from notifier.config import Settings

NOTIFIER = (sys.executable, "-c", "from notifier.cli import main; main()")
START_SECONDS = 120
STOP_SECONDS = 60


@contextmanager
def service_processes(settings: Settings, *, concurrency: int = 2) -> Iterator[list[int]]:
    """Run them until the end of the block, and give their ids; the pages answer when it begins."""
    ways = [["up"]] if settings.is_embedded else [["web"], ["worker", "--concurrency", str(concurrency)], ["beat"]]
    with ExitStack() as running:
        processes = [running.enter_context(service_process(settings, way)) for way in ways]
        _wait_for(settings.port)
        yield processes


@contextmanager
def service_process(settings: Settings, way: list[str], *, log: str | None = None) -> Iterator[int]:
    """Run one command until the end of the block, and give its id; what it says is kept under ``log``, or its name."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    given = {f"NOTIFIER_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}
    environment = plain | given | {"PYTHONPATH": str(REPOSITORY)}
    with (settings.data_dir / f"{log or way[0]}.log").open("w") as said:
        started = subprocess.Popen(
            [*NOTIFIER, *way], cwd=settings.data_dir, env=environment, stdout=said, stderr=said, text=True
        )
        try:
            yield started.pid
        finally:
            _stop(started)


def _stop(process: "subprocess.Popen[str]") -> None:
    """Politely first: a worker has children of its own to end."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    raise RuntimeError("the pages did not answer")
