"""Urgent mails: for whom something waits that is not to wait for their schedule."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, Subquery, and_, func, literal, select, text
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session, aliased

from notifier.store.given import among
from notifier.store.models import Delivery, Match, Schedule, Subscriber, Subscription
from notifier.store.pause_store import came_since_pause
from notifier.store.plan_store import (
    DIGEST,
    READERS,
    DueSchedule,
    Names,
    due_schedule,
    insert_digests_of,
    insert_new,
    is_made,
    is_on_its_way,
    list_due_of,
    moment_key,
    new_delivery,
    waiting_news,
)
from notifier.store.statement_plans import look_up_only, plan_only

URGENT = "urgent"
A_DAY = 4
"""Urgent mails one reader gets on one local day at most; what comes after them waits for the digest or the next day."""

# Written out, so that SQLite too sees that the partial index applies.
_MAY_BE_URGENT: ColumnElement[bool] = and_(text("matches.urgent"), Match.ended_at.is_(None))
# Who no longer wants to hear at once, does not, whatever waits for them from before; nor who just ended a pause.
_IS_URGENT = and_(_MAY_BE_URGENT, Subscription.urgent, came_since_pause())


def list_schedules(session: Session) -> list[DueSchedule]:
    """The schedules, due or not, of readers for whom something urgent waits, but for "as it happens".

    Empty, at next to no cost, where there is nothing.
    """
    waiting = (
        select(Schedule)
        .join(Subscriber, Subscriber.schedule_id == Schedule.id)
        .join(Match, Match.subscriber_id == Subscriber.id)
        .where(_MAY_BE_URGENT, Match.delivery_id.is_(None), Schedule.cadence != "instant")
    )
    return [due_schedule(one) for one in session.scalars(waiting.distinct())]


def list_readers_due(session: Session, *, names: Names, now: datetime) -> Sequence[int]:
    """The readers of these schedules for whom something urgent waits and no digest is on its way."""
    return list_due_of(session, _IS_URGENT, names=names, now=now)


def insert_digests(session: Session, *, readers: Sequence[int], names: Names, now: datetime) -> int:
    """As `plan_store.insert_digests`, only for those of these readers for whom something urgent waits."""
    return insert_digests_of(session, _is_urgent_of_these(), readers=readers, names=names, now=now)


def list_readers(session: Session, *, zone: str, since: datetime, now: datetime) -> Sequence[int]:
    """The readers of a time zone whose urgent news may be mailed now; ``since`` is when their day began.

    Not those who get everything as it happens, nor those with an urgent mail or a digest about to go out, which takes
    the news along, nor those who had as many today as may be.
    """
    plan_only(session)
    news = waiting_news(_IS_URGENT, now=now).subquery()
    return session.scalars(_rows(news, [news.c.subscriber_id], zone=zone, since=since)).all()


def insert_mails(session: Session, *, readers: Sequence[int], zone: str, since: datetime, now: datetime) -> int:
    """One waiting urgent mail for each of these readers, as `list_readers` finds them."""
    look_up_only(session)
    news = waiting_news(_is_urgent_of_these(), now=now).subquery()
    row = new_delivery(kind=URGENT, key=_key(news), subscriber_id=news.c.subscriber_id, lane=0, now=now)
    return insert_new(session, row, _rows(news, row.values(), zone=zone, since=since), readers=readers)


def _is_urgent_of_these() -> ColumnElement[bool]:
    return and_(_IS_URGENT, among(Match.subscriber_id, READERS))


def _rows(news: Subquery, columns: Iterable[ColumnElement[Any]], *, zone: str, since: datetime) -> Select[Any]:
    reader = news.c.subscriber_id
    joined = select(*columns).select_from(news).join(Subscriber, Subscriber.id == reader)
    return joined.join(Schedule, Schedule.id == Subscriber.schedule_id).where(
        Schedule.cadence != "instant",
        Schedule.time_zone == zone,
        ~is_on_its_way(reader, kind=URGENT, states=("waiting", "leased", "deferred")),
        ~is_on_its_way(reader, kind=DIGEST, states=("waiting", "leased")),
        _sent_since(reader, since) < A_DAY,
        ~is_made(reader, _key(news)),
    )


def _sent_since(reader: ColumnElement[int], since: datetime) -> ColumnElement[int]:
    earlier = aliased(Delivery)
    made = select(func.count()).where(earlier.subscriber_id == reader, earlier.kind == URGENT)
    counted = made.where(earlier.state != "cancelled", earlier.created_at >= since)
    return counted.correlate_except(earlier).scalar_subquery()


def _key(news: Subquery) -> ColumnElement[str]:
    reader = news.c.subscriber_id
    named = moment_key(reader, news.c.newest)
    return literal(f"{URGENT}:").concat(sql_cast(reader, String)).concat(":").concat(named)
