"""Matches: which Change concerns which Subscription, found by one statement per batch of Changes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, true, update
from sqlalchemy.orm import Session

from notifier.store.interest_store import AnyRow, count_interested, list_bounds
from notifier.store.match_statement import insert_statement
from notifier.store.models import Change, Match, Subscription
from notifier.store.statement_plans import is_sqlite, plan_only

LAST = 2**63 - 1
"""An id that none is greater than."""


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

    def covers(self, subscription_id: Any) -> ColumnElement[bool]:
        """That a subscription is one of those it is about."""
        first = subscription_id > self.after if self.after else true()
        return and_(first, subscription_id <= self.upto) if self.upto is not None else first


def list_unmatched(
    session: Session, *, limit: int, matches: int, newest: int | None = None, but: Collection[int] = ()
) -> Batch:
    """The oldest Changes not matched yet, as many as may make about so many Matches, and at least one.

    One that may make more, or that is matched in part, is alone, with the bounds of the portions that are left.

    Args:
        session: a reading transaction.
        limit: how many Changes at most.
        matches: how many Matches one transaction may write.
        newest: leave out Changes after this one.
        but: leave out these.
    """
    columns = (Change.id, Change.trial_id, Change.seq, Change.weight, Change.opens, Change.closes, Change.matched_upto)
    waiting = select(*columns).where(Change.matched_at.is_(None)).order_by(Change.id).limit(limit)
    waiting = waiting.where(Change.id.not_in(but)) if but else waiting
    changes = session.execute(waiting.where(Change.id <= newest) if newest is not None else waiting).all()
    expected = count_interested(session, changes)
    chosen: list[AnyRow] = []
    left = matches
    for change in changes:
        left -= expected.get(change.id, 0)
        if chosen and (left < 0 or change.matched_upto is not None or chosen[0].matched_upto is not None):
            break
        chosen.append(change)
    if len(chosen) != 1 or expected.get(chosen[0].id, 0) <= matches:
        return Batch(change_ids=[one.id for one in chosen])
    done = chosen[0].matched_upto or 0
    return Batch(change_ids=[chosen[0].id], bounds=list_bounds(session, chosen[0], size=matches, after=done))


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
    waiting = select(Change.id, Change.matched_upto).where(Change.id.in_(change_ids), Change.matched_at.is_(None))
    found = session.execute(waiting.order_by(Change.id).with_for_update(skip_locked=not wait)).all()
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
    values = {"changes": list(portion.change_ids), "now": now, "year": now.year}
    bounds = {"after": portion.after, "upto": LAST if portion.upto is None else portion.upto}
    statement = insert_statement(is_on_sqlite=is_sqlite(session), is_parted=portion.is_part)
    given = values | bounds if portion.is_part else values
    written = session.connection().execute(statement, given, execution_options={"preserve_rowcount": True})
    # The driver of SQLite counts nothing where a statement begins with WITH.
    return written.rowcount if written.rowcount >= 0 else session.scalar(select(func.changes())) or 0


def end_orphans(session: Session, portion: Portion, *, now: datetime) -> None:
    """End Matches of subscriptions that ended while this portion was being matched.

    On PostgreSQL somebody may leave between the reading and the writing of one statement; once it has written, who
    leaves waits for us, and ends what we wrote. On SQLite nobody writes meanwhile.
    """
    if is_sqlite(session):
        return
    left = select(Subscription.id).where(Subscription.id == Match.subscription_id, Subscription.ended_at.is_not(None))
    orphans = update(Match).where(_is_of(portion), Match.ended_at.is_(None), left.exists())
    session.execute(orphans.values(ended_at=now, ended_as="ended").execution_options(synchronize_session=False))


def has_strays(session: Session, portion: Portion) -> bool:
    """Whether Matches of this portion are a reader's whose subscription went to another one meanwhile.

    As with those that ended: on PostgreSQL two readers may be joined between the reading and the writing.
    """
    if is_sqlite(session):
        return False
    strays = select(Match.id).join(Subscription, Subscription.id == Match.subscription_id)
    strays = strays.where(_is_of(portion), Match.subscriber_id != Subscription.subscriber_id)
    return session.scalar(strays.limit(1)) is not None


def mark_matched(session: Session, portion: Portion, *, now: datetime) -> None:
    """Say how far these Changes are matched, in the transaction that wrote their Matches."""
    how_far = {"matched_at": now} if portion.upto is None else {"matched_upto": portion.upto}
    session.execute(update(Change).where(Change.id.in_(portion.change_ids)).values(**how_far))


def _is_of(portion: Portion) -> ColumnElement[bool]:
    return and_(Match.change_id.in_(portion.change_ids), portion.covers(Match.subscription_id))
