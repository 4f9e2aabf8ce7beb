"""Quiet notes: who chose to hear once a month that there is nothing new, for whom it is time, and what a note says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, exists, func, literal, or_, select, text, union
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from notifier.domain.deliveries import QUIET, UNASKED, UNRESOLVED
from notifier.domain.trials import day_of
from notifier.store.given import among
from notifier.store.models import Delivery, Match, Subscriber, Subscription, Trial, TrialCondition
from notifier.store.pause_store import is_awake
from notifier.store.plan_store import READERS, insert_new, is_made, new_delivery
from notifier.store.statement_plans import look_up_only, plan_only

SILENCE = timedelta(days=30)
"""How long nothing must have gone to a reader before they hear that there is nothing."""


# Written out, so that SQLite too sees that the partial index applies.
_IS_CHOSEN = text("subscribers.quiet_notes")
_READER: ColumnElement[int] = Subscriber.id.expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What a note says: studies watched for a reader, things they asked for, when we last wrote, the newest data."""

    studies: int
    asked: int
    since: date
    last_checked: date | None


def is_chosen(session: Session) -> bool:
    """Whether anybody chose quiet notes."""
    return session.scalar(select(Subscriber.id).where(_IS_CHOSEN).limit(1)) is not None


def list_readers_due(session: Session, *, months: dict[int, str], now: datetime) -> Sequence[int]:
    """The readers of these schedules for whom it is time; ``months`` by schedule id name the mails."""
    plan_only(session)
    rows = _rows([_READER], months=months, now=now, whose=Subscriber.schedule_id.in_(months))
    return session.scalars(rows).all()


def insert_notes(session: Session, *, readers: Sequence[int], months: dict[int, str], now: datetime) -> int:
    """One waiting note for each of these readers, as `list_readers_due` finds them."""
    look_up_only(session)
    row = new_delivery(kind=QUIET, key=_key(months), subscriber_id=_READER, lane=1, now=now)
    whose = and_(among(Subscriber.id, READERS), Subscriber.schedule_id.in_(months))
    return insert_new(session, row, _rows(row.values(), months=months, now=now, whose=whose), readers=readers)


def waits_for(subscriber_id: Any) -> ColumnElement[bool]:
    """That something waits for a reader, free or not; of a statement that asks with a column of its own."""
    return exists().where(Match.subscriber_id == subscriber_id, Match.ended_at.is_(None))


def list_busy(session: Session, subscriber_ids: Sequence[int]) -> set[int]:
    """Which of these readers something waits for, free or not."""
    waiting = select(Match.subscriber_id).where(Match.subscriber_id.in_(subscriber_ids), Match.ended_at.is_(None))
    return set(session.scalars(waiting.distinct())) if subscriber_ids else set()


def find_silence(session: Session, subscriber_id: int, *, now: datetime) -> Silence | None:
    """What there is to say to a reader; None where they no longer want it, or something came or went out meanwhile."""
    reader = session.get(Subscriber, subscriber_id)
    followed = session.scalars(
        select(Subscription).where(Subscription.subscriber_id == subscriber_id, Subscription.ended_at.is_(None))
    ).all()
    if reader is None or not reader.quiet_notes or not followed or list_busy(session, [subscriber_id]):
        return None
    since = _last_written(session, subscriber_id, now) or min(one.confirmed_at for one in followed)
    if since > now - SILENCE:
        return None
    return Silence(
        studies=_count_studies(session, followed),
        asked=len(followed),
        since=since.date(),
        last_checked=_newest_data(session),
    )


def _rows(
    columns: Iterable[ColumnElement[Any]], *, months: dict[int, str], now: datetime, whose: ColumnElement[bool]
) -> Select[Any]:
    since = now - SILENCE
    mine = Delivery.subscriber_id == Subscriber.id
    wrote = exists().where(mine, Delivery.kind.in_(UNASKED), Delivery.sent_at > since)
    writes = exists().where(mine, Delivery.kind.in_(UNASKED), Delivery.state.in_(UNRESOLVED))
    return select(*columns).where(
        whose,
        _IS_CHOSEN,
        is_awake(now),
        _follows_since(since),
        ~exists().where(Match.subscriber_id == Subscriber.id, Match.ended_at.is_(None)),
        ~wrote,
        ~writes,
        ~is_made(_READER, _key(months)),
    )


def _follows_since(moment: datetime) -> ColumnElement[bool]:
    """Asked twice so that both partial indexes serve."""
    open_one = and_(
        Subscription.subscriber_id == Subscriber.id,
        Subscription.ended_at.is_(None),
        Subscription.confirmed_at <= moment,
    )
    to_trial = exists().where(open_one, Subscription.trial_id.is_not(None))
    to_condition = exists().where(open_one, Subscription.condition_id.is_not(None))
    return or_(to_trial, to_condition)


def _key(months: dict[int, str]) -> ColumnElement[str]:
    month: ColumnElement[str] = case(*((Subscriber.schedule_id == one, literal(name)) for one, name in months.items()))
    return literal(f"{QUIET}:").concat(sql_cast(Subscriber.id, String)).concat(":").concat(month)


def _newest_data(session: Session) -> date | None:
    """The day of the newest registry data, by the studies that changed last: looking at all would take long."""
    last = select(Trial.data_version).order_by(Trial.last_change_at.desc()).limit(100).subquery()
    return day_of(session.scalar(select(func.max(last.c.data_version))))


def _last_written(session: Session, subscriber_id: int, now: datetime) -> datetime | None:
    mine = and_(Delivery.subscriber_id == subscriber_id, Delivery.kind.in_(UNASKED), Delivery.sent_at <= now)
    return session.scalar(select(func.max(Delivery.sent_at)).where(mine))


def _count_studies(session: Session, followed: Sequence[Subscription]) -> int:
    """The studies that subscriptions lead to, each once; filters are left aside."""
    trials = [one.trial_id for one in followed if one.trial_id is not None]
    conditions = [one.condition_id for one in followed if one.condition_id is not None]
    concerned = select(TrialCondition.trial_id).where(
        TrialCondition.condition_id.in_(conditions), TrialCondition.until_seq.is_(None)
    )
    named = select(Trial.id).where(Trial.id.in_(trials))
    return session.scalar(select(func.count()).select_from(union(concerned, named).subquery())) or 0
