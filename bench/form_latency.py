"""Measures how long a reader waits after posting the form to the embedded default while records are ingested."""

import http.client
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import randbytes
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from bench.installations import stop
from bench.measuring import percentile, timed
from bench.records import CONDITIONS, Stock, open_stock
from notifier.config import load_settings
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import EVERYTHING, Wish
from notifier.installation import Installation, open_installation
from notifier.store import status_store
from notifier.store.addresses import read_address
from notifier.subscribing import subscribe_directly

NOTIFIER = (sys.executable, "-c", "from notifier.cli import main; main()")
BOUND_SECONDS = 1.0
START_SECONDS = 120
BROWSERS = 2
PAUSE_SECONDS = 0.02


@dataclass(slots=True)
class Waits:
    """Seconds that each request took, and answers that were not what they should be."""

    posts: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFigures:
    """Waits on a service at rest and on a busy one, and what it did meanwhile."""

    rest: Waits
    busy: Waits
    busy_seconds: float
    status: dict[str, int]


def run(
    console: Console, folder: Path | None, *, count: int = 600, readers: int = 400, rest_seconds: float = 5.0
) -> FormFigures:
    """Start the service in a folder of its own, post forms while it is at rest and while it is busy, and print it."""
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as name:
        home = Path(name)
        stock = open_stock(home, folder=folder, count=count)
        environment = _environment(home)
        with _running_service(home, environment) as port:
            rest, busy = Waits(), Waits()
            with _opened(home) as installation:
                _subscribe(installation, stock, readers=readers)
                with _browsers(port, rest):
                    time.sleep(rest_seconds)
                with _browsers(port, busy), timed() as seconds:
                    _keep_busy(home, environment, stock)
                with installation.database.reading() as session:
                    status = status_store.count_all(session, now=datetime.now(UTC))
    figures = FormFigures(rest=rest, busy=busy, busy_seconds=seconds(), status=status)
    console.print(_as_table(figures, stock.what))
    return figures


def _keep_busy(home: Path, environment: dict[str, str], stock: Stock) -> None:
    """Take all records in, then a change of each, and match, plan and deliver what that makes, in a process beside."""
    first, then = ("ingest", str(stock.first), "then", "tick"), ("ingest", str(stock.changed), "then", "tick")
    command = [sys.executable, "-m", "bench.commands", *first, "then", *then]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The commands beside the service failed:\n{done.stderr}")


@contextmanager
def _opened(home: Path) -> Iterator[Installation]:
    """The installation of the running service, which has made its keys."""
    url = f"sqlite:///{home / 'var' / 'notifier.db'}"
    installation = open_installation(load_settings(data_dir=home / "var", database_url=url), now=datetime.now(UTC))
    try:
        yield installation
    finally:
        installation.close()


def _subscribe(installation: Installation, stock: Stock, *, readers: int) -> None:
    """Readers of the conditions that most records name, so that what is ingested is matched with many."""
    modules = (record["protocolSection"].get("conditionsModule", {}) for record in stock.records)
    named = Counter(name for module in modules for name in module.get("conditions", []))
    common = [name for name, _ in named.most_common(40)]
    instant = Cadence(cadence="instant", hour=0)
    for number in range(readers):
        wish = Wish(condition=common[number % len(common)], wants=EVERYTHING, cadence=instant, accept_unknown=True)
        with installation.database.writing() as session:
            subscribe_directly(
                session,
                keys=installation.keys,
                address=read_address(f"reader-{number}@example.org"),
                wish=wish,
                how="operator",
                now=datetime.now(UTC),
            )


@contextmanager
def _running_service(home: Path, environment: dict[str, str]) -> Iterator[int]:
    """``notifier up`` on ports it chose; gives the port of its pages."""
    with (home / "up.log").open("w") as sink:
        service = subprocess.Popen([*NOTIFIER, "up"], cwd=home, env=environment, stderr=sink, text=True)
        try:
            yield _wait_for_pages(home, service)
        finally:
            stop(service)


def _wait_for_pages(home: Path, service: "subprocess.Popen[str]") -> int:
    ports = home / "var" / "ports.json"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        time.sleep(0.1)
        if ports.exists():
            port = int(json.loads(ports.read_text())["web"])
            try:
                _request(port, "GET", "/healthz")
            except OSError:
                continue
            return port
    raise RuntimeError(f"notifier up did not answer:\n{(home / 'up.log').read_text()}")


@contextmanager
def _browsers(port: int, waits: Waits) -> Iterator[None]:
    """Several people who fill in the form again and again while the block runs."""
    ended, numbers = threading.Event(), itertools.count()
    threads = [threading.Thread(target=_fill_in, args=(port, waits, ended, numbers)) for _ in range(BROWSERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _fill_in(port: int, waits: Waits, ended: threading.Event, numbers: Iterator[int]) -> None:
    while not ended.is_set():
        number = next(numbers)
        condition = CONDITIONS[number % len(CONDITIONS)]
        form = {
            "email": f"somebody@mail{time.time_ns()}.example.org",
            "condition": condition,
            "accept_unknown": condition,
            "cadence": "daily",
            "consent": "1",
            "consent_health": "1",
        }
        for method, body, into in (("GET", "", waits.pages), ("POST", urlencode(form), waits.posts)):
            with timed() as seconds:
                answer = _request(port, method, "/subscribe", body)
            into.append(seconds())
            if answer != 200:
                waits.wrong.append(f"{method} {answer}")
        time.sleep(PAUSE_SECONDS)


def _request(port: int, method: str, path: str, body: str = "") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        # Each from a network of its own, as people are: many from one would be asked to wait.
        network = f"10.{'.'.join(str(part) for part in randbytes(3))}"
        headers = {"content-type": "application/x-www-form-urlencoded", "x-forwarded-for": network}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _environment(home: Path) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    repository = str(Path(__file__).resolve().parents[1])
    return plain | {
        "NOTIFIER_DATA_DIR": str(home / "var"),
        "NOTIFIER_LOG_LEVEL": "WARNING",
        "PYTHONPATH": repository,
    }


def _as_table(figures: FormFigures, what: str) -> Table:
    title = f"The form, while {what} and a change of each are ingested, matched and mailed"
    table = Table("request", "median", "p99", "longest", "how many", title=title)
    for when, waits in (("at rest", figures.rest), (f"busy for {figures.busy_seconds:.0f} s", figures.busy)):
        table.add_row(f"POST /subscribe, {when}", *_waits(waits.posts))
        table.add_row(f"GET /subscribe, {when}", *_waits(waits.pages))
    table.add_row("wrong answers", str(len(figures.rest.wrong) + len(figures.busy.wrong)))
    kept = percentile(figures.busy.posts, 0.99) < BOUND_SECONDS
    table.add_row("p99 of POST under a second", "yes" if kept else "NO")
    table.add_row("in the end", ", ".join(f"{name} {count:,}" for name, count in figures.status.items()))
    return table


def _waits(seconds: Sequence[float]) -> tuple[str, ...]:
    middle, late = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return (*(f"{value * 1000:.0f} ms" for value in (middle, late, max(seconds))), str(len(seconds)))
