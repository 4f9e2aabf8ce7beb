"""A database with very many readers of conditions, popular ones by Zipf's law, and a day of Changes."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.orm import Session

from bench.databases import place_for, settings_on
from bench.installations import MONDAY
from bench.records import Record, changed_record, make_record
from notifier.domain.conditions import condition_key
from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence, next_due
from notifier.ingesting import ingest_records
from notifier.installation import Installation, open_installation
from notifier.registries.record_files import FoundRecord
from notifier.store import filter_store
from notifier.store.models import Change, Condition, Match, Schedule

CONSENT_AT = MONDAY - timedelta(days=300)
FIRST_LOAD, DAY = MONDAY - timedelta(days=1), MONDAY
WANTS = ("openings", "important", "everything")
OF_WANTS = (0.7, 0.15, 0.15)
NEW_STUDIES, OPENINGS = 0.3, 0.2
"""Of a day's Changes: studies that appear, and studies in which people can join from then on."""
SCHEDULES = 96
QUIET = 1_000
_READERS = ("id", "address_index", "address_sealed", "language", "schedule_id", "revision", "created_at")
_SUBSCRIPTIONS = (
    "subscriber_id", "condition_id", "wants", "filter_id", "news_since", "consent_site", "consent_how", "confirmed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How much of everything."""

    readers: int = 700_000
    subscriptions: int = 1_000_000
    conditions: int = 10_000
    changes: int = 2_000


@contextmanager
def open_crowded(home: Path, crowd: Crowd, *, engine: str) -> Iterator[Installation]:
    """An installation with this crowd, and its Changes waiting to be matched; ``engine`` as for `place_for`."""
    with place_for(engine, home) as place:
        settings = settings_on(place.new("crowd"), home=home / "data", smtp_port=25)
        installation = open_installation(settings, now=MONDAY)
        try:
            fill(installation, crowd)
            yield installation
        finally:
            installation.close()


def fill(installation: Installation, crowd: Crowd) -> None:
    """Fill an empty database."""
    random = Random(6)
    with installation.database.writing() as session:
        names = [condition_name(number) for number in range(crowd.conditions)]
        session.execute(insert(Condition), [{"key": condition_key(name), "name": name} for name in names])
        schedules = add_schedules(session)
        made = (filter_store.get_or_make_filter(session, one) for one in _filters())
        filters = [id_ for id_ in made if id_ is not None]
        conditions = session.scalars(select(Condition.id).order_by(Condition.id)).all()
        connection = session.connection()
        add_readers(connection, range(1, crowd.readers + 1), schedules)
        at = _moment(connection, CONSENT_AT)
        rows = _subscriptions(crowd, conditions, filters, random=random, at=at)
        load(connection, "subscriptions", _SUBSCRIPTIONS, rows)
    first, then = _day(crowd, random)
    _ingest(installation, first, at=FIRST_LOAD, baseline=True)
    _ingest(installation, then, at=DAY, baseline=False)
    analyse(installation)


def condition_name(number: int) -> str:
    """The name of a made-up condition; the lowest numbers are followed by most."""
    return f"Made-up disorder {number}"


def add_schedules(session: Session) -> list[int]:
    """Schedules at each hour in four time zones; their ids."""
    zones = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC")
    cadences = [Cadence(hour=number % 24, time_zone=zones[number // 24 % 4]) for number in range(SCHEDULES)]
    rows = [
        {"cadence": one.cadence, "hour": one.hour, "weekday": one.weekday, "time_zone": one.time_zone}
        | {"next_due_at": next_due(one, after=MONDAY)}
        for one in cadences
    ]
    session.execute(insert(Schedule), rows)
    return list(session.scalars(select(Schedule.id).order_by(Schedule.id)))


def add_readers(connection: Connection, ids: Iterable[int], schedules: Sequence[int]) -> None:
    """Readers with these ids, spread over schedules; their addresses are as long as real ones, sealed."""
    at = _moment(connection, CONSENT_AT)
    rows = (
        (number, number.to_bytes(32), number.to_bytes(56), "en", schedules[number % len(schedules)], 1, at)
        for number in ids
    )
    load(connection, "subscribers", _READERS, rows)


def add_bystanders(installation: Installation, crowd: Crowd, *, more: int) -> None:
    """More readers, each with a subscription to a condition of which the day says nothing."""
    ids = range(crowd.readers + 1, crowd.readers + more + 1)
    with installation.database.writing() as session:
        schedules = session.scalars(select(Schedule.id).order_by(Schedule.id)).all()
        names = [f"Made-up quiet disorder {number}" for number in range(QUIET)]
        session.execute(insert(Condition), [{"key": condition_key(name), "name": name} for name in names])
        quiet = session.scalars(select(Condition.id).where(Condition.name.in_(names))).all()
        connection = session.connection()
        add_readers(connection, ids, schedules)
        at = _moment(connection, CONSENT_AT)
        rows = ((one, quiet[one % QUIET], WANTS[one % 3], None, "2026-01-01", "", "bench", at) for one in ids)
        load(connection, "subscriptions", _SUBSCRIPTIONS, rows)
    analyse(installation)


def forget_matches(installation: Installation) -> None:
    """Have everything wait to be matched again."""
    with installation.database.writing() as session:
        session.execute(delete(Match))
        waiting = update(Change).where(Change.baseline.is_(False))
        session.execute(waiting.values(matched_at=None, matched_upto=None))


def load(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write very many rows in the engine's quickest way."""
    cursor: Any = connection.connection.cursor()
    named = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        cursor.executemany(f"INSERT INTO {table} ({named}) VALUES ({', '.join('?' * len(columns))})", rows)
        return
    with cursor.copy(f"COPY {table} ({named}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"))


def analyse(installation: Installation) -> None:
    """Have the engine count what there is, as it does by itself in time."""
    with installation.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


def _subscriptions(
    crowd: Crowd, conditions: Sequence[int], filters: Sequence[int], *, random: Random, at: Any
) -> Iterator[tuple[Any, ...]]:
    """Everybody has one, some have more; a third of them with a filter."""
    weights = list(accumulate(1 / place for place in range(1, len(conditions) + 1)))
    known: set[tuple[int, int]] = set()
    while len(known) < crowd.subscriptions:
        some = crowd.subscriptions - len(known)
        wanted = zip(
            random.choices(conditions, cum_weights=weights, k=some),
            random.choices(WANTS, weights=OF_WANTS, k=some),
            strict=True,
        )
        for number, (condition, wants) in enumerate(wanted, start=len(known) + 1):
            reader = number if number <= crowd.readers else random.randrange(crowd.readers) + 1
            if (reader, condition) in known:
                continue
            known.add((reader, condition))
            chosen = filters[number // 3 % len(filters)] if number % 3 == 0 else None
            yield reader, condition, wants, chosen, "2026-01-01", "", "bench", at


def _filters() -> list[ReaderFilter]:
    return [
        ReaderFilter(only_recruiting=born % 2 == 0, countries=frozenset({country}), born_year=born)
        for country in ("US", "DE", "FR")
        for born in range(1940, 1980, 2)
    ]


def _day(crowd: Crowd, random: Random) -> tuple[list[Record], list[Record]]:
    """What the registry said before, and what it says on the day; the first study is about what most follow."""
    first: list[Record] = []
    then: list[Record] = []
    for number in range(crowd.changes):
        record = make_record(number, condition="Made-up", sites=2, words=20)
        about = [condition_name(0 if number == 0 else random.randrange(crowd.conditions)) for _ in range(2)]
        record["protocolSection"]["conditionsModule"]["conditions"] = about
        turn = number / crowd.changes
        if turn < NEW_STUDIES:
            then.append(record)
            continue
        then.append(changed_record(record) if turn >= NEW_STUDIES + OPENINGS else record)
        first.append(_closed(record) if turn < NEW_STUDIES + OPENINGS else record)
    return first, then


def _closed(record: Record) -> Record:
    protocol = record["protocolSection"]
    status = protocol["statusModule"] | {"overallStatus": "NOT_YET_RECRUITING"}
    sites = [site | {"status": "NOT_YET_RECRUITING"} for site in protocol["contactsLocationsModule"]["locations"]]
    return record | {
        "protocolSection": protocol | {"statusModule": status, "contactsLocationsModule": {"locations": sites}}
    }


def _ingest(installation: Installation, records: Sequence[Record], *, at: datetime, baseline: bool) -> None:
    found = (FoundRecord(place="made up", record=record) for record in records)
    clock = partial(datetime.fromtimestamp, at.timestamp(), UTC)
    ingest_records(database=installation.database, keys=installation.keys, records=found, now=clock, baseline=baseline)


def _moment(connection: Connection, moment: datetime) -> Any:
    """As each engine keeps it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f") if connection.dialect.name == "sqlite" else moment
