"""Matches: which Change concerns which Subscription, found by one statement per batch of Changes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select, union, update
from sqlalchemy.orm import Session, aliased

from notifier.domain import wishes
from notifier.domain.changes import IMPORTANT, Weight
from notifier.store.inserting import insert_for
from notifier.store.models import Change, Match, Subscription, Told, TrialCondition

_COLUMNS = ("change_id", "subscription_id", "subscriber_id", "trial_id", "seq", "created_at")


def list_unmatched(session: Session, *, limit: int, matches: int) -> Sequence[int]:
    """Ids of the oldest Changes not matched yet, as many as may make about so many Matches, and at least one."""
    changes = session.execute(
        select(Change.id, Change.trial_id).where(Change.matched_at.is_(None)).order_by(Change.id).limit(limit)
    ).all()
    expected = _count_interested(session, {change.trial_id for change in changes}) if len(changes) > 1 else {}
    chosen: list[int] = []
    for change in changes:
        matches -= expected.get(change.trial_id, 0)
        if chosen and matches < 0:
            break
        chosen.append(change.id)
    return chosen


def claim_changes(session: Session, change_ids: Sequence[int]) -> Sequence[int]:
    """Those of these Changes that are not matched yet, locked until this transaction ends; others pass them over."""
    waiting = select(Change.id).where(Change.id.in_(change_ids), Change.matched_at.is_(None)).order_by(Change.id)
    return session.scalars(waiting.with_for_update(skip_locked=True)).all()


def insert_matches(session: Session, change_ids: Sequence[int], *, now: datetime) -> int:
    """Write every Match of these Changes in one INSERT … SELECT; how many were new."""
    found = union(_by_trial(change_ids, now), _by_condition(change_ids, now)).subquery()
    ordered = select(found).order_by(found.c.subscriber_id, found.c.change_id)
    statement = insert_for(session, Match).from_select(_COLUMNS, ordered).on_conflict_do_nothing()
    before = _count(session, change_ids)
    session.execute(statement)
    return _count(session, change_ids) - before


def end_orphans(session: Session, change_ids: Sequence[int], *, now: datetime) -> None:
    """End Matches of subscriptions that ended while these Changes were being matched.

    On PostgreSQL somebody may leave between the reading and the writing of one statement; once it has written, who
    leaves waits for us, and ends what we wrote.
    """
    left = select(Subscription.id).where(Subscription.id == Match.subscription_id, Subscription.ended_at.is_not(None))
    orphans = update(Match).where(Match.change_id.in_(change_ids), Match.ended_at.is_(None), left.exists())
    session.execute(orphans.values(ended_at=now, ended_as="ended").execution_options(synchronize_session=False))


def mark_matched(session: Session, change_ids: Sequence[int], *, now: datetime) -> None:
    """Say that these Changes are matched, in the transaction that wrote their Matches."""
    session.execute(update(Change).where(Change.id.in_(change_ids)).values(matched_at=now))


def _by_trial(change_ids: Sequence[int], now: datetime) -> Any:
    """By trial, where the reader was not told so far already: whoever subscribes is told of all there is then."""
    told = and_(Told.subscriber_id == Subscription.subscriber_id, Told.trial_id == Change.trial_id)
    joined = _selected(now).join(Subscription, Subscription.trial_id == Change.trial_id).outerjoin(Told, told)
    # Nothing is noted yet while older news of the trial waits for them through a condition.
    untold = and_(Told.seq.is_(None), Subscription.confirmed_at <= Change.observed_at)
    return joined.where(
        Change.id.in_(change_ids),
        Subscription.ended_at.is_(None),
        or_(Change.seq > Told.seq, untold),
        Change.weight > Weight.HOUSEKEEPING,
        or_(Subscription.wants != wishes.IMPORTANT, Change.weight >= IMPORTANT),
    )


def _by_condition(change_ids: Sequence[int], now: datetime) -> Any:
    """By condition, where the trial concerned it before or after the Change; DISTINCT comes with the union.

    Composing decides by the net change; this only leaves out what cannot become news.
    """
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
        or_(
            Subscription.wants == wishes.EVERYTHING,
            TrialCondition.since_seq == Change.seq,
            and_(Subscription.wants == wishes.IMPORTANT, Change.weight >= IMPORTANT),
            and_(Subscription.wants == wishes.OPENINGS, Change.opens),
            _is_the_end() & _may_be_told(),
        ),
    )
    return joined.where(
        Change.id.in_(change_ids),
        Subscription.ended_at.is_(None),
        # Whoever subscribed after a Change was observed could see it then.
        Subscription.confirmed_at <= Change.observed_at,
        or_(first, later),
    )


def _is_the_end() -> ColumnElement[bool]:
    closes = and_(Subscription.wants == wishes.OPENINGS, Change.closes)
    return or_(closes, TrialCondition.until_seq == Change.seq)


def _may_be_told() -> ColumnElement[bool]:
    """That they were told of the trial through this subscription, or may be by a mail that is being made just now."""
    earlier = aliased(Match)
    return exists().where(
        earlier.subscription_id == Subscription.id,
        earlier.trial_id == Change.trial_id,
        or_(earlier.ended_at.is_(None), earlier.ended_as == "delivered"),
    )


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


def _count_interested(session: Session, trial_ids: set[int]) -> dict[int, int]:
    """By trial, how many open subscriptions might hear of it: at most so many Matches can come of a Change."""
    open_ones = Subscription.ended_at.is_(None)
    trial_id = func.coalesce(Subscription.trial_id, 0)
    by_trial = select(trial_id, func.count()).where(open_ones, Subscription.trial_id.in_(trial_ids))
    by_condition = (
        select(TrialCondition.trial_id, func.count())
        .join(Subscription, Subscription.condition_id == TrialCondition.condition_id)
        .where(open_ones, TrialCondition.trial_id.in_(trial_ids))
    )
    interested: dict[int, int] = dict.fromkeys(trial_ids, 0)
    for statement in (by_trial.group_by(trial_id), by_condition.group_by(TrialCondition.trial_id)):
        for trial, number in session.execute(statement):
            interested[trial] += number
    return interested


def _count(session: Session, change_ids: Sequence[int]) -> int:
    return session.scalar(select(func.count()).where(Match.change_id.in_(change_ids))) or 0
