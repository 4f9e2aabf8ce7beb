"""What is held: the list the operator decides on, the decision, and what it means for those who wait."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from notifier.domain.breaking import DROPPED, Breaker
from notifier.store.breaker_store import held_changes, list_breakers, lock_and_assign
from notifier.store.delivery_contents import end_matches
from notifier.store.models import Change, ChangeSignature, HeldChange, Match
from notifier.store.unloaded import change_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldNews:
    """A breaker with the number of studies it came in, and of readers with whom it waits."""

    breaker: Breaker
    studies: int
    readers: int


def list_news(session: Session) -> list[HeldNews]:
    """What was ever held, the newest first, with how many studies and waiting readers that concerns."""
    signed = select(ChangeSignature.signature, func.count(ChangeSignature.trial_id.distinct()))
    by_signature = {row[0]: row[1] for row in session.execute(signed.group_by(ChangeSignature.signature))}
    studies = _count_by_breaker(session, select(Change.held_id, func.count(Change.trial_id.distinct())))
    waiting = select(Change.held_id, func.count(Match.subscriber_id.distinct())).join(
        Match, Match.change_id == Change.id
    )
    readers = _count_by_breaker(session, waiting.where(Match.ended_at.is_(None)))
    return [
        HeldNews(
            breaker=one,
            # Notes of old Changes are deleted, so that either may be the larger number.
            studies=max(by_signature.get(one.rename.signature, 0), studies.get(one.id, 0)),
            readers=readers.get(one.id, 0),
        )
        for one in reversed(list_breakers(session))
    ]


def decide(session: Session, ids: Collection[int], *, state: str, now: datetime) -> set[int]:
    """Write a decision on these breakers; those that there are. A Change goes on waiting for others that hold it."""
    there = select(HeldChange.id).where(HeldChange.id.in_(ids)).order_by(HeldChange.id)
    found = set(session.scalars(there.with_for_update()))
    decided = update(HeldChange).where(HeldChange.id.in_(found), HeldChange.state != state)
    change_rows(session, decided.values(state=state, decided_at=now))
    signatures = select(HeldChange.signature).where(HeldChange.id.in_(found))
    carrying = select(ChangeSignature.change_id).where(ChangeSignature.signature.in_(signatures))
    lock_and_assign(session, select(Change.id).where(Change.held_id.is_not(None), Change.id.in_(carrying)))
    return found


def end_dropped(session: Session, held_id: int, *, now: datetime, limit: int) -> int:
    """End some of the Matches that wait for a dropped rename and nothing else; how many.

    Those that a mail in doubt carries end with it; those that somebody else is just writing are passed over.
    """
    waiting = (
        select(Match.id)
        .join(Change, Change.id == Match.change_id)
        .join(HeldChange, HeldChange.id == Change.held_id)
        .where(Change.held_id == held_id, HeldChange.state == DROPPED)
        .where(Match.ended_at.is_(None), Match.delivery_id.is_(None))
        .order_by(Match.id)
        .limit(limit)
    )
    ids = session.scalars(waiting.with_for_update(of=Match, skip_locked=True)).all()
    end_matches(session, ids, ended_as="dropped", now=now)
    return len(ids)


def end_matches_of_dropped(session: Session, change_ids: Sequence[int], *, now: datetime) -> None:
    """End the new Matches of those of these Changes that were dropped before anybody was matched."""
    dropped = select(HeldChange.id).where(HeldChange.state == DROPPED)
    chosen = select(Change.id).where(Change.id.in_(change_ids), Change.held_id.in_(dropped))
    concerned = session.scalars(chosen).all()
    if concerned:
        theirs = update(Match).where(Match.change_id.in_(concerned), Match.ended_at.is_(None))
        change_rows(session, theirs.values(ended_at=now, ended_as=DROPPED))


def list_old_signatures(session: Session, *, before: datetime, limit: int) -> list[tuple[int, bytes]]:
    """Some of the notes that count no longer; those of held Changes are needed until all is decided."""
    chosen = (
        select(ChangeSignature.change_id, ChangeSignature.signature)
        .where(ChangeSignature.observed_at < before, ChangeSignature.change_id.not_in(held_changes()))
        .limit(limit)
    )
    return [(row.change_id, row.signature) for row in session.execute(chosen)]


def delete_signatures(session: Session, keys: Collection[tuple[int, bytes]]) -> None:
    """Delete these notes."""
    named = tuple_(ChangeSignature.change_id, ChangeSignature.signature).in_(keys)
    change_rows(session, delete(ChangeSignature).where(named))


def _count_by_breaker(session: Session, counted: Select[int | None, int]) -> dict[int | None, int]:
    rows = session.execute(counted.where(Change.held_id.is_not(None)).group_by(Change.held_id))
    return {row[0]: row[1] for row in rows}
