"""Matches: which Change concerns which Subscription, found by one statement per batch of Changes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, and_, exists, func, literal, or_, select, union, update
from sqlalchemy.orm import Session, aliased

from notifier.domain import wishes
from notifier.domain.changes import IMPORTANT, Weight
from notifier.store.condition_ties import concerns_at_change, is_meant
from notifier.store.filter_judging import judged_filters
from notifier.store.inserting import insert_for
from notifier.store.interest_store import count_interested
from notifier.store.models import Change, Match, Subscription, Told, TrialCondition

_COLUMNS = ("change_id", "subscription_id", "subscriber_id", "trial_id", "seq", "urgent", "created_at")


def list_unmatched(session: Session, *, limit: int, matches: int) -> Sequence[int]:
    """Ids of the oldest Changes not matched yet, as many as may make about so many Matches, and at least one."""
    columns = (Change.id, Change.trial_id, Change.seq, Change.weight, Change.opens, Change.closes)
    waiting = select(*columns).where(Change.matched_at.is_(None)).order_by(Change.id).limit(limit)
    changes = session.execute(waiting).all()
    expected = count_interested(session, changes) if len(changes) > 1 else {}
    chosen: list[int] = []
    for change in changes:
        matches -= expected.get(change.id, 0)
        if chosen and matches < 0:
            break
        chosen.append(change.id)
    return chosen


def claim_changes(session: Session, change_ids: Sequence[int]) -> Sequence[int]:
    """Those of these Changes that are not matched yet, locked until this transaction ends; others pass them over."""
    waiting = select(Change.id).where(Change.id.in_(change_ids), Change.matched_at.is_(None)).order_by(Change.id)
    return session.scalars(waiting.with_for_update(skip_locked=True)).all()


def newest_change(session: Session) -> int:
    """Id of the newest Change; 0 where there is none."""
    return session.scalar(select(func.coalesce(func.max(Change.id), 0))) or 0


def wait_for_changes(session: Session, newest: int, *, limit: int) -> Sequence[int]:
    """The oldest Changes up to this one that are still not matched, locked; waits for whoever is matching them."""
    waiting = select(Change.id).where(Change.id <= newest, Change.matched_at.is_(None)).order_by(Change.id)
    return session.scalars(waiting.limit(limit).with_for_update()).all()


def insert_matches(session: Session, change_ids: Sequence[int], *, now: datetime) -> int:
    """Write every Match of these Changes in one INSERT … SELECT; how many were new."""
    found = union(_by_trial(change_ids, now), *_by_condition(change_ids, now)).subquery()
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


def has_strays(session: Session, change_ids: Sequence[int]) -> bool:
    """Whether Matches of these Changes are a reader's whose subscription went to another one meanwhile.

    As with those that ended: on PostgreSQL two readers may be joined between the reading and the writing.
    """
    strays = select(Match.id).join(Subscription, Subscription.id == Match.subscription_id)
    strays = strays.where(Match.change_id.in_(change_ids), Match.subscriber_id != Subscription.subscriber_id)
    return session.scalar(strays.limit(1)) is not None


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


def _by_condition(change_ids: Sequence[int], now: datetime) -> list[Any]:
    """By condition, where the trial concerned it before or after the Change; what comes twice the union makes one.

    Composing decides by the net change; this only leaves out what cannot become news. One statement for each reason,
    so that what says nothing to those who want openings is not held against every one of them; and those with a filter
    apart, found by an index of their own, so that who has none does not pay for it.
    """
    begins, leaves = TrialCondition.since_seq == Change.seq, TrialCondition.until_seq == Change.seq
    unfiltered = _concerned(change_ids, now)
    judged = judged_filters(change_ids, year=now.year)
    filtered = _fitting(judged, now)
    fits_before, fits_after, is_unsure = judged.c.fits_before, judged.c.fits_after, judged.c.is_unsure
    comes_to_fit, ceases_to_fit = (
        and_(fits_after, or_(is_unsure, ~fits_before)),
        and_(fits_before, or_(is_unsure, ~fits_after)),
    )
    return [
        *(unfiltered.where(reason) for reason in _reasons(begins, leaves)),
        *(filtered.where(reason) for reason in _reasons(or_(begins, comes_to_fit), or_(leaves, ceases_to_fit))),
    ]


def _reasons(begins: ColumnElement[bool], leaves: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    """Why a Change may become news, where a trial that ``begins`` to be what they asked for is new to them."""
    first = and_(Change.seq == 1, Change.first_posted >= Subscription.news_since)
    later = and_(Change.seq > 1, Change.weight > Weight.HOUSEKEEPING)
    important = and_(Subscription.wants == wishes.IMPORTANT, Change.weight >= IMPORTANT)
    return (
        and_(begins, or_(first, later)),
        and_(later, Subscription.wants == wishes.EVERYTHING),
        and_(later, important),
        and_(later, Subscription.wants == wishes.OPENINGS, Change.opens),
        and_(later, Subscription.wants == wishes.OPENINGS, Change.closes, _may_be_told()),
        and_(later, leaves, _may_be_told()),
    )


def _concerned(change_ids: Sequence[int], now: datetime) -> Any:
    joined = (
        _selected(now)
        .join(TrialCondition, concerns_at_change())
        .join(Subscription, Subscription.condition_id == TrialCondition.condition_id)
    )
    return joined.where(Change.id.in_(change_ids), Subscription.filter_id.is_(None), is_meant(), _is_open())


def _fitting(judged: CTE, now: datetime) -> Any:
    """Of those with a filter, whom the trial fitted before the Change or fits after it."""
    asked = and_(Subscription.condition_id == judged.c.condition_id, Subscription.filter_id == judged.c.filter_id)
    joined = (
        _selected(now)
        .join(judged, judged.c.change_id == Change.id)
        .join(TrialCondition, TrialCondition.id == judged.c.tie_id)
        .join(Subscription, asked)
    )
    return joined.where(or_(judged.c.fits_before, judged.c.fits_after), is_meant(), _is_open())


def _is_open() -> ColumnElement[bool]:
    """That it is open, and was when the Change was observed: whoever subscribed later could see it then."""
    return and_(Subscription.ended_at.is_(None), Subscription.confirmed_at <= Change.observed_at)


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
        and_(Subscription.urgent, or_(Change.weight >= IMPORTANT, Change.seq == 1)).label("urgent"),
        moment.label("created_at"),
    ).select_from(Change)


def _count(session: Session, change_ids: Sequence[int]) -> int:
    return session.scalar(select(func.count()).where(Match.change_id.in_(change_ids))) or 0
