"""Measures Matches made a second: many subscriptions, many Changes, one statement a batch."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from bench.installations import MONDAY, open_bench_service
from bench.measuring import Spread, Stages, spread, timed
from bench.records import CONDITIONS, changed_record, make_record
from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.ingesting import ingest_records
from notifier.matching import match_changes
from notifier.registries.record_files import FoundRecord
from notifier.rounds import Service
from notifier.store import filter_store, match_store, subscriber_store
from notifier.store.models import Change, Condition, Match, Subscriber, Subscription, Told, Trial

READERS_A_CONDITION = 100


def run(
    console: Console, *, subscriptions: int = 50_000, changes: int = 200, repeat: int = 5
) -> tuple[int, Spread, float]:
    """Measure and print; gives the Matches a run makes, Matches a second, and the longest transaction in seconds."""
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as name, open_bench_service(Path(name)) as service:
        _fill(service, subscriptions=subscriptions, changes=changes)
        made, rate, longest = _measure(service, repeat)
        _filter_a_third(service)
        filtered, filtered_rate, filtered_longest = _measure(service, repeat)
    table = Table("matching", "value", title=f"Matching, {repeat} times")
    table.add_row("open subscriptions, changes", f"{subscriptions:,}, {changes:,}")
    table.add_row("Matches made", f"{made:,}")
    table.add_row("Matches a second", str(rate))
    table.add_row("longest INSERT … SELECT of a batch", f"{longest * 1000:.0f} ms")
    table.add_row("with filters for a third of those who follow conditions: Matches made", f"{filtered:,}")
    table.add_row("… a second", str(filtered_rate))
    table.add_row("… longest INSERT … SELECT", f"{filtered_longest * 1000:.0f} ms")
    console.print(table)
    return made, rate, longest


def _measure(service: Service, repeat: int) -> tuple[int, Spread, float]:
    rates: list[float] = []
    stages, made = Stages(), 0
    for _ in range(repeat):
        _forget_matches(service)
        with stages.watching([(match_store, "insert_matches", "insert")]), timed() as seconds:
            made = match_changes(database=service.installation.database, now=MONDAY + timedelta(minutes=9))
        rates.append(made / seconds())
    return made, spread(rates), stages.longest["insert"]


def _filter_a_third(service: Service) -> None:
    """Give a third of those who follow conditions one of sixty filters; the countries are those of many studies."""
    filters = [
        ReaderFilter(only_recruiting=born % 2 == 0, countries=frozenset({country}), born_year=born)
        for country in ("US", "DE", "FR")
        for born in range(1940, 1980, 2)
    ]
    with service.installation.database.writing() as session:
        ids = [filter_store.get_or_make_filter(session, one) for one in filters]
        for number, filter_id in enumerate(ids):
            mine = update(Subscription).where(Subscription.condition_id.is_not(None), Subscription.id % 3 == 0)
            session.execute(mine.where(Subscription.id // 3 % len(ids) == number).values(filter_id=filter_id))


def _fill(service: Service, *, subscriptions: int, changes: int) -> None:
    """Studies, each with one change waiting; nearly all subscriptions to single studies, some to conditions."""
    installation = service.installation
    records = [make_record(number, sites=2, words=40) for number in range(changes)]
    for minute, batch in enumerate((records, [changed_record(record) for record in records])):
        found = [FoundRecord(place="made up", record=record) for record in batch]
        clock = partial(datetime.fromtimestamp, MONDAY.timestamp() + 120 * minute, UTC)
        ingest_records(database=installation.database, keys=installation.keys, records=found, now=clock)
    with installation.database.writing() as session:
        trials = session.scalars(select(Trial.id).order_by(Trial.id)).all()
        conditions = session.scalars(select(Condition.id).where(Condition.name.in_(CONDITIONS))).all()
        _add_subscriptions(session, trials, conditions, count=subscriptions)


def _add_subscriptions(session: Session, trials: Sequence[int], conditions: Sequence[int], *, count: int) -> None:
    instant = Cadence(cadence="instant", hour=0)
    schedule = subscriber_store.get_or_make_schedule(session, instant, now=MONDAY)
    common = {"language": "en", "schedule_id": schedule.id, "revision": 0, "created_at": MONDAY}
    readers = [
        {"id": number, "address_index": number.to_bytes(32), "address_sealed": b"", **common}
        for number in range(1, count + 1)
    ]
    session.execute(insert(Subscriber), readers)
    few = min(len(conditions) * READERS_A_CONDITION, count // 10)
    wish = {"wants": "everything", "news_since": "2026-01-01", "consent_site": "", "consent_how": "bench"}
    at = MONDAY + timedelta(minutes=1)
    session.execute(
        insert(Subscription),
        [
            {
                "subscriber_id": number,
                "trial_id": None if number <= few else trials[number % len(trials)],
                "condition_id": conditions[number % len(conditions)] if number <= few else None,
                "confirmed_at": at,
                **wish,
            }
            for number in range(1, count + 1)
        ],
    )
    # Whoever follows a study was told of its first appearance, and so hears of its change.
    of_trials = range(few + 1, count + 1)
    told = [{"subscriber_id": number, "trial_id": trials[number % len(trials)], "seq": 1} for number in of_trials]
    session.execute(insert(Told), told)


def _forget_matches(service: Service) -> None:
    with service.installation.database.writing() as session:
        session.execute(delete(Match))
        session.execute(update(Change).where(Change.baseline.is_(False)).values(matched_at=None, matched_upto=None))
