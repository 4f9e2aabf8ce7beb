"""Matches: which Change concerns which Subscription, found by one statement per batch of Changes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, union, update
from sqlalchemy.orm import Session

from notifier.domain.changes import Weight
from notifier.domain.wishes import EVERYTHING
from notifier.store.inserting import insert_for
from notifier.store.models import Change, Match, Subscription, TrialCondition

_COLUMNS = ("change_id", "subscription_id", "subscriber_id", "trial_id", "seq", "created_at")


def claim_changes(session: Session, *, limit: int) -> Sequence[int]:
    """Ids of the oldest Changes not matched yet, locked until this transaction ends; other workers pass them over."""
    waiting = select(Change.id).where(Change.matched_at.is_(None)).order_by(Change.id).limit(limit)
    return session.scalars(waiting.with_for_update(skip_locked=True)).all()


def insert_matches(session: Session, change_ids: Sequence[int], *, now: datetime) -> int:
    """Write every Match of these Changes in one INSERT … SELECT; how many were new."""
    found = union(_by_trial(change_ids, now), _by_condition(change_ids, now)).subquery()
    ordered = select(found).order_by(found.c.subscriber_id, found.c.change_id)
    statement = insert_for(session, Match).from_select(_COLUMNS, ordered).on_conflict_do_nothing()
    before = _count(session, change_ids)
    session.execute(statement)
    return _count(session, change_ids) - before


def mark_matched(session: Session, change_ids: Sequence[int], *, now: datetime) -> None:
    """Say that these Changes are matched, in the transaction that wrote their Matches."""
    session.execute(update(Change).where(Change.id.in_(change_ids)).values(matched_at=now))


def _by_trial(change_ids: Sequence[int], now: datetime) -> Any:
    joined = _selected(now).join(Subscription, Subscription.trial_id == Change.trial_id)
    return joined.where(Change.id.in_(change_ids), _is_open_for_change(), Change.weight > Weight.HOUSEKEEPING)


def _by_condition(change_ids: Sequence[int], now: datetime) -> Any:
    """By condition, where the trial concerned it before or after the Change; DISTINCT comes with the union."""
    held = and_(
        TrialCondition.trial_id == Change.trial_id,
        TrialCondition.since_seq <= Change.seq,
        or_(TrialCondition.until_seq.is_(None), TrialCondition.until_seq >= Change.seq),
    )
    joined = (
        _selected(now)
        .join(TrialCondition, held)
        .join(Subscription, Subscription.condition_id == TrialCondition.condition_id)
    )
    first = and_(Change.seq == 1, Change.first_posted >= Subscription.news_since)
    later = and_(
        Change.seq > 1,
        Change.weight > Weight.HOUSEKEEPING,
        or_(Subscription.wants == EVERYTHING, Change.opens, TrialCondition.since_seq == Change.seq),
    )
    return joined.where(Change.id.in_(change_ids), _is_open_for_change(), or_(first, later))


def _selected(now: datetime) -> Any:
    moment = literal(now, Match.created_at.type)
    return select(
        Change.id.label("change_id"),
        Subscription.id.label("subscription_id"),
        Subscription.subscriber_id.label("subscriber_id"),
        Change.trial_id.label("trial_id"),
        Change.seq.label("seq"),
        moment.label("created_at"),
    ).select_from(Change)


def _is_open_for_change() -> ColumnElement[bool]:
    """Somebody who subscribed after a Change was observed has been told of it by what they saw then."""
    return and_(Subscription.ended_at.is_(None), Subscription.confirmed_at <= Change.observed_at)


def _count(session: Session, change_ids: Sequence[int]) -> int:
    return session.scalar(select(func.count()).where(Match.change_id.in_(change_ids))) or 0
