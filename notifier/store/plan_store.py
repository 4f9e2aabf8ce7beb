"""Plans: which schedules are due, and one waiting Delivery for each of their readers who have news."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import String, exists, func, literal, select, update
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from notifier.domain.schedules import Cadence
from notifier.store.inserting import insert_for
from notifier.store.models import Delivery, Match, Schedule, Subscriber

DIGEST = "digest"


def list_due(session: Session, *, now: datetime, limit: int) -> Sequence[Schedule]:
    """Schedules that are due, longest overdue first, locked; another beat passes them over."""
    due = select(Schedule).where(Schedule.next_due_at <= now).order_by(Schedule.next_due_at).limit(limit)
    return session.scalars(due.with_for_update(skip_locked=True)).all()


def cadence_of(schedule: Schedule) -> Cadence:
    """The schedule as a value."""
    return Cadence(cadence=schedule.cadence, hour=schedule.hour, weekday=schedule.weekday, time_zone=schedule.time_zone)


def set_next_due(session: Session, schedule_id: int, *, at: datetime) -> None:
    """When a schedule is due again."""
    session.execute(update(Schedule).where(Schedule.id == schedule_id).values(next_due_at=at))


def insert_digests(session: Session, *, schedule_id: int, period: str | None, now: datetime) -> int:
    """One waiting digest for each subscriber of a schedule who has news and no digest on its way; how many.

    Without ``period`` (as it happens) the newest waiting Match names the mail, so each batch of news is one; the
    count of deliveries given up lets news that was released from one of them have another.
    A digest on its way whose content is not frozen takes later news along; a frozen one does not, so it does not count.
    """
    news = (
        select(Match.subscriber_id, func.max(Match.id).label("newest"))
        .join(Subscriber, Subscriber.id == Match.subscriber_id)
        .where(Match.ended_at.is_(None), Match.delivery_id.is_(None), Subscriber.schedule_id == schedule_id)
        .group_by(Match.subscriber_id)
        .subquery()
    )
    on_its_way = exists().where(
        Delivery.subscriber_id == news.c.subscriber_id,
        Delivery.kind == DIGEST,
        Delivery.state.in_(("waiting", "leased", "deferred")),
        Delivery.message_id.is_(None),
    )
    given_up = select(func.count()).where(
        Delivery.subscriber_id == news.c.subscriber_id, Delivery.state.in_(("unknown", "cancelled"))
    )
    batch = sql_cast(news.c.newest, String).concat("/").concat(sql_cast(given_up.scalar_subquery(), String))
    name = literal(period) if period else literal("now:").concat(batch)
    key = literal(f"{DIGEST}:").concat(sql_cast(news.c.subscriber_id, String)).concat(":").concat(name)
    moment = literal(now, Delivery.created_at.type)
    row = {
        "kind": literal(DIGEST),
        "dedupe_key": key,
        "subscriber_id": news.c.subscriber_id,
        "lane": literal(1),
        "state": literal("waiting"),
        "not_before": moment,
        "created_at": moment,
        "attempts": literal(0),
        "ambiguous": literal(0),
    }
    rows = select(*row.values()).where(~on_its_way)
    statement = insert_for(session, Delivery).from_select(list(row), rows).on_conflict_do_nothing()
    # SQLAlchemy keeps the number of rows of an INSERT only where it is asked to.
    counted = session.connection().execute(statement, execution_options={"preserve_rowcount": True})
    return max(counted.rowcount, 0)
