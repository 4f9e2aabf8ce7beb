"""Measures how long an urgent change takes to a mailbox, through real processes: at rest, and during a bulk run."""

import http.client
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import ColumnElement, func, select, update

from bench.crowd_records import first_version
from bench.databases import API_KEY, place_for, settings_on
from bench.mail_crowd import gather
from bench.measuring import percentile
from bench.noting_sink import Arrivals, noting_sink
from bench.records import Record
from bench.service_processes import service_processes
from notifier.config import Settings
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.ingesting import ingest_records
from notifier.installation import Installation, open_installation
from notifier.registries.record_files import FoundRecord
from notifier.store.addresses import read_address
from notifier.store.database import Database
from notifier.store.models import Delivery, Schedule
from notifier.subscribing import subscribe_directly
from tests.servers import free_port, redis_server

FIRST_URGENT = 5_000_000
"""Numbers of the studies that are stopped, one for each measured mail."""
WAIT_SECONDS = 120
BULK_BEGINS = 180
BETWEEN = 0.5
OTHERS = Cadence(cadence="weekly", hour=3, weekday=0)


@dataclass(slots=True)
class Latencies:
    """Seconds from the request with the change to the mail; ``bulk`` those during the bulk run, ``lost`` never came."""

    idle: list[float] = field(default_factory=list)
    bulk: list[float] = field(default_factory=list)
    lost: int = 0
    bulk_mails: int = 0
    bulk_seconds: float = 0.0


def run(console: Console, *, size: int = 10_000, samples: int = 60, engine: str = "postgresql") -> Latencies:
    """Measure and print.

    Args:
        console: where it is printed.
        size: readers with a digest in the bulk run.
        samples: urgent mails at rest, and as many at most during the bulk run.
        engine: postgresql (web, worker with two processes, beat, Redis) or sqlite (``notifier up``).
    """
    with (
        tempfile.TemporaryDirectory(prefix="notifier-bench-") as name,
        noting_sink() as arrivals,
        redis_server() as redis,
        place_for(engine, Path(name)) as place,
    ):
        settings = _settings(place.new("latency"), Path(name), arrivals, redis=redis, engine=engine)
        records = _fill(settings, size=size, samples=samples)
        with service_processes(settings), _opened(settings) as installation:
            latencies = _measure(installation, arrivals, records, samples=samples)
    console.print(_as_table(latencies, engine=engine))
    return latencies


def _settings(url: str, home: Path, arrivals: Arrivals, *, redis: str, engine: str) -> Settings:
    broker = redis if engine == "postgresql" else "memory://"
    return settings_on(
        url, home=home, smtp_port=arrivals.port, broker_url=broker, port=free_port(), log_level="WARNING"
    )


@contextmanager
def _opened(settings: Settings) -> Iterator[Installation]:
    installation = open_installation(settings, now=_now())
    try:
        yield installation
    finally:
        installation.close()


def _fill(settings: Settings, *, size: int, samples: int) -> list[Record]:
    """A crowd whose digests are not due yet, and a reader with an urgent wish for each measured mail."""
    now = _now()
    with _opened(settings) as installation:
        gather(installation, readers=size, now=now)
        records = [first_version(FIRST_URGENT + number, conditions=10) for number in range(2 * samples + 1)]
        found = [FoundRecord(place="made up", record=record) for record in records]
        clock = partial(datetime.fromtimestamp, now.timestamp() - 3600, UTC)
        ingest_records(database=installation.database, keys=installation.keys, records=found, now=clock, baseline=True)
        _set_due(installation.database, now + timedelta(days=30))
        with installation.database.writing() as session:
            for number, record in enumerate(records):
                trial = record["protocolSection"]["identificationModule"]["nctId"]
                subscribe_directly(
                    session,
                    keys=installation.keys,
                    address=read_address(_address(number)),
                    wish=Wish(trial=trial, urgent=True, cadence=OTHERS),
                    how="operator",
                    now=now,
                )
    return records


def _set_due(database: Database, at: datetime) -> None:
    with database.writing() as session:
        session.execute(update(Schedule).where(Schedule.cadence == "daily").values(next_due_at=at))


def _measure(installation: Installation, arrivals: Arrivals, records: list[Record], *, samples: int) -> Latencies:
    latencies, port = Latencies(), installation.settings.port
    # The first one waits for processes that are still starting.
    _post_and_wait(records[-1], len(records) - 1, port=port, arrivals=arrivals)
    for number in range(samples):
        _note(latencies, latencies.idle, _post_and_wait(records[number], number, port=port, arrivals=arrivals))
        time.sleep(BETWEEN)
    before, began = arrivals.count, time.monotonic()
    planned = _count_digests(installation.database)
    _set_due(installation.database, _now() - timedelta(minutes=1))
    _wait_for_bulk(installation.database, planned=planned)
    for number in range(samples, 2 * samples):
        seconds = _post_and_wait(records[number], number, port=port, arrivals=arrivals)
        if not _count_waiting(installation.database):
            break
        _note(latencies, latencies.bulk, seconds)
        time.sleep(BETWEEN)
    latencies.bulk_mails, latencies.bulk_seconds = arrivals.count - before, time.monotonic() - began
    return latencies


def _note(latencies: Latencies, kind: list[float], seconds: float | None) -> None:
    if seconds is None:
        latencies.lost += 1
    else:
        kind.append(seconds)


def _post_and_wait(record: Record, number: int, *, port: int, arrivals: Arrivals) -> float | None:
    """Seconds until the mail is there; None if it never came."""
    status = record["protocolSection"]["statusModule"]
    status |= {"overallStatus": "TERMINATED", "whyStopped": f"Made-up reason {number}."}
    status["lastUpdatePostDateStruct"] = {"date": "2026-03-02", "type": "ACTUAL"}
    began = time.monotonic()
    _post(json.dumps(record), port=port)
    while time.monotonic() < began + WAIT_SECONDS:
        if _address(number) in arrivals.at:
            return arrivals.at[_address(number)] - began
        time.sleep(0.005)
    return None


def _post(body: str, *, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {API_KEY}"}
    connection.request("POST", "/api/v1/records", body=body, headers=headers)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"the record was not taken: {answer.status} {said.decode()}")


def _wait_for_bulk(database: Database, *, planned: int) -> None:
    """Until more are planned than were; a small run may be over before anybody sees that they wait."""
    deadline = time.monotonic() + BULK_BEGINS
    while time.monotonic() < deadline:
        if _count_digests(database) > planned:
            return
        time.sleep(0.1)
    raise RuntimeError("the bulk run did not begin")


def _count_waiting(database: Database) -> int:
    return _count_digests(database, Delivery.state.in_(("waiting", "leased")))


def _count_digests(database: Database, *which: ColumnElement[bool]) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).where(Delivery.kind == "digest", *which)) or 0


def _address(number: int) -> str:
    return f"urgent.{number}@mail1.example.org"


def _now() -> datetime:
    return datetime.now(UTC)


def _as_table(latencies: Latencies, *, engine: str) -> Table:
    table = Table("an urgent change, from request to mailbox", "median", "p99", "longest", "how many", title=engine)
    for name, seconds in (("at rest", latencies.idle), ("during a bulk run", latencies.bulk)):
        if seconds:
            shares = (percentile(seconds, 0.5), percentile(seconds, 0.99), max(seconds))
            table.add_row(name, *(f"{share:.2f} s" for share in shares), str(len(seconds)))
    rate = latencies.bulk_mails / max(latencies.bulk_seconds, 0.001)
    table.caption = (
        f"bulk: {latencies.bulk_mails:,} mails meanwhile, {rate:,.0f} a second; never came: {latencies.lost}"
    )
    return table
