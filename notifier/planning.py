"""Planning: a Schedule that is due gives a Delivery to each of its readers who have news, and to nobody else."""

from collections.abc import Sequence
from datetime import datetime

from notifier.domain.schedules import next_due, period
from notifier.store import plan_store
from notifier.store.database import Database
from notifier.store.plan_store import DueSchedule
from notifier.store.portions import portions

SCHEDULES = 200
"""Schedules planned by one statement."""
MAILS = 5_000
"""Deliveries written in one transaction, so that it stays under 200 ms."""


def plan_digests(*, database: Database, now: datetime) -> int:
    """Plan every Schedule that is due; how many Deliveries that made.

    A Schedule moves to its next due time only when all its Deliveries are written. Whoever dies before that, or plans
    at the same time, makes the same Deliveries by the same keys. After an outage the missed periods are one digest,
    named after the first of them.
    """
    with database.reading() as session:
        due = plan_store.list_due(session, now=now)
        waiting = bool(due) and plan_store.is_anything_waiting(session)
    planned = 0
    for some in portions(due, SCHEDULES):
        planned += _plan(some, database=database, now=now) if waiting else 0
        _move_on(some, database=database, now=now)
    return planned


def _plan(schedules: Sequence[DueSchedule], *, database: Database, now: datetime) -> int:
    names = {schedule.id: _name(schedule) for schedule in schedules}
    with database.reading() as session:
        readers = plan_store.list_readers_due(session, names=names)
    planned = 0
    for some in portions(readers, MAILS):
        with database.writing() as session:
            planned += plan_store.insert_digests(session, readers=some, names=names, now=now)
    return planned


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
