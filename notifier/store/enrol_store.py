"""Readers whom an operator brings, many in one transaction: what is known of them already, and new rows for them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select, tuple_, update
from sqlalchemy.orm import Session

from notifier.store.inserting import insert_for, insert_once, offered
from notifier.store.models import Match, Subscriber, Subscription, Suppression, Told, Trial
from notifier.store.retire_store import MERGED
from notifier.store.unloaded import change_rows

Target = tuple[int | None, int | None]
"""Ids of a trial and of a condition, one of them None."""


@dataclass(slots=True)
class Followed:
    """What one reader follows, and since when they no longer follow what they ended.

    ``left_at`` is when they ended the last of everything; None while anything is open or if nothing ever was.
    """

    open: set[Target] = field(default_factory=set)
    ended: dict[Target, datetime] = field(default_factory=dict)

    @property
    def left_at(self) -> datetime | None:
        """When they left altogether."""
        return None if self.open else max(self.ended.values(), default=None)


@dataclass(frozen=True, slots=True)
class Known:
    """Of some addresses, by blind index: which must not be mailed, whose are known, and what those follow."""

    suppressed: frozenset[bytes]
    readers: Mapping[bytes, int]
    followed: Mapping[int, Followed]


def look_up(session: Session, indexes: Collection[bytes]) -> Known:
    """What is known of these addresses."""
    readers = select(Subscriber.address_index, Subscriber.id).where(Subscriber.address_index.in_(indexes))
    return _known(session, indexes, {row.address_index: row.id for row in session.execute(readers)})


def lock_known(session: Session, indexes: Collection[bytes]) -> Known:
    """What is known of these addresses, their readers locked in order: nobody leaves until the transaction ends."""
    chosen = select(Subscriber.address_index, Subscriber.id).where(Subscriber.address_index.in_(indexes))
    rows = session.execute(chosen.order_by(Subscriber.id).with_for_update(key_share=True))
    return _known(session, indexes, {row.address_index: row.id for row in rows})


def add_readers(session: Session, rows: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """Make subscribers; those that somebody made meanwhile stay as they are."""
    usual = {"revision": 0, "created_at": now}
    # In one order, so that two who bring the same readers do not wait for each other.
    insert_once(session, Subscriber, [{**usual, **row} for row in sorted(rows, key=lambda row: row["address_index"])])


def add_subscriptions(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Open subscriptions of locked readers who do not have them; of a study they count as told of all there is now.

    What waits for them through another subscription is still told from where they were.
    """
    insert_once(session, Subscription, rows)
    raised = update(Subscriber).where(Subscriber.id.in_({row["subscriber_id"] for row in rows}))
    change_rows(session, raised.values(revision=Subscriber.revision + 1))
    pairs = sorted({(row["subscriber_id"], row["trial_id"]) for row in rows if row["trial_id"] is not None})
    _begin_told(session, pairs)


def _begin_told(session: Session, pairs: Sequence[tuple[int, int]]) -> None:
    if not pairs:
        return
    seqs = select(Trial.id, Trial.seq).where(Trial.id.in_({trial_id for _, trial_id in pairs}))
    told = {row.id: row.seq for row in session.execute(seqs)}
    theirs = and_(Match.subscriber_id.in_({reader for reader, _ in pairs}), Match.ended_at.is_(None))
    waits = tuple_(Match.subscriber_id, Match.trial_id).in_(pairs)
    waiting = select(Match.subscriber_id, Match.trial_id).where(theirs, waits)
    kept = {(row.subscriber_id, row.trial_id) for row in session.execute(waiting)}
    fresh = [
        {"subscriber_id": reader, "trial_id": trial_id, "seq": told[trial_id]}
        for reader, trial_id in pairs
        if (reader, trial_id) not in kept
    ]
    if fresh:
        inserted = insert_for(session, Told)
        moved = inserted.on_conflict_do_update(
            index_elements=["subscriber_id", "trial_id"], set_={"seq": offered("seq")}
        )
        session.execute(moved, fresh)


def _known(session: Session, indexes: Collection[bytes], readers: Mapping[bytes, int]) -> Known:
    stopped = session.scalars(select(Suppression.address_index).where(Suppression.address_index.in_(indexes)))
    return Known(frozenset(stopped), readers, _followed_by(session, readers.values()))


def _followed_by(session: Session, subscriber_ids: Iterable[int]) -> Mapping[int, Followed]:
    columns = (Subscription.subscriber_id, Subscription.trial_id, Subscription.condition_id, Subscription.ended_at,
               Subscription.ended_reason)  # fmt: skip
    found: dict[int, Followed] = defaultdict(Followed)
    for row in session.execute(select(*columns).where(Subscription.subscriber_id.in_(subscriber_ids))):
        target, of_reader = (row.trial_id, row.condition_id), found[row.subscriber_id]
        if row.ended_at is None:
            of_reader.open.add(target)
        elif row.ended_reason != MERGED:
            of_reader.ended[target] = max(row.ended_at, of_reader.ended.get(target, row.ended_at))
    return found
