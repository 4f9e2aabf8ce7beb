"""Matches: which Change concerns which Subscription, found by one statement per batch of Changes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from notifier.store.given import among
from notifier.store.interest_store import AnyRow, count_interested, list_bounds
from notifier.store.match_statement import insert_statement
from notifier.store.models import Change, Match, Subscription
from notifier.store.statement_plans import is_sqlite, plan_only

LAST = 2**63 - 1
"""An id that none is greater than."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=15)
"""How soon, and how seldom, it is tried again to match what could not be matched."""
FURTHEST = timedelta(hours=1)
"""Nothing is to wait longer from now on; whoever said that it should had a clock that ran ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes to be matched next; ``bounds`` part the subscriptions where one Change concerns very many."""

    change_ids: Sequence[int] = ()
    bounds: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What one transaction matches: Changes, and with which subscriptions, by id; without bounds with all.

    Bounds are ids of subscriptions, because these stay the same when two readers are joined. Where some of it was done
    already by somebody else, `after` says up to where, and there may be nothing left.
    """

    change_ids: Sequence[int]
    after: int = 0
    upto: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left of it."""
        return self.upto is not None and self.after >= self.upto

    @property
    def is_part(self) -> bool:
        """Whether it is about some subscriptions only."""
        return self.after > 0 or self.upto is not None


def list_unmatched(
    session: Session, *, limit: int, matches: int, now: datetime, newest: int | None = None
) -> Sequence[Batch]:
    """The oldest Changes not matched yet; in each batch as many as may make about so many Matches, and at least one.

    One that may make more, or that is matched in part, is alone, with the bounds of the portions that are left; so is
    one that could not be matched before. Until it is tried again, such a one is left out.

    Args:
        session: a reading transaction.
        limit: how many Changes at most in all.
        matches: how many Matches one transaction may write.
        now: when this is.
        newest: leave out Changes after this one.
    """
    given = {"limit": limit, "newest": LAST if newest is None else newest, "now": now, "furthest": now + FURTHEST}
    changes = session.connection().execute(_WAITING, given).all()
    expected = count_interested(session, changes) if changes else {}
    return [_batch(session, some, expected, matches=matches) for some in _parted(changes, expected, matches=matches)]


def _parted(changes: Iterable[AnyRow], expected: Mapping[int, int], *, matches: int) -> list[list[AnyRow]]:
    """Changes that are matched together, in their order."""
    parts: list[list[AnyRow]] = []
    left = 0
    for change in changes:
        left -= expected.get(change.id, 0)
        if not parts or left < 0 or _is_apart(change) or _is_apart(parts[-1][0]):
            parts.append([])
            left = matches - expected.get(change.id, 0)
        parts[-1].append(change)
    return parts


def _is_apart(change: AnyRow) -> bool:
    """Whether it is matched alone: in part already, or not at all when it was tried."""
    return change.matched_upto is not None or change.match_after is not None


def _batch(session: Session, changes: Sequence[AnyRow], expected: Mapping[int, int], *, matches: int) -> Batch:
    first = changes[0]
    if len(changes) > 1 or expected.get(first.id, 0) <= matches:
        return Batch(change_ids=[one.id for one in changes])
    done = first.matched_upto or 0
    return Batch(change_ids=[first.id], bounds=list_bounds(session, first, size=matches, after=done))


def claim_portion(
    session: Session, change_ids: Sequence[int], *, upto: int | None = None, wait: bool = False
) -> Portion | None:
    """What of these Changes is not matched yet, locked until this transaction ends; None where there is nothing.

    Args:
        session: a writing transaction.
        change_ids: of a `Batch`.
        upto: one of its bounds, or None for all that is left.
        wait: for whoever is matching them, instead of passing those over.
    """
    claim = _CLAIM.with_for_update(skip_locked=not wait)
    found = session.connection().execute(claim, {"changes": list(change_ids)}).all()
    if len(change_ids) == 1:
        return Portion(change_ids=[found[0].id], after=found[0].matched_upto or 0, upto=upto) if found else None
    # What somebody began to match in portions meanwhile is matched alone.
    whole = [one.id for one in found if one.matched_upto is None]
    return Portion(change_ids=whole) if whole else None


def newest_change(session: Session) -> int:
    """Id of the newest Change; 0 where there is none."""
    return session.scalar(select(func.coalesce(func.max(Change.id), 0))) or 0


def insert_matches(session: Session, portion: Portion, *, now: datetime) -> int:
    """Write every Match of a portion in one INSERT … SELECT; how many were new."""
    plan_only(session)
    statement = insert_statement(is_on_sqlite=is_sqlite(session), is_parted=portion.is_part)
    given = _given(portion) | {"changes": list(portion.change_ids), "now": now, "year": now.year}
    written = session.connection().execute(statement, given, execution_options={"preserve_rowcount": True})
    # The driver of SQLite counts nothing where a statement begins with WITH.
    return written.rowcount if written.rowcount >= 0 else session.scalar(select(func.changes())) or 0


def end_orphans(session: Session, portion: Portion, *, now: datetime) -> bool:
    """End Matches of subscriptions that ended while this portion was being matched; whether all are their readers' own.

    On PostgreSQL somebody may leave, or two readers may be joined, between the reading and the writing of one
    statement; once it has written, who leaves waits for us, and ends what we wrote. On SQLite nobody writes meanwhile.
    """
    if is_sqlite(session):
        return True
    found = session.connection().execute(_OVERTAKEN[portion.is_part], _given(portion)).all()
    if any(row.is_stray for row in found):
        return False
    orphans = update(Match).where(Match.id.in_([row.id for row in found]), Match.ended_at.is_(None))
    if found:
        session.connection().execute(orphans.values(ended_at=now, ended_as="ended"))
    return True


def mark_matched(session: Session, portion: Portion, *, now: datetime) -> None:
    """Say how far these Changes are matched, in the transaction that wrote their Matches."""
    how_far, statement = (now, _MATCHED) if portion.upto is None else (portion.upto, _MATCHED_UPTO)
    session.connection().execute(statement, {"changes": list(portion.change_ids), "how_far": how_far})


def put_off(session: Session, change_id: int, *, now: datetime) -> bool:
    """Leave a Change that cannot be matched until later; whether this is the first time.

    That is as long again as it has been waiting: soon at first, then every quarter of an hour.
    """
    waiting = select(Change.observed_at, Change.match_after).where(Change.id == change_id, Change.matched_at.is_(None))
    change = session.execute(waiting.with_for_update()).one_or_none()
    if change is None:
        return False
    wait = min(max(now - change.observed_at, FIRST_WAIT), LONGEST_WAIT)
    session.execute(update(Change).where(Change.id == change_id).values(match_after=now + wait))
    return change.match_after is None


def list_broken(session: Session) -> Sequence[int]:
    """The Changes that could not be matched when that was tried last, oldest first."""
    broken = select(Change.id).where(Change.matched_at.is_(None), Change.match_after.is_not(None))
    return session.scalars(broken.order_by(Change.id)).all()


def _given(portion: Portion) -> dict[str, Any]:
    """A portion as the statements below take it; of what is matched in parts, there is one Change at a time."""
    if not portion.is_part:
        return {"changes": list(portion.change_ids)}
    upto = LAST if portion.upto is None else portion.upto
    return {"change": portion.change_ids[0], "after": portion.after, "upto": upto}


# Written once: building them anew for each batch would take as long as to match it.
_WAITING = (
    select(
        Change.id, Change.trial_id, Change.seq, Change.weight, Change.opens, Change.closes, Change.matched_upto,
        Change.match_after,
    )
    .where(Change.matched_at.is_(None), Change.id <= bindparam("newest", type_=Change.id.type))
    .where(or_(
        Change.match_after.is_(None),
        Change.match_after <= bindparam("now", type_=Change.match_after.type),
        Change.match_after > bindparam("furthest", type_=Change.match_after.type),
    ))
    .order_by(Change.id)
    .limit(bindparam("limit"))
)  # fmt: skip
_CLAIM = (
    select(Change.id, Change.matched_upto)
    .where(among(Change.id, "changes"), Change.matched_at.is_(None))
    .order_by(Change.id)
)


_IS_STRAY = Match.subscriber_id != Subscription.subscriber_id


def _of_its(said: ColumnElement[bool]) -> ColumnElement[bool]:
    """What a Match's Subscription says: looked up for each, where a join would read all Subscriptions there are."""
    return select(said).where(Subscription.id == Match.subscription_id).scalar_subquery()


_LEFT_OR_MOVED = select(Match.id, _of_its(_IS_STRAY).label("is_stray")).where(
    _of_its(or_(Subscription.ended_at.is_not(None), _IS_STRAY))
)
_IS_OF = {
    False: among(Match.change_id, "changes"),
    True: and_(
        Match.change_id == bindparam("change", type_=Match.change_id.type),
        Match.subscription_id > bindparam("after", type_=Match.subscription_id.type),
        Match.subscription_id <= bindparam("upto", type_=Match.subscription_id.type),
    ),
}
"""What are the Matches of a portion, by whether it is a part; so that one index finds them, whatever was counted."""
_OVERTAKEN = {is_part: _LEFT_OR_MOVED.where(is_of) for is_part, is_of in _IS_OF.items()}
_THESE = update(Change).where(among(Change.id, "changes"))
_MATCHED = _THESE.values(matched_at=bindparam("how_far", type_=Change.matched_at.type))
_MATCHED_UPTO = _THESE.values(matched_upto=bindparam("how_far", type_=Change.matched_upto.type))
