"""What a condition that somebody may follow would have brought lately, and by which names it is known."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Row, Select, and_, case, func, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from notifier.domain import wishes
from notifier.domain.changes import IMPORTANT, Weight
from notifier.domain.conditions import BROADER
from notifier.domain.fitting import JOINABLE_STATUSES
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.store.condition_ties import concerns_at_change
from notifier.store.filter_judging import fits_one
from notifier.store.models import (
    BroaderCondition,
    Change,
    Condition,
    ConditionName,
    StateTraits,
    Trial,
    TrialCondition,
)

MOST_TIES = 5_000
"""Of how many studies of a condition, the newest, the Changes are looked at: a bound on how long that takes."""


_COLUMNS = (Change.id, Change.trial_id, Change.seq, Change.first_posted, Change.observed_at, Change.to_state_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody would ask of a condition, as a subscription says it."""

    condition_id: int
    wants: str
    narrower: bool = True
    filter: ReaderFilter = NO_FILTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One Change that would have been news: its study's, ``first`` where the study was new with it."""

    change_id: int
    trial_id: int
    first: bool
    first_posted: str
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A Change as it is shown: the study it is of, how that stands now, and what changed, packed."""

    number: str
    title: str
    status: str | None
    fields: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names of conditions, the first few, and how many there are."""

    some: tuple[str, ...]
    count: int


def list_news(session: Session, wanted: Wanted, *, since: datetime, now: datetime, most: int) -> list[Found]:
    """What would have been news since a moment: new studies and later Changes, the newest ``most`` of each.

    By the rules that match (`match_store`), for somebody who was told of nothing before: that a study closed or left
    is for who knew it. A study is new if it was registered since then, also where a first load brought it.
    """
    tie = aliased(TrialCondition, _newest(wanted).subquery())
    base = select(*_COLUMNS).select_from(tie).join(Change, concerns_at_change(tie)).where(Change.observed_at >= since)
    # Found before the filter is looked at: PostgreSQL else reads the traits and places of every state there is.
    first, then = (
        base.where(kind).cte(name).prefix_with("MATERIALIZED", dialect="postgresql")
        for name, kind in (("first", _is_new(wanted, since)), ("later", _is_later(wanted, tie)))
    )
    new = _that_fit(first, wanted, year=now.year).order_by(first.c.first_posted.desc(), first.c.id.desc()).limit(most)
    later = _that_fit(then, wanted, year=now.year).order_by(then.c.observed_at.desc(), then.c.id.desc()).limit(most)
    both = union_all(select(new.subquery()), select(later.subquery()))
    return [_found(row) for row in {row.id: row for row in session.execute(both)}.values()]


def get_told(session: Session, change_ids: list[int]) -> dict[int, Told]:
    """These Changes as they are shown."""
    columns = (Change.id, Trial.number, Trial.title, Trial.status, Change.fields)
    chosen = select(*columns).join(Trial, Trial.id == Change.trial_id).where(Change.id.in_(change_ids))
    return {
        row.id: Told(number=row.number, title=row.title, status=row.status, fields=row.fields)
        for row in session.execute(chosen)
    }


def first_observed(session: Session) -> datetime | None:
    """When the first Change was seen that was not part of a first load, or the first of all; None where none is."""
    return session.scalar(select(func.min(Change.observed_at)))


def list_names(session: Session, condition_id: int, *, some: int) -> Names:
    """The other names of a condition, once each, singular and plural as one, the shortest first."""
    own = select(Condition.key).where(Condition.id == condition_id).scalar_subquery()
    chosen = select(ConditionName.key, func.min(ConditionName.name).label("name"))
    chosen = chosen.where(ConditionName.condition_id == condition_id, ConditionName.key != own)
    rows = session.execute(chosen.group_by(ConditionName.key)).all()
    keys = {row.key for row in rows} | {session.scalars(select(own)).one()}
    names = sorted(
        (row.name for row in rows if row.key.removesuffix("s") not in keys - {row.key}),
        key=lambda name: (len(name), name),
    )
    return Names(some=tuple(names[:some]), count=len(names))


def list_narrower(session: Session, condition_id: int, *, some: int) -> Names:
    """Conditions that are kinds of one, those with the most studies first."""
    kinds = select(BroaderCondition.condition_id).where(BroaderCondition.broader_id == condition_id)
    return _named(session, kinds, some=some, order=Condition.trial_count.desc())


def list_broader(session: Session, condition_id: int, *, some: int) -> Names:
    """Conditions that one is a kind of, the narrowest first."""
    above = select(BroaderCondition.broader_id).where(BroaderCondition.condition_id == condition_id)
    return _named(session, above, some=some, order=Condition.trial_count)


def is_cut(session: Session, condition_id: int) -> bool:
    """Whether a condition has more studies than are looked at."""
    return session.get_one(Condition, condition_id).trial_count > MOST_TIES


def has_kinds(session: Session, condition_id: int) -> bool:
    """Whether any study is tied to a condition because it is on a kind of it."""
    tied = select(TrialCondition.id).where(TrialCondition.condition_id == condition_id, TrialCondition.how == BROADER)
    return session.scalar(tied.limit(1)) is not None


def _named(session: Session, ids: Select[int], *, some: int, order: Any) -> Names:
    counted = session.scalar(select(func.count()).select_from(ids.distinct().subquery())) or 0
    names = select(Condition.name).where(Condition.id.in_(ids)).order_by(order, Condition.id).limit(some)
    return Names(some=tuple(session.scalars(names)), count=counted)


def _that_fit(news: CTE, wanted: Wanted, *, year: int) -> Select[Any]:
    """Those of these Changes whose study fits the filter with them."""
    if wanted.filter == NO_FILTER:
        return select(news)
    traits = aliased(StateTraits)
    known = select(news).outerjoin(traits, traits.state_id == news.c.to_state_id)
    return known.where(fits_one(traits, wanted.filter, year=year))


def _newest(wanted: Wanted) -> Select[TrialCondition]:
    ties = select(TrialCondition).where(TrialCondition.condition_id == wanted.condition_id)
    if not wanted.narrower:
        ties = ties.where(TrialCondition.how != BROADER)
    return ties.order_by(TrialCondition.trial_id.desc()).limit(MOST_TIES)


def _is_new(wanted: Wanted, since: datetime) -> ColumnElement[bool]:
    is_first = and_(Change.seq == 1, Change.first_posted >= since.date().isoformat())
    if wanted.wants == wishes.EVERYTHING:
        return is_first
    return and_(is_first, _is_joinable())


def _is_later(wanted: Wanted, tie: Any) -> ColumnElement[bool]:
    is_later = and_(Change.seq > 1, ~Change.baseline, Change.weight > Weight.HOUSEKEEPING, Change.held_id.is_(None))
    if wanted.wants == wishes.EVERYTHING:
        return is_later
    # As a CASE, because planners else ask of every Change whether its study is open.
    begins = case((tie.since_seq == Change.seq, _is_joinable()), else_=False)
    matters = Change.opens if wanted.wants == wishes.OPENINGS else Change.weight >= IMPORTANT
    return and_(is_later, or_(matters, begins))


def _is_joinable() -> ColumnElement[bool]:
    """That people can join the study now, or soon can: whoever asked for less than everything hears only of those."""
    joinable = select(Trial.id).where(Trial.id == Change.trial_id, Trial.status.in_(JOINABLE_STATUSES))
    return joinable.where(Trial.listing.is_(None)).exists()


def _found(row: Row[Any]) -> Found:
    return Found(
        change_id=row.id,
        trial_id=row.trial_id,
        first=row.seq == 1,
        first_posted=row.first_posted,
        observed_at=row.observed_at,
    )
