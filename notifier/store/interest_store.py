"""Which open subscriptions a Change may concern at most, looked up before it is matched."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, select, union_all
from sqlalchemy.orm import Session

from notifier.domain import wishes
from notifier.domain.changes import IMPORTANT, Weight
from notifier.store.given import among
from notifier.store.models import Subscription, TrialCondition

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
_Following: TypeAlias = tuple[int, str, bool]
"""A condition, what is wanted of it, and whether only those with a filter count: for them a trial may come to fit."""


def count_interested(session: Session, changes: Sequence[AnyRow]) -> dict[int, int]:
    """By id of a Change, how many Matches can come of it at most; counts nobody to whom it says nothing.

    Args:
        session: a reading transaction.
        changes: each with id, trial_id, seq, weight, opens and closes.
    """
    concerned = _following(session, changes)
    of_trials = _count_of_trials(session, {change.trial_id for change in changes})
    of_conditions = _count_of_conditions(session, set().union(*concerned.values()))
    return {
        change.id: of_trials.get(change.trial_id, 0) + sum(of_conditions.get(one, 0) for one in concerned[change.id])
        for change in changes
    }


def list_bounds(session: Session, change: AnyRow, *, size: int, after: int) -> Sequence[int]:
    """Ids of subscriptions, each the last of so many that a Change may concern; only of those after one.

    What comes after the last of them is fewer.
    """
    following = _following(session, [change])[change.id]
    interested = [Subscription.trial_id == change.trial_id, *_followers(following)]
    open_ones = (Subscription.ended_at.is_(None), Subscription.id > after)
    found = union_all(*(select(Subscription.id).where(*open_ones, some) for some in interested))
    return sorted(session.scalars(found))[size - 1 :: size]


def _following(session: Session, changes: Sequence[AnyRow]) -> dict[int, set[_Following]]:
    """By id of a Change, the conditions it concerns, and whom of those who follow them."""
    by_trial: dict[int, list[AnyRow]] = defaultdict(list)
    for tie in session.connection().execute(_TIES, {"trials": list({one.trial_id for one in changes})}):
        by_trial[tie.trial_id].append(tie)
    return {change.id: set(_concerned(change, by_trial[change.trial_id])) for change in changes}


def _followers(following: Iterable[_Following]) -> Iterator[ColumnElement[bool]]:
    for condition_id, wants, is_filtered in following:
        these = and_(Subscription.condition_id == condition_id, Subscription.wants == wants)
        yield and_(these, Subscription.filter_id.is_not(None)) if is_filtered else these


def _concerned(change: AnyRow, ties: Sequence[AnyRow]) -> Iterator[_Following]:
    for tie in ties:
        if tie.since_seq <= change.seq and (tie.until_seq is None or tie.until_seq >= change.seq):
            turns = change.seq in {tie.since_seq, tie.until_seq}
            for wants in wishes.CHOICES:
                yield tie.condition_id, wants, not (turns or _may_want(change, wants))


def _may_want(change: AnyRow, wants: str) -> bool:
    if wants == wishes.OPENINGS:
        return bool(change.opens or change.closes)
    return bool(change.weight >= (IMPORTANT if wants == wishes.IMPORTANT else Weight.CONTACTS))


def _count_of_trials(session: Session, trial_ids: set[int]) -> Mapping[int | None, int]:
    return dict(session.connection().execute(_OF_TRIALS, {"trials": list(trial_ids)}).all())


def _count_of_conditions(session: Session, following: set[_Following]) -> Mapping[_Following, int]:
    found: dict[_Following, int] = {}
    for wants, is_filtered in product(wishes.CHOICES, (False, True)):
        conditions = [one for one, wanted, filtered in following if (wanted, filtered) == (wants, is_filtered)]
        asked = {"conditions": conditions, "wants": wants}
        rows = session.connection().execute(_OF_CONDITIONS[is_filtered], asked) if conditions else ()
        found |= {(row.condition_id, wants, is_filtered): row.number for row in rows}
    return found


# Written once: building them anew for each batch would take as long as to match it.
_TIES = select(
    TrialCondition.trial_id, TrialCondition.condition_id, TrialCondition.since_seq, TrialCondition.until_seq
).where(among(TrialCondition.trial_id, "trials"))
_OF_TRIALS = (
    select(Subscription.trial_id, func.count())
    .where(Subscription.ended_at.is_(None), among(Subscription.trial_id, "trials"))
    .group_by(Subscription.trial_id)
)
_OF_ALL = (
    select(Subscription.condition_id, func.count().label("number"))
    .where(Subscription.ended_at.is_(None), among(Subscription.condition_id, "conditions"))
    .where(Subscription.wants == bindparam("wants"))
    .group_by(Subscription.condition_id)
)
_OF_CONDITIONS = {False: _OF_ALL, True: _OF_ALL.where(Subscription.filter_id.is_not(None))}
"""By whether only those with a filter count."""
