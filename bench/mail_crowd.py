"""A crowd of readers in a database, each with a digest waiting: who follows what and how is spread as in life."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from sqlalchemy import func, insert, select, text

from bench.crowd_records import COUNTRIES, Ranks, condition_name, first_version, second_version, zipf
from notifier.domain.conditions import condition_key
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.ingesting import ingest_records
from notifier.installation import Installation
from notifier.matching import match_changes
from notifier.registries.record_files import FoundRecord
from notifier.store import filter_store
from notifier.store.addresses import read_address
from notifier.store.models import Condition, HeldChange, Match, Schedule, Subscriber, Subscription, Told, Trial
from notifier.store.portions import portions

PORTION = 5_000
GERMANS = 0.3
CONDITIONS_A_READER = 2
FILTERED = 0.4
"""Of the subscriptions to conditions, which comes to a third of all: a study of one's own takes no filter."""
OF_STUDIES = 0.3
"""So many readers also follow single studies."""
HOURS = tuple(range(5, 10))
ZONES = ("UTC", "Europe/Berlin", "Europe/London", "Africa/Abidjan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What was made: readers, subscriptions, of them filtered, studies that changed, and Matches that wait."""

    readers: int
    subscriptions: int
    filtered: int
    studies: int
    conditions: int
    matches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spread:
    """What readers choose from."""

    conditions: Sequence[int]
    popularity: Ranks
    studies: Sequence[int]
    studies_popularity: Ranks
    schedules: Sequence[int]
    filters: Sequence[int]


def studies_for(readers: int) -> int:
    """So many studies change that a tenth as many different cards are needed as there are readers, up to a busy day."""
    return min(2_000, max(40, readers * 3 // 200))


def gather(
    installation: Installation, *, readers: int, now: datetime, studies: int | None = None, seed: int = 1
) -> Crowd:
    """Fill an empty database at the newest schema: studies by ingesting, readers in bulk, Matches by matching.

    Nothing is planned yet: every reader's schedule is due at ``now``. ``studies`` is how many change; where it is not
    said, `studies_for` so many readers.
    """
    studies = studies or studies_for(readers)
    conditions = studies // 2
    firsts = [first_version(number, conditions=conditions) for number in range(studies)]
    seconds = [second_version(record, number) for number, record in enumerate(firsts)]
    _ingest(installation, firsts, now=now - timedelta(days=9), baseline=True)
    random = Random(seed)
    spread = _prepare(installation, conditions=conditions, now=now)
    for numbers in portions(range(1, readers + 1), PORTION):
        _add_readers(installation, numbers, spread, random, now=now)
    _ingest(installation, seconds, now=now - timedelta(minutes=50), baseline=False)
    match_changes(database=installation.database, now=now - timedelta(minutes=40))
    _analyse(installation)
    return _count(installation, readers=readers, studies=studies, conditions=conditions)


def _ingest(installation: Installation, records: Sequence[dict[str, Any]], *, now: datetime, baseline: bool) -> None:
    found = [FoundRecord(place="made up", record=record) for record in records]
    ingest_records(
        database=installation.database,
        keys=installation.keys,
        records=found,
        now=partial(_fixed, now),
        baseline=baseline,
    )


def _fixed(now: datetime) -> datetime:
    return now


def _prepare(installation: Installation, *, conditions: int, now: datetime) -> _Spread:
    keys = [condition_key(condition_name(number)) for number in range(conditions)]
    due = now - timedelta(hours=1)
    with installation.database.writing() as session:
        ids = {key: id_ for id_, key in session.execute(select(Condition.id, Condition.key))}
        cadences = [Cadence(hour=hour, time_zone=zone) for hour in HOURS for zone in ZONES]
        rows = [
            {"cadence": one.cadence, "hour": one.hour, "weekday": 0, "time_zone": one.time_zone, "next_due_at": due}
            for one in cadences
        ]
        session.execute(insert(Schedule), rows)
        filters = [filter_store.get_or_make_filter(session, one) for one in _filters()]
        schedules = session.scalars(select(Schedule.id)).all()
        studies = session.scalars(select(Trial.id).order_by(Trial.id)).all()
    known = [ids[key] for key in keys if key in ids]
    return _Spread(
        conditions=known,
        popularity=zipf(len(known)),
        studies=studies,
        studies_popularity=zipf(len(studies)),
        schedules=schedules,
        filters=[one for one in filters if one is not None],
    )


def _filters() -> Iterator[ReaderFilter]:
    """Some that many choose; each leaves out a part of the studies."""
    for country in COUNTRIES:
        in_country = replace(NO_FILTER, countries=frozenset({country}))
        yield in_country
        yield replace(in_country, born_year=1971)
        yield replace(in_country, phases=frozenset({"PHASE2", "PHASE3"}))
    yield replace(NO_FILTER, only_recruiting=True)
    yield replace(NO_FILTER, sex="FEMALE", born_year=1985)


def _add_readers(
    installation: Installation, numbers: Sequence[int], spread: _Spread, random: Random, *, now: datetime
) -> None:
    keys, asked = installation.keys, now - timedelta(days=2)
    countries = list(COUNTRIES)
    readers: list[dict[str, Any]] = []
    wishes: list[dict[str, Any]] = []
    for number in numbers:
        address = read_address(f"reader.{number}@mail{_provider(number)}.example.org")
        readers.append(
            {
                "id": number,
                "address_index": keys.index(address),
                "address_sealed": keys.seal(address),
                "language": "de" if random.random() < GERMANS else "en",
                "country": random.choice(countries),
                "schedule_id": random.choice(spread.schedules),
                "revision": 1,
                "created_at": asked,
            }
        )
        wishes.extend(_wishes(number, spread, random, asked=asked))
    with installation.database.writing() as session:
        session.execute(insert(Subscriber), readers)
        session.execute(insert(Subscription), wishes)
        # Who follows a study was told of its first appearance, and so hears of its change.
        told = [{"subscriber_id": one["subscriber_id"], "trial_id": one["trial_id"], "seq": 1} for one in wishes]
        session.execute(insert(Told), [one for one in told if one["trial_id"]])


def _provider(number: int) -> int:
    """The mail provider of a reader: half are with the first, a quarter with the second, and so on, up to twenty."""
    lowest_bit = number & -number
    return min(lowest_bit.bit_length(), 20)


def _wishes(reader: int, spread: _Spread, random: Random, *, asked: datetime) -> Iterator[dict[str, Any]]:
    common = {
        "subscriber_id": reader,
        "trial_id": None,
        "condition_id": None,
        "filter_id": None,
        "wants": "everything",
        "news_since": asked.date().isoformat(),
        "consent_site": "web",
        "consent_how": "form",
        "confirmed_at": asked,
    }
    for place in sorted(set(spread.popularity.draw(random, CONDITIONS_A_READER))):
        chosen = random.choice(spread.filters) if random.random() < FILTERED else None
        yield common | {"condition_id": spread.conditions[place], "filter_id": chosen}
    followed = random.choice((1, 2)) if random.random() < OF_STUDIES else 0
    for place in sorted(set(spread.studies_popularity.draw(random, followed))):
        yield common | {"trial_id": spread.studies[place]}


def _analyse(installation: Installation) -> None:
    """As a database that has been in use for some time; a new one knows nothing of its tables."""
    statement = "ANALYZE" if installation.database.is_sqlite else "VACUUM ANALYZE"
    with installation.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(statement))
    if not installation.database.is_sqlite:
        _move_sequences(installation)


def _move_sequences(installation: Installation) -> None:
    with installation.database.writing() as session:
        newest = "SELECT setval(pg_get_serial_sequence('subscribers', 'id'), (SELECT max(id) FROM subscribers))"
        session.execute(text(newest))


def _count(installation: Installation, *, readers: int, studies: int, conditions: int) -> Crowd:
    with installation.database.reading() as session:
        held = session.scalar(select(func.count()).select_from(HeldChange)) or 0
        filtered = select(func.count()).select_from(Subscription).where(Subscription.filter_id.is_not(None))
        crowd = Crowd(
            readers=readers,
            subscriptions=session.scalar(select(func.count()).select_from(Subscription)) or 0,
            filtered=session.scalar(filtered) or 0,
            studies=studies,
            conditions=conditions,
            matches=session.scalar(select(func.count()).select_from(Match)) or 0,
        )
    if held:
        raise RuntimeError(f"{held} changes are held as noise; the crowd would not hear of them")
    return crowd
