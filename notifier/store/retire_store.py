"""Studies that go on under another number: their readers follow them there, and end here once they were told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from notifier.store.delivery_contents import lock_subscribers
from notifier.store.inserting import insert_for, insert_once
from notifier.store.models import Change, Match, Subscription, Told, Trial, TrialAlias
from notifier.store.told_store import follows, move_on
from notifier.store.trial_lookup import LONGEST_CHAIN
from notifier.store.unloaded import change_rows

MERGED = "merged"
"""Why a subscription to the old number ended."""
_CONSENT = ("consent_site", "consent_how", "consent_text_id", "consent_health", "consent_asked_at")
_COPIED = ("wants", "urgent", "news_since", *_CONSENT, "confirmed_at")


def list_listed(session: Session, numbers: Sequence[str]) -> dict[str, int]:
    """Of these numbers, those of studies held on their own and not merged into another, with their ids."""
    chosen = select(Trial.number, Trial.id).where(Trial.number.in_(numbers), Trial.merged_into_id.is_(None))
    return {row.number: row.id for row in session.execute(chosen)}


def set_merged(session: Session, *, trial_id: int, number: str, into: int, source: str) -> None:
    """Say into which trial another one went; its number leads there from now on."""
    session.execute(update(Trial).where(Trial.id == trial_id).values(merged_into_id=into))
    insert_once(session, TrialAlias, [{"source": source, "number": number, "trial_id": into}])


def list_numbers(session: Session, trial_id: int) -> list[str]:
    """The other numbers that lead to a trial; not those of studies that are listed on their own."""
    own = exists().where(Trial.number == TrialAlias.number, Trial.merged_into_id.is_(None))
    chosen = select(TrialAlias.number).where(TrialAlias.trial_id == trial_id, ~own)
    return list(session.scalars(chosen.order_by(TrialAlias.number)))


def is_anybody_stranded(session: Session) -> bool:
    """Whether any reader of a merged trial does not follow yet what it went into."""
    return session.execute(_stranded().limit(1)).first() is not None


def is_anybody_settled(session: Session) -> bool:
    """Whether any subscription to a merged trial can end."""
    return session.execute(_settled().limit(1)).first() is not None


def move_readers(session: Session, *, limit: int) -> int:
    """Have readers of merged trials follow what those went into, from its present on; how many were looked at.

    The consent goes with them as it was given. Who follows that trial already, or left it since the merging, is left
    alone. Readers are locked first, as those who leave lock them: whoever has left by then is not brought back.
    """
    rows = session.execute(_stranded().order_by(Subscription.subscriber_id).limit(limit)).all()
    if rows:
        lock_subscribers(session, (row.subscriber_id for row in rows))
        _begin_told(session, [row.id for row in rows])
        _copy(session, [row.id for row in rows])
    return len(rows)


def end_moved(session: Session, *, limit: int, now: datetime) -> int:
    """End subscriptions to merged trials whose readers were told and moved; how many."""
    rows = session.execute(_settled().order_by(Subscription.subscriber_id).limit(limit)).all()
    if not rows:
        return 0
    lock_subscribers(session, (row.subscriber_id for row in rows))
    ids = [row.id for row in rows]
    ended = update(Subscription).where(Subscription.id.in_(ids), Subscription.ended_at.is_(None), ~_is_waiting())
    change_rows(session, ended.values(ended_at=now, ended_reason=MERGED))
    left = exists().where(
        Subscription.id.in_(ids), Subscription.subscriber_id == Told.subscriber_id,
        Subscription.trial_id == Told.trial_id,
    )  # fmt: skip
    uncovered = delete(Told).where(left, ~follows(Told.subscriber_id, Told.trial_id))
    change_rows(session, uncovered)
    return len(rows)


def list_kin(session: Session, subscription: Subscription, *, even_ended: bool = False) -> list[int]:
    """Other open subscriptions that one has become, or came from, by its trial being merged into another."""
    if subscription.trial_id is None:
        return []
    chosen = select(Subscription.id).where(
        Subscription.subscriber_id == subscription.subscriber_id,
        Subscription.confirmed_at == subscription.confirmed_at,
        Subscription.trial_id.in_(_related(session, subscription.trial_id)),
        Subscription.id != subscription.id,
    )
    return list(session.scalars(chosen if even_ended else chosen.where(Subscription.ended_at.is_(None))))


def _related(session: Session, trial_id: int) -> set[int]:
    """A trial, what it went into, and what went into those."""
    related = {trial_id}
    for _ in range(LONGEST_CHAIN):
        joined = select(Trial.id, Trial.merged_into_id).where(
            Trial.merged_into_id.is_not(None), or_(Trial.id.in_(related), Trial.merged_into_id.in_(related))
        )
        found = {id_ for row in session.execute(joined) for id_ in row} - related
        if not found:
            break
        related |= found
    return related


def _stranded() -> Select[int, int]:
    chosen = select(Subscription.id, Subscription.subscriber_id).join(Trial, Trial.id == Subscription.trial_id)
    return chosen.where(_is_stranded())


def _settled() -> Select[int, int]:
    chosen = select(Subscription.id, Subscription.subscriber_id).join(Trial, Trial.id == Subscription.trial_id)
    merged = chosen.where(Subscription.ended_at.is_(None), Trial.merged_into_id.is_not(None))
    return merged.where(~_is_unmatched(), ~_is_waiting(), ~_is_stranded())


def _is_stranded() -> ColumnElement[bool]:
    """That a subscription is to a merged trial whose reader, since that, never followed where it went."""
    there = aliased(Subscription)
    since = or_(there.ended_at.is_(None), there.ended_at >= Trial.last_change_at)
    followed = exists().where(
        there.subscriber_id == Subscription.subscriber_id, there.trial_id == Trial.merged_into_id, since
    )
    return and_(Subscription.ended_at.is_(None), Trial.merged_into_id.is_not(None), ~followed)


def _is_waiting() -> ColumnElement[bool]:
    return exists().where(Match.subscription_id == Subscription.id, Match.ended_at.is_(None))


def _is_unmatched() -> ColumnElement[bool]:
    return exists().where(Change.trial_id == Trial.id, Change.matched_at.is_(None))


def _moved(ids: Sequence[int], *columns: Any) -> Select[*tuple[Any, ...]]:
    joined = select(*columns).select_from(Subscription).join(Trial, Trial.id == Subscription.trial_id)
    return joined.where(Subscription.id.in_(ids), _is_stranded())


def _begin_told(session: Session, ids: Sequence[int]) -> None:
    """They know the trial as it is now, unless news of it waits for them already: that is told from where they were."""
    into = aliased(Trial)
    waits = exists().where(
        Match.subscriber_id == Subscription.subscriber_id, Match.trial_id == into.id, Match.ended_at.is_(None)
    )
    begun = _moved(ids, Subscription.subscriber_id, into.id, into.seq).join(into, into.id == Trial.merged_into_id)
    move_on(session, begun.where(~waits).distinct())


def _copy(session: Session, ids: Sequence[int]) -> None:
    columns = [getattr(Subscription, name) for name in _COPIED]
    copies = _moved(ids, Subscription.subscriber_id, Trial.merged_into_id, *columns)
    names = ["subscriber_id", "trial_id", *_COPIED]
    session.execute(insert_for(session, Subscription).from_select(names, copies).on_conflict_do_nothing())
