"""Measures how long people wait at the front door, with a million subscriptions, and which query costs what."""

import asyncio
import http.client
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlencode, urlsplit

import httpx
from altcha.v1 import solve_challenge
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, make_url
from sqlalchemy import text as sql

from bench.installations import REPOSITORY, stop
from bench.measuring import percentile, timed
from bench.query_plans import Plan, big_tables, catching
from bench.reader_database import Size, condition_name, count, fill, known_address, suppressed_address
from notifier import queues
from notifier.config import Settings, load_settings
from notifier.installation import Installation, open_installation
from notifier.store import migrating
from notifier.store.database import open_database
from notifier.web import form_tokens, proof_of_work
from notifier.web.app import create_app
from notifier.web.form_tokens import FormToken, FormTokens
from notifier.web.proof_of_work import Proofs
from tests.servers import free_port, postgres_server, redis_server

NOTIFIER = (sys.executable, "-c", "from notifier.cli import main; main()")
BOUND_MILLISECONDS = 250
START_SECONDS = 120
WORKERS = 64
WARM_UP = 40
EXPLAINED = 30
KINDS = ("form, new", "form, new", "form, known", "form, suppressed", "GET", "GET", "POST", "POST")
TABLES = ("subscriptions", "subscribers", "conditions", "trials", "pending_requests", "deliveries")
_SECRET = "a made-up secret that is long enough for anybody"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, ready to be sent, and the kind of whose waits it is one."""

    kind: str
    method: str
    path: str
    body: str
    network: str


@dataclass(slots=True)
class Waits:
    """Seconds from when each request was due to its answer, by kind, and answers that were not what they should be."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorFigures:
    """Waits, what the database was asked, and which of its big tables were read from end to end."""

    waits: Waits
    plans: Sequence[Plan]
    scanned: frozenset[str]
    rows: dict[str, int]


def run(console: Console, *, size: Size | None = None, rate: int = 50, seconds: int = 30) -> bool:
    """Fill a database, ask a service of its own for pages at fixed moments, and print it; whether the bound is kept."""
    figures = measure(size or Size(), rate=rate, seconds=seconds)
    console.print(_as_table(figures, rate=rate, seconds=seconds))
    console.print(_plans_table(figures.plans))
    worst = max(percentile(waits, 0.99) for waits in figures.waits.seconds.values())
    return worst * 1000 <= BOUND_MILLISECONDS and not figures.scanned and not figures.waits.wrong


def measure(size: Size, *, rate: int, seconds: int) -> DoorFigures:
    """The figures, from servers that live as long as the measurement."""
    with (
        tempfile.TemporaryDirectory(prefix="notifier-bench-") as name,
        postgres_server() as url,
        redis_server() as redis,
    ):
        settings = _settings(Path(name), database_url=_new_database(url), redis_url=redis)
        installation = open_installation(settings, now=datetime.now(UTC))
        fill(installation, size, now=datetime.now(UTC))
        rows = count(installation, TABLES)
        requests = list(itertools.islice(_requests(installation, size), WARM_UP + rate * seconds))
        with _service(settings) as port:
            _ask(port, requests[:WARM_UP], rate=rate)
            waits = _ask(port, requests[WARM_UP:], rate=rate)
        plans = explain(installation, size)
        big = big_tables(installation.database.engine)
        installation.close()
    scanned = frozenset().union(*(plan.scans for plan in plans)) & big
    return DoorFigures(waits=waits, plans=plans, scanned=scanned, rows=rows)


def explain(installation: Installation, size: Size) -> list[Plan]:
    """What the database is asked for some requests, beyond what it is asked for the first ones only."""
    made = _requests(installation, size, seed=2)
    queues.configure(installation.settings)
    app = create_app(installation)
    asyncio.run(_send_within(app, itertools.islice(made, EXPLAINED)))
    with catching(installation.database.engine) as statements:
        asyncio.run(_send_within(app, itertools.islice(made, EXPLAINED)))
    return statements.plans(installation.database.engine)


async def _send_within(app: FastAPI, requests: Iterable[Asked]) -> None:
    """Send requests to the application in this process."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for one in requests:
            answer = await client.request(one.method, one.path, content=one.body, headers={"content-type": _FORM})
            assert answer.is_success, one.kind


def _requests(installation: Installation, size: Size, *, seed: int = 1) -> Iterator[Asked]:
    """Forms and preferences without end; each from a network of its own, as readers are."""
    random, settings, now = Random(seed), installation.settings, datetime.now(UTC)
    tokens, proofs = FormTokens(secrets=settings.secrets), Proofs(secrets=settings.secrets)
    for number in itertools.count(seed * 1_000_000):
        network = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        reader = random.randint(1, size.known)
        link = urlsplit(installation.links.preferences(reader, now=now + timedelta(minutes=30))).path
        kind = random.choice(
            ("form, new", "form, known", "form, suppressed", "form, new", "GET", "GET", "POST", "POST")
        )
        if kind == "GET":
            yield Asked(kind="GET preferences", method="GET", path=link, body="", network=network)
            continue
        if kind == "POST":
            fields = {"action": "cadence", "cadence": "weekly", "hour": str(reader % 24), "weekday": "2"}
            body = urlencode(fields | {"time_zone": "Europe/Berlin"})
            yield Asked(kind="POST preferences", method="POST", path=link, body=body, network=network)
            continue
        fields = {
            "email": _address(kind, number, reader),
            "condition": condition_name(int(size.conditions ** random.random()) - 1),
            "wants": "openings",
            "cadence": "daily",
            "hour": "8",
            "weekday": "0",
            "time_zone": "Europe/Berlin",
            "consent": "yes",
            "consent_health": "yes",
            form_tokens.FIELD: tokens.make(FormToken(made_at=now - timedelta(minutes=1))),
            proof_of_work.FIELD: _proof(proofs, now=now),
        }
        yield Asked(kind=f"POST {kind}", method="POST", path="/subscribe", body=urlencode(fields), network=network)


def _address(kind: str, number: int, reader: int) -> str:
    if kind == "form, known":
        return known_address(reader)
    return suppressed_address(reader) if kind == "form, suppressed" else f"new.{number}@mail{number % 97}.example.net"


def _proof(proofs: Proofs, *, now: datetime) -> str:
    """An answer to a challenge, worked out beforehand: browsers do that while people type."""
    given = proofs.challenge(now=now)
    names = ("algorithm", "challenge", "salt", "signature")
    solution = solve_challenge(str(given["challenge"]), str(given["salt"]), "SHA-256", proof_of_work.HARDEST)
    assert solution is not None
    return b64encode(json.dumps({name: given[name] for name in names} | {"number": solution.number}).encode()).decode()


def _ask(port: int, requests: Sequence[Asked], *, rate: int) -> Waits:
    """Send each request when it is due, whether or not earlier ones were answered: who waits in line is counted."""
    waits, lock, started = Waits(), threading.Lock(), time.perf_counter() + 0.1

    def send(one: Asked, due: float) -> None:
        status = _send(port, one)
        waited = time.perf_counter() - due
        with lock:
            waits.seconds[one.kind].append(waited)
            if status != 200:
                waits.wrong.append(f"{one.kind}: {status}")

    with ThreadPoolExecutor(WORKERS) as pool:
        for number, one in enumerate(requests):
            due = started + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            pool.submit(send, one, due)
    return waits


def _send(port: int, one: Asked) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"content-type": _FORM, "x-forwarded-for": one.network, "accept-language": "en"}
        connection.request(one.method, one.path, one.body, headers)
        answer = connection.getresponse()
        answer.read()
    except OSError:
        return 0
    else:
        return answer.status
    finally:
        connection.close()


def _new_database(url: str) -> str:
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sql("CREATE DATABASE front_door"))
    server.dispose()
    made = make_url(url).set(database="front_door").render_as_string(hide_password=False)
    database = open_database(made)
    migrating.migrate(database)
    database.close()
    return made


def _settings(home: Path, *, database_url: str, redis_url: str) -> Settings:
    port = free_port()
    return load_settings(
        data_dir=home,
        database_url=database_url,
        broker_url=redis_url,
        smtp_url="smtp://127.0.0.1:25?starttls=never",
        base_url=f"http://127.0.0.1:{port}",
        port=port,
        secret_key=_SECRET,
        index_key=_SECRET,
        mail_from="Study updates <updates@updates.example.org>",
        postal_address="1 Made-up Road, Example",
        log_level="WARNING",
    )


@contextmanager
def _service(settings: Settings) -> Iterator[int]:
    """``notifier web`` with these settings; gives its port."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    given = {f"NOTIFIER_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}
    log = settings.data_dir / "web.log"
    environment = plain | given | {"PYTHONPATH": str(REPOSITORY)}
    with log.open("w") as sink:
        service = subprocess.Popen(
            [*NOTIFIER, "web"], cwd=settings.data_dir, env=environment, stdout=sink, stderr=sink, text=True
        )
        try:
            _wait_for(settings.port, service, log)
            yield settings.port
        finally:
            stop(service)


def _wait_for(port: int, service: "subprocess.Popen[str]", log: Path) -> None:
    health = Asked(kind="health", method="GET", path="/healthz", body="", network="10.0.0.1")
    with timed() as waited:
        while waited() < START_SECONDS and service.poll() is None:
            if _send(port, health) == 200:
                return
            time.sleep(0.2)
    raise RuntimeError(f"notifier web did not answer:\n{log.read_text()}")


def _as_table(figures: DoorFigures, *, rate: int, seconds: int) -> Table:
    title = f"The front door on PostgreSQL, {rate} requests a second for {seconds} s"
    table = Table("request", "median", "p95", "p99", "longest", "how many", title=title)
    for kind, waits in sorted(figures.waits.seconds.items()):
        table.add_row(kind, *(_ms(value) for value in (*_shares(waits), max(waits))), str(len(waits)))
    table.add_row(
        "wrong answers", str(len(figures.waits.wrong)), "", "", "", ", ".join(sorted(set(figures.waits.wrong)))
    )
    table.add_row("big tables read from end to end", ", ".join(sorted(figures.scanned)) or "none")
    table.add_row("rows", ", ".join(f"{name} {number:,}" for name, number in figures.rows.items()))
    return table


def _shares(waits: Sequence[float]) -> tuple[float, ...]:
    return tuple(percentile(waits, share) for share in (0.5, 0.95, 0.99))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _plans_table(plans: Sequence[Plan], *, most: int = 15) -> Table:
    table = Table("statement", "calls", "ms", "plan", title=f"What the database is asked for {EXPLAINED} requests")
    for plan in plans[:most]:
        table.add_row(plan.statement[:160], str(plan.calls), f"{plan.milliseconds:.2f}", ", ".join(plan.nodes)[:160])
    return table
