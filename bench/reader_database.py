"""A PostgreSQL database with very many readers: what they follow is spread as in life, few things by very many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, insert, text

from bench.records import make_record
from notifier.domain.conditions import condition_key
from notifier.domain.schedules import Cadence, next_due
from notifier.ingesting import ingest_records
from notifier.installation import Installation
from notifier.registries.record_files import FoundRecord
from notifier.store.addresses import read_address
from notifier.store.models import Condition, Schedule, Subscriber, Suppression

SCHEDULES = 150
HOURS = 24
OF_TRIALS = 0.2
"""So many subscriptions are to single studies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything; ``known`` of the readers, and ``suppressed`` addresses, are ones that the load uses."""

    studies: int = 5_000
    conditions: int = 10_000
    readers: int = 700_000
    subscriptions: int = 1_000_000
    known: int = 2_000
    suppressed: int = 50_000


def known_address(number: int) -> str:
    """The address of the reader with this number, from 1 on."""
    return f"reader.{number}@mail{number % 97}.example.org"


def suppressed_address(number: int) -> str:
    """An address that must not be mailed."""
    return f"gone.{number}@mail{number % 97}.example.org"


def condition_name(number: int) -> str:
    """The name of a made-up condition; the lowest numbers are followed by most."""
    return f"Made-up disorder {number}"


def fill(installation: Installation, size: Size, *, now: datetime) -> None:
    """Fill an empty database at the newest schema, by as few statements as there can be, and have it analysed."""
    _ingest(installation, size.studies, now=now)
    with installation.database.writing() as session:
        connection = session.connection()
        _add_conditions(connection, size.conditions)
        _add_schedules(connection, now=now)
        _add_known(connection, installation, size, now=now)
        for statement in _STATEMENTS:
            connection.execute(text(statement), {**_numbers(size), "now": now, "since": now - timedelta(days=300)})
    with installation.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def count(installation: Installation, tables: Sequence[str]) -> dict[str, int]:
    """How many rows tables have."""
    with installation.database.reading() as session:
        return {table: session.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in tables}


def _ingest(installation: Installation, studies: int, *, now: datetime) -> None:
    records = (make_record(number, sites=1, words=20) for number in range(studies))
    found = (FoundRecord(place="made up", record=record) for record in records)
    clock = partial(datetime.fromtimestamp, now.timestamp() - 86_400, UTC)
    ingest_records(database=installation.database, keys=installation.keys, records=found, now=clock, baseline=True)


def _add_conditions(connection: Connection, conditions: int) -> None:
    names = [condition_name(number) for number in range(conditions)]
    connection.execute(insert(Condition), [{"key": condition_key(name), "name": name} for name in names])


def _add_schedules(connection: Connection, *, now: datetime) -> None:
    zones = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC")
    cadences = [Cadence(hour=number % HOURS, time_zone=zones[number // HOURS % 4]) for number in range(SCHEDULES // 2)]
    weekly = [replace(one, cadence="weekly", weekday=one.hour % 7) for one in cadences]
    rows = [
        {"cadence": one.cadence, "hour": one.hour, "weekday": one.weekday, "time_zone": one.time_zone}
        | {"next_due_at": next_due(one, after=now)}
        for one in (*cadences, *weekly)
    ]
    connection.execute(insert(Schedule), rows)


def _add_known(connection: Connection, installation: Installation, size: Size, *, now: datetime) -> None:
    keys = installation.keys
    common = {"language": "en", "schedule_id": 1, "revision": 1, "created_at": now - timedelta(days=200)}
    addresses = [read_address(known_address(number)) for number in range(1, size.known + 1)]
    rows = [{"address_index": keys.index(one), "address_sealed": keys.seal(one), **common} for one in addresses]
    connection.execute(insert(Subscriber), rows)
    gone = [keys.index(read_address(suppressed_address(number))) for number in range(1, size.known + 1)]
    suppressed = [{"address_index": index, "reason": "bounced", "created_at": now} for index in gone]
    connection.execute(insert(Suppression), suppressed)


def _numbers(size: Size) -> dict[str, int | float]:
    return {
        "more_readers": size.readers - size.known,
        "more_subscriptions": round((size.subscriptions - size.readers) * 1.2),
        "more_suppressed": size.suppressed - size.known,
        "conditions": size.conditions,
        "of_trials": OF_TRIALS,
    }


_SUBSCRIBE = """
INSERT INTO subscriptions (subscriber_id, trial_id, condition_id, wants, news_since, consent_site, consent_how,
    consent_health, consent_asked_at, confirmed_at)
SELECT picked.reader, trial.id, CASE WHEN trial.id IS NULL THEN condition.id END,
    CASE WHEN trial.id IS NULL THEN 'openings' ELSE 'everything' END, '2026-01-01', 'own', 'form', true, :since, :since
FROM ({readers}) AS picked
LEFT JOIN ranked_trials AS trial ON picked.is_of_trial AND trial.place = picked.trial_place
LEFT JOIN ranked_conditions AS condition ON condition.place = picked.condition_place
ON CONFLICT DO NOTHING
"""
_PICKED = """
random() < :of_trials AS is_of_trial,
floor(power((SELECT count(*) FROM ranked_trials), random()))::bigint AS trial_place,
floor(power(:conditions, random()))::bigint AS condition_place
"""
_STATEMENTS = (
    "CREATE TEMP TABLE ranked_trials ON COMMIT DROP AS SELECT id, row_number() OVER (ORDER BY id) AS place FROM trials",
    """CREATE TEMP TABLE ranked_conditions ON COMMIT DROP AS
    SELECT id, row_number() OVER (ORDER BY id DESC) AS place FROM conditions""",
    # As long as sealed addresses are, and as random.
    """INSERT INTO subscribers (address_index, address_sealed, language, schedule_id, revision, created_at)
    SELECT sha256(('index ' || number)::bytea),
        substr(sha256(number::text::bytea) || sha256((-number)::text::bytea), 1, 56),
        CASE WHEN number % 10 = 0 THEN 'de' ELSE 'en' END, 1 + number % (SELECT count(*) FROM schedules), 1, :since
    FROM generate_series(1, :more_readers) AS number""",
    """INSERT INTO suppressions (address_index, reason, created_at)
    SELECT sha256(('suppressed ' || number)::bytea), 'bounced', :now
    FROM generate_series(1, :more_suppressed) AS number""",
    _SUBSCRIBE.format(readers=f"SELECT id AS reader, {_PICKED} FROM subscribers"),
    _SUBSCRIBE.format(
        readers=f"""SELECT 1 + floor(random() * (SELECT max(id) FROM subscribers))::bigint AS reader, {_PICKED}
        FROM generate_series(1, :more_subscriptions)"""
    ),
    """INSERT INTO told (subscriber_id, trial_id, seq)
    SELECT subscriber_id, trial_id, 1 FROM subscriptions WHERE trial_id IS NOT NULL""",
    # A request and its mail for every tenth reader, and a digest for every second.
    """INSERT INTO pending_requests (address_index, address_sealed, language, condition_id, wants, cadence, hour,
        weekday, time_zone, site, how, mails, created_at, expires_at, confirmed_at)
    SELECT address_index, address_sealed, language, (SELECT min(id) FROM conditions), 'openings', 'daily', 8, 0, 'UTC',
        'own', 'form', 1, :now, CAST(:now AS timestamptz) + interval '7 days', CASE WHEN id % 20 = 0 THEN :now END
    FROM subscribers WHERE id % 10 = 0""",
    """INSERT INTO deliveries (kind, dedupe_key, request_id, lane, state, not_before, created_at, sent_at)
    SELECT 'confirmation', 'confirmation ' || id, id, 0, 'sent', :now, :now, :now FROM pending_requests""",
    """INSERT INTO deliveries (kind, dedupe_key, subscriber_id, lane, state, not_before, created_at, sent_at)
    SELECT 'digest', 'digest ' || id, id, 1, 'sent', :now, :now, :now FROM subscribers WHERE id % 2 = 0""",
)
