"""Planning: a Schedule that is due gives its readers who have news a Delivery; what is urgent does not wait for it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from notifier.domain.schedules import next_due, period, start_of_day
from notifier.store import plan_store, quiet_store, urgent_store
from notifier.store.database import Database
from notifier.store.plan_store import DueSchedule, ReaderRange
from notifier.store.portions import portions

SCHEDULES = 200
"""Schedules planned by one statement."""
QUIET_HOUR = 8
"""When quiet notes go to who hears as it happens, in UTC."""
MAILS = 5_000
"""Deliveries written in one transaction, so that it stays under 200 ms."""
READERS = 100_000
"""Ids of readers looked through by one statement, so that nobody waits for it for long."""

Meanwhile = Callable[[], object]
Insert = Callable[[Session, Sequence[int]], int]


def _nothing() -> None:
    """What is done between portions where nothing else is."""


def plan_urgent(*, database: Database, now: datetime) -> int:
    """Plan a mail for each reader for whom something urgent waits, whatever their Schedule says; how many.

    Digests come first: whoever is due to get one gets it now, before the turn of their portion, and no urgent mail.
    """
    with database.reading() as session:
        schedules = urgent_store.list_schedules(session)
    planned = 0
    for some in portions((one for one in schedules if one.due_at <= now), SCHEDULES):
        planned += _plan_urgent_digests(some, database=database, now=now)
    for zone in sorted({one.cadence.time_zone for one in schedules}):
        planned += _plan_urgent_mails(zone, database=database, now=now)
    return planned


def is_period_due(*, database: Database, now: datetime) -> bool:
    """Whether a Schedule is due that then moves on: what is matched later waits for its next period."""
    with database.reading() as session:
        return plan_store.is_period_due(session, now=now)


def plan_digests(*, database: Database, now: datetime, meanwhile: Meanwhile = _nothing) -> int:
    """Plan every Schedule that is due; how many Deliveries that made.

    A Schedule moves to its next due time only when all its Deliveries are written. Whoever dies before that, or plans
    at the same time, makes the same Deliveries by the same keys. After an outage the missed periods are one digest,
    named after the first of them.

    Args:
        database: a database.
        now: when this is.
        meanwhile: called before each portion, for what cannot wait until the last one is planned.
    """
    with database.reading() as session:
        ahead = plan_store.list_ahead(session, now=now)
        is_mail_ahead = plan_store.is_mail_ahead(session, now=now)
        due = plan_store.list_due(session, now=now)
        waiting = bool(due) and plan_store.is_anything_waiting(session)
        quiet = bool(due) and quiet_store.is_chosen(session)
    # A clock that ran ahead has moved these on too far: their readers would hear nothing until then.
    _move_on(ahead, database=database, now=now)
    if is_mail_ahead:
        _bring_forward(database=database, now=now)
    planned = 0
    for some in portions(due, SCHEDULES):
        planned += _plan(some, database=database, now=now, meanwhile=meanwhile) if waiting else 0
        planned += _plan_quiet(some, database=database, now=now, meanwhile=meanwhile) if quiet else 0
        _move_on(some, database=database, now=now)
    return planned


def _bring_forward(*, database: Database, now: datetime) -> None:
    """Mails that rest until then would keep all later news of their readers, too."""
    brought = MAILS
    while brought == MAILS:
        with database.writing() as session:
            brought = plan_store.bring_forward(session, now=now, limit=MAILS)


def _plan_urgent_digests(schedules: Sequence[DueSchedule], *, database: Database, now: datetime) -> int:
    names = {schedule.id: _name(schedule) for schedule in schedules}
    with database.reading() as session:
        readers = urgent_store.list_readers_due(session, names=names, now=now)

    def insert(session: Session, some: Sequence[int]) -> int:
        return urgent_store.insert_digests(session, readers=some, names=names, now=now)

    return _insert_each(readers, insert, database=database)


def _plan_urgent_mails(zone: str, *, database: Database, now: datetime) -> int:
    since = start_of_day(zone, now=now)
    with database.reading() as session:
        readers = urgent_store.list_readers(session, zone=zone, since=since, now=now)

    def insert(session: Session, some: Sequence[int]) -> int:
        return urgent_store.insert_mails(session, readers=some, zone=zone, since=since, now=now)

    return _insert_each(readers, insert, database=database)


def _plan(schedules: Sequence[DueSchedule], *, database: Database, now: datetime, meanwhile: Meanwhile) -> int:
    names = {schedule.id: _name(schedule) for schedule in schedules}

    def insert(session: Session, some: Sequence[int]) -> int:
        return plan_store.insert_digests(session, readers=some, names=names, now=now)

    planned = 0
    for among in _all_readers(database):
        with database.reading() as session:
            readers = plan_store.list_readers_due(session, among=among, names=names, now=now)
        planned += _insert_each(readers, insert, database=database, meanwhile=meanwhile)
    return planned


def _all_readers(database: Database) -> Iterator[ReaderRange]:
    """By their ids, among which there are wide gaps where a backup was put back."""
    last = 0
    while True:
        with database.reading() as session:
            first = plan_store.next_reader(session, after=last)
        if first is None:
            return
        last = first + READERS - 1
        yield first, last


def _plan_quiet(schedules: Sequence[DueSchedule], *, database: Database, now: datetime, meanwhile: Meanwhile) -> int:
    """A quiet note for each of their readers who chose it and has long heard nothing."""
    months = {schedule.id: _month(schedule, now) for schedule in schedules if _is_quiet_hour(schedule, now)}
    with database.reading() as session:
        readers = quiet_store.list_readers_due(session, months=months, now=now) if months else []

    def insert(session: Session, some: Sequence[int]) -> int:
        return quiet_store.insert_notes(session, readers=some, months=months, now=now)

    return _insert_each(readers, insert, database=database, meanwhile=meanwhile)


def _insert_each(readers: Sequence[int], insert: Insert, *, database: Database, meanwhile: Meanwhile = _nothing) -> int:
    """Each portion of these readers in a transaction of its own; how many Deliveries that made."""
    planned = 0
    for some in portions(readers, MAILS):
        meanwhile()
        with database.writing() as session:
            planned += insert(session, some)
    return planned


def _is_quiet_hour(schedule: DueSchedule, now: datetime) -> bool:
    """A note comes at the usual hour; who hears as it happens has none, so it is one that suits many."""
    return schedule.cadence.cadence != "instant" or now.astimezone(UTC).hour == QUIET_HOUR


def _month(schedule: DueSchedule, now: datetime) -> str:
    due = now if schedule.cadence.cadence == "instant" else schedule.due_at
    return period(schedule.cadence, due=due)[: len("2026-03")]


def _name(schedule: DueSchedule) -> str | None:
    """What names one mail of a reader: the local day, hour and cadence for which it is due."""
    cadence = schedule.cadence
    if cadence.cadence == "instant":
        return None
    return f"{period(cadence, due=schedule.due_at)}T{cadence.hour:02}/{cadence.cadence}"


def _move_on(schedules: Sequence[DueSchedule], *, database: Database, now: datetime) -> None:
    moving = [schedule for schedule in schedules if schedule.cadence.cadence != "instant"]
    if not moving:
        return
    with database.writing() as session:
        for schedule in moving:
            plan_store.set_next_due(session, schedule, at=next_due(schedule.cadence, after=now))
