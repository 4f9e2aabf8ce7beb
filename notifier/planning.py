"""Planning: a Schedule that is due gives its readers who have news a Delivery; what is urgent does not wait for it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from notifier.domain.schedules import next_due, period, start_of_day
from notifier.store import plan_store, quiet_store, urgent_store
from notifier.store.database import Database
from notifier.store.plan_store import DueSchedule
from notifier.store.portions import portions

SCHEDULES = 200
"""Schedules planned by one statement."""
QUIET_HOUR = 8
"""When quiet notes go to who hears as it happens, in UTC."""
MAILS = 5_000
"""Deliveries written in one transaction, so that it stays under 200 ms."""


def plan_mails(*, database: Database, now: datetime) -> int:
    """Plan all that is due, and what is urgent; how many Deliveries that made.

    Digests come first: whoever is about to get one needs no urgent mail.
    """
    return plan_digests(database=database, now=now) + plan_urgent(database=database, now=now)


def plan_urgent(*, database: Database, now: datetime) -> int:
    """Plan a mail for each reader for whom something urgent waits, whatever their Schedule says; how many."""
    planned = 0
    with database.reading() as session:
        days = {zone: start_of_day(zone, now=now) for zone in urgent_store.list_zones(session)}
        readers = {
            zone: urgent_store.list_readers(session, zone=zone, since=since, now=now, size=MAILS)
            for zone, since in days.items()
        }
    for zone, since in days.items():
        for some in readers[zone]:
            with database.writing() as session:
                planned += urgent_store.insert_mails(session, readers=some, zone=zone, since=since, now=now)
    return planned


def plan_digests(*, database: Database, now: datetime) -> int:
    """Plan every Schedule that is due; how many Deliveries that made.

    A Schedule moves to its next due time only when all its Deliveries are written. Whoever dies before that, or plans
    at the same time, makes the same Deliveries by the same keys. After an outage the missed periods are one digest,
    named after the first of them.
    """
    with database.reading() as session:
        due = plan_store.list_due(session, now=now)
        waiting = bool(due) and plan_store.is_anything_waiting(session)
        quiet = bool(due) and quiet_store.is_chosen(session)
    planned = 0
    for some in portions(due, SCHEDULES):
        planned += _plan(some, database=database, now=now) if waiting else 0
        planned += _plan_quiet(some, database=database, now=now) if quiet else 0
        _move_on(some, database=database, now=now)
    return planned


def _plan(schedules: Sequence[DueSchedule], *, database: Database, now: datetime) -> int:
    names = {schedule.id: _name(schedule) for schedule in schedules}
    with database.reading() as session:
        readers = plan_store.list_readers_due(session, names=names, now=now, size=MAILS)
    planned = 0
    for some in readers:
        with database.writing() as session:
            planned += plan_store.insert_digests(session, readers=some, names=names, now=now)
    return planned


def _plan_quiet(schedules: Sequence[DueSchedule], *, database: Database, now: datetime) -> int:
    """A quiet note for each of their readers who chose it and has long heard nothing."""
    months = {schedule.id: _month(schedule, now) for schedule in schedules if _is_quiet_hour(schedule, now)}
    with database.reading() as session:
        readers = quiet_store.list_readers_due(session, months=months, now=now, size=MAILS) if months else []
    planned = 0
    for some in readers:
        with database.writing() as session:
            planned += quiet_store.insert_notes(session, readers=some, months=months, now=now)
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
