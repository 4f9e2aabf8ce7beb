"""Lists for programs, page by page: each goes on after the last row it gave, so that what is new moves nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, Select, select, tuple_
from sqlalchemy.orm import Session

from notifier.store.models import Change, Condition, Trial, TrialCondition


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyList:
    """Which studies are listed; None asks for nothing. ``updated_since`` orders them by when they changed."""

    condition_id: int | None = None
    status: str | None = None
    updated_since: datetime | None = None


Found: TypeAlias = Row[*tuple[Any, ...]]
Asks: TypeAlias = Select[*tuple[Any, ...]]

_STUDY = (
    Trial.id, Trial.number, Trial.title, Trial.status, Trial.listing, Trial.first_seen_at, Trial.last_change_at,
    Trial.last_update_posted, Trial.seq,
)  # fmt: skip
_CHANGE = (Change.id, Trial.number, Change.seq, Change.observed_at, Change.baseline, Change.fields)


def list_studies(session: Session, asked: StudyList, *, after: tuple[Any, ...] | None, limit: int) -> Sequence[Found]:
    """Studies but for those that were merged into others.

    ``after`` is the id of the last one given, with ``updated_since`` (when it changed, its id).
    """
    chosen = select(*_STUDY).where(Trial.merged_into_id.is_(None))
    if asked.status is not None:
        chosen = chosen.where(Trial.status == asked.status)
    if asked.condition_id is not None:
        chosen = _concerning(chosen, asked.condition_id)
    if asked.updated_since is not None:
        return _by_change(session, chosen, since=asked.updated_since, after=after, limit=limit)
    # The same column as the index that is walked: of a condition its own ties, else the studies.
    key = TrialCondition.trial_id if asked.condition_id is not None else Trial.id
    chosen = chosen.where(key > after[0]) if after else chosen
    return session.execute(chosen.order_by(key).limit(limit)).all()


def list_changes(
    session: Session, *, since: datetime | None, until: datetime, after: tuple[Any, ...] | None, limit: int
) -> Sequence[Found]:
    """Changes of all studies in the order in which they were observed; ``after`` is (when, its id) of the last one."""
    chosen = select(*_CHANGE).join(Trial, Trial.id == Change.trial_id).where(Change.observed_at <= until)
    if since is not None:
        chosen = chosen.where(Change.observed_at >= since)
    if after is not None:
        chosen = chosen.where(tuple_(Change.observed_at, Change.id) > after)
    return session.execute(chosen.order_by(Change.observed_at, Change.id).limit(limit)).all()


def list_trial_changes(session: Session, trial_id: int, *, before: int | None, limit: int) -> Sequence[Change]:
    """The Changes of one trial, newest first; ``before`` is the number of the last one given."""
    chosen = select(Change).where(Change.trial_id == trial_id)
    chosen = chosen.where(Change.seq < before) if before is not None else chosen
    return session.scalars(chosen.order_by(Change.seq.desc()).limit(limit)).all()


def list_conditions(session: Session, *, after: int, limit: int) -> Sequence[Condition]:
    """Conditions in the order in which they became known, but for words that only a reader follows."""
    chosen = select(Condition).where(Condition.id > after, Condition.kind != "text")
    return session.scalars(chosen.order_by(Condition.id).limit(limit)).all()


def _concerning(chosen: Asks, condition_id: int) -> Asks:
    tied = (TrialCondition.condition_id == condition_id, TrialCondition.until_seq.is_(None))
    return chosen.join(TrialCondition, TrialCondition.trial_id == Trial.id).where(*tied, TrialCondition.how != "text")


def _by_change(
    session: Session, chosen: Asks, *, since: datetime, after: tuple[Any, ...] | None, limit: int
) -> Sequence[Found]:
    chosen = chosen.where(Trial.last_change_at >= since)
    if after is not None:
        chosen = chosen.where(tuple_(Trial.last_change_at, Trial.id) > after)
    return session.execute(chosen.order_by(Trial.last_change_at, Trial.id).limit(limit)).all()
