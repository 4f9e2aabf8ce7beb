"""Measures digests a second of the service as it runs all day, beside commands that send what is due and end."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, update

from bench.cpu_stages import cpu_of
from bench.databases import Place, place_for, settings_on
from bench.mail_crowd import gather
from bench.mail_sinks import quick_sink
from bench.service_processes import service_process, service_processes
from notifier.config import Settings
from notifier.installation import open_installation
from notifier.planning import plan_digests
from notifier.store.database import Database, open_database
from notifier.store.models import Delivery, Schedule
from tests.servers import free_port, redis_server

LOOK_SECONDS = 0.1
LONGEST_SECONDS = 600
RESTS_SECONDS = 4.0
"""A service that has just started is left alone for so long before there is anything to do."""

Start = Callable[[Settings, Database], AbstractContextManager[list[int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Digests a second, and seconds of processor time a digest of all processes but the database's."""

    rate: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How digests are sent, by so many processes."""

    name: str
    processes: int
    start: Start


def run(console: Console, *, size: int = 10_000, repeat: int = 1, engine: str = "sqlite") -> dict[str, list[Pace]]:
    """Measure and print; the pace by way, from the first that was sent to the last, round after round.

    Args:
        console: where it is printed.
        size: readers with a digest.
        repeat: rounds.
        engine: sqlite (``notifier up``) or postgresql (web, beat, and a worker of one process and of two, on Redis).
    """
    ways = _ways(engine)
    rates: dict[str, list[Pace]] = {way.name: [] for way in ways}
    with ExitStack() as running:
        home = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="notifier-bench-")))
        sink, redis = running.enter_context(quick_sink()), running.enter_context(redis_server())
        place = running.enter_context(place_for(engine, home))
        filled = _fill(place, home, size=size)
        for number in range(repeat):
            for way in ways:
                name = f"{way.name.replace(' ', '-')}-{number}"
                settings = settings_on(
                    place.copy(filled, name), home=home / f"{name}-home", smtp_port=sink.port, port=free_port(),
                    broker_url=redis if engine == "postgresql" else "memory://", log_level="WARNING",
                )  # fmt: skip
                rates[way.name].append(_measure(settings, way))
                place.drop(settings.database_url)
    console.print(_as_table(rates, engine=engine, size=size))
    return rates


def _ways(engine: str) -> list[Way]:
    if engine == "sqlite":
        return [Way(name="tick", processes=1, start=_ticks(1)), Way(name="up", processes=1, start=_service(1))]
    ways = []
    for processes in (1, 2):
        ways.append(Way(name=f"tick x {processes}", processes=processes, start=_ticks(processes)))
        ways.append(Way(name=f"worker of {processes}", processes=processes, start=_service(processes)))
    return ways


def _ticks(processes: int) -> Start:
    @contextmanager
    def start(settings: Settings, database: Database) -> Iterator[list[int]]:
        _set_due(database, _now() - timedelta(minutes=1))
        plan_digests(database=database, now=_now())
        with ExitStack() as running:
            ticks = [service_process(settings, ["tick"], log=f"tick-{number}") for number in range(processes)]
            yield [running.enter_context(tick) for tick in ticks]

    return start


def _service(processes: int) -> Start:
    @contextmanager
    def start(settings: Settings, database: Database) -> Iterator[list[int]]:
        with service_processes(settings, concurrency=processes) as started:
            time.sleep(RESTS_SECONDS)
            _set_due(database, _now() - timedelta(minutes=1))
            yield started

    return start


def _fill(place: Place, home: Path, *, size: int) -> str:
    url, now = place.new("service"), _now()
    installation = open_installation(settings_on(url, home=home, smtp_port=25), now=now)
    gather(installation, readers=size, now=now)
    _set_due(installation.database, now + timedelta(days=30))
    installation.close()
    return url


def _measure(settings: Settings, way: Way) -> Pace:
    database = open_database(settings.database_url)
    try:
        with way.start(settings, database) as processes:
            began, before = _wait(lambda: _count(database, "sent") > 0, processes)
            _wait(lambda: not _count(database, "waiting", "leased", "in_data"), processes)
            # Few may all be sent between two looks: what the first look found counts, too.
            sent, seconds = _count(database, "sent"), time.monotonic() - began
            return Pace(rate=sent / seconds, cpu=(sum(map(cpu_of, processes)) - before) / max(sent, 1))
    finally:
        database.close()


def _wait(is_so: Callable[[], bool], processes: Sequence[int]) -> tuple[float, float]:
    """The moment of the last look that found it otherwise, and the processor time of the processes until then."""
    deadline = time.monotonic() + LONGEST_SECONDS
    found = time.monotonic(), sum(map(cpu_of, processes))
    while not is_so():
        found = time.monotonic(), sum(map(cpu_of, processes))
        if time.monotonic() > deadline:
            raise subprocess.TimeoutExpired("the service", LONGEST_SECONDS)
        time.sleep(LOOK_SECONDS)
    return found


def _count(database: Database, *states: str) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).where(Delivery.state.in_(states))) or 0


def _set_due(database: Database, at: datetime) -> None:
    with database.writing() as session:
        session.execute(update(Schedule).where(Schedule.cadence == "daily").values(next_due_at=at))


def _now() -> datetime:
    return datetime.now(UTC)


def _as_table(rates: dict[str, list[Pace]], *, engine: str, size: int) -> Table:
    table = Table(
        "digests a second (processor time of each)", *(["round"] * max(map(len, rates.values()))), title=engine
    )
    for name, found in rates.items():
        table.add_row(name, *(f"{one.rate:,.0f} ({one.cpu * 1e6:,.0f} µs)" for one in found))
    table.caption = f"{size:,} digests a round"
    return table
