"""Planning: a Schedule that is due gives a Delivery to each of its readers who have news, and to nobody else."""

from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain.schedules import next_due, period
from notifier.store import plan_store
from notifier.store.database import Database
from notifier.store.models import Schedule

BATCH = 100


def plan_digests(*, database: Database, now: datetime) -> int:
    """Plan every Schedule that is due; how many Deliveries that made.

    A Schedule is planned and moved to its next due time in one transaction, so two beats plan a period once; after an
    outage the missed periods are one digest, named after the first of them.
    """
    planned = 0
    seen: set[int] = set()
    while True:
        with database.writing() as session:
            due = [
                schedule for schedule in plan_store.list_due(session, now=now, limit=BATCH) if schedule.id not in seen
            ]
            if not due:
                return planned
            for schedule in due:
                planned += _plan(session, schedule, now=now)
                seen.add(schedule.id)


def _plan(session: Session, schedule: Schedule, *, now: datetime) -> int:
    cadence = plan_store.cadence_of(schedule)
    if cadence.cadence == "instant":
        return plan_store.insert_digests(session, schedule_id=schedule.id, period=None, now=now)
    name = period(cadence, due=schedule.next_due_at)
    plan_store.set_next_due(session, schedule.id, at=next_due(cadence, after=now))
    return plan_store.insert_digests(session, schedule_id=schedule.id, period=name, now=now)
