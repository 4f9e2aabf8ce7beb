"""The statement that writes Matches: which Changes concern which Subscriptions; made once, run for every batch."""

from functools import cache
from typing import Any

from sqlalchemy import CTE, BindParameter, ColumnElement, and_, bindparam, or_, select, true, union
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased

from notifier.domain import wishes
from notifier.domain.changes import IMPORTANT, Weight
from notifier.store.condition_ties import concerns_at_change, is_meant
from notifier.store.filter_judging import judged_filters
from notifier.store.given import among
from notifier.store.models import Change, Match, Subscription, Told, TrialCondition

_COLUMNS = ("change_id", "subscription_id", "subscriber_id", "trial_id", "seq", "urgent", "created_at")
_NOW: BindParameter[Any] = bindparam("now", type_=Match.created_at.type)
_YEAR: BindParameter[int] = bindparam("year", type_=Change.seq.type)


@cache
def insert_statement(*, is_on_sqlite: bool, is_parted: bool) -> Any:
    """The INSERT … SELECT of every Match of some Changes; what is there already stays as it is.

    Making it takes longer than many a batch takes to be matched, while nobody else may write, so it is kept. It takes
    ``changes`` (ids), ``now`` and ``year``, and where it is parted, ids of subscriptions: ``after`` one and ``upto``
    another.
    """
    covered = _between() if is_parted else true()
    found = union(_by_trial(covered), *_by_condition(covered)).subquery()
    ordered = select(found).order_by(found.c.subscriber_id, found.c.change_id)
    inserted = sqlite.insert(Match) if is_on_sqlite else postgresql.insert(Match)
    return inserted.from_select(_COLUMNS, ordered).on_conflict_do_nothing()


def _between() -> ColumnElement[bool]:
    after, upto = (bindparam(name, type_=Subscription.id.type) for name in ("after", "upto"))
    return and_(Subscription.id > after, Subscription.id <= upto)


def _is_given() -> ColumnElement[bool]:
    return among(Change.id, "changes")


def _by_trial(covered: ColumnElement[bool]) -> Any:
    """By trial, where the reader was not told so far already: whoever subscribes is told of all there is then."""
    told = and_(Told.subscriber_id == Subscription.subscriber_id, Told.trial_id == Change.trial_id)
    joined = _selected().join(Subscription, Subscription.trial_id == Change.trial_id).outerjoin(Told, told)
    # Nothing is noted yet while older news of the trial waits for them through a condition.
    untold = and_(Told.seq.is_(None), Subscription.confirmed_at <= Change.observed_at)
    return joined.where(
        _is_given(),
        covered,
        Subscription.ended_at.is_(None),
        or_(Change.seq > Told.seq, untold),
        Change.weight > Weight.HOUSEKEEPING,
        or_(Subscription.wants != wishes.IMPORTANT, Change.weight >= IMPORTANT),
    )


def _by_condition(covered: ColumnElement[bool]) -> list[Any]:
    """By condition, where the trial concerned it before or after the Change; what comes twice the union makes one.

    Composing decides by the net change; this only leaves out what cannot become news. One statement for each reason,
    so that what says nothing to those who want openings is not held against every one of them; and those with a filter
    apart, found by an index of their own, so that who has none does not pay for it.
    """
    begins, leaves = TrialCondition.since_seq == Change.seq, TrialCondition.until_seq == Change.seq
    unfiltered = _concerned(covered)
    judged = judged_filters(and_(_is_given(), covered), year=_YEAR)
    filtered = _fitting(judged).where(covered)
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


def _concerned(covered: ColumnElement[bool]) -> Any:
    joined = (
        _selected()
        .join(TrialCondition, concerns_at_change())
        .join(Subscription, Subscription.condition_id == TrialCondition.condition_id)
    )
    return joined.where(_is_given(), covered, Subscription.filter_id.is_(None), is_meant(), _is_open())


def _fitting(judged: CTE) -> Any:
    """Of those with a filter, whom the trial fitted before the Change or fits after it."""
    asked = and_(Subscription.condition_id == judged.c.condition_id, Subscription.filter_id == judged.c.filter_id)
    joined = (
        _selected()
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
    of_them = select(earlier.id).where(
        earlier.subscription_id == Subscription.id,
        earlier.trial_id == Change.trial_id,
        or_(earlier.ended_at.is_(None), earlier.ended_as == "delivered"),
    )
    # So that PostgreSQL looks it up for each of them. Where it counted Matches before there were any, it would begin
    # with all of these otherwise, and look for whom they are.
    return of_them.offset(0).exists()


def _selected() -> Any:
    return select(
        Change.id.label("change_id"),
        Subscription.id.label("subscription_id"),
        Subscription.subscriber_id.label("subscriber_id"),
        Change.trial_id.label("trial_id"),
        Change.seq.label("seq"),
        and_(Subscription.urgent, or_(Change.weight >= IMPORTANT, Change.seq == 1)).label("urgent"),
        _NOW.label("created_at"),
    ).select_from(Change)
