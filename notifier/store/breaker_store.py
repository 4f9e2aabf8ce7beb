"""The breaker's memory: which rename each Change carries, which are held, and what was decided on them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, case, func, select, update
from sqlalchemy.orm import Session

from notifier.domain.breaking import (
    HELD,
    RELEASED,
    Breaker,
    Parts,
    Rename,
    Threshold,
    is_nothing_else,
    rename_of,
)
from notifier.domain.changes import FieldChange
from notifier.store.inserting import insert_once
from notifier.store.models import Change, ChangeSignature, HeldChange, Match
from notifier.store.portions import portions
from notifier.store.trial_store import read_fields
from notifier.store.unloaded import change_rows


@dataclass(frozen=True, slots=True)
class Written:
    """A Change just written, as the breaker looks at it."""

    change_id: int
    trial_id: int
    fields: tuple[FieldChange, ...]


def held_changes() -> Select[int]:
    """Ids of the Changes that nobody is mailed about before the operator decides."""
    held = select(HeldChange.id).where(HeldChange.state == HELD)
    # Said twice so that both engines see that the partial index serves.
    return select(Change.id).where(Change.held_id.is_not(None), Change.held_id.in_(held))


def watch(session: Session, written: Iterable[Written], *, now: datetime, threshold: Threshold) -> None:
    """Note what renames these Changes carry, trip the breaker on those that too many studies share, and hold them.

    Belongs in the transaction that writes the Changes. Held is a Change of which a reader would see nothing but held or
    dropped renames; those of the last days are held along with the one that trips it.
    """
    found = {
        (one.change_id, rename.signature): (rename, one.trial_id)
        for one in written
        for rename in map(rename_of, one.fields)
        if rename is not None
    }
    if not found:
        return
    rows = [
        {"change_id": change_id, "signature": signature, "trial_id": trial_id, "observed_at": now}
        for (change_id, signature), (_rename, trial_id) in found.items()
    ]
    insert_once(session, ChangeSignature, rows)
    renames = {rename.signature: rename for rename, _trial in found.values()}
    tripped = _trip(session, renames, now=now, threshold=threshold)
    stopped = _list_stopped(session, renames)
    concerned = {change_id for change_id, signature in found if signature in stopped}
    _hold(session, concerned | _list_recent(session, tripped, since=threshold.since(now)))


def list_breakers(session: Session) -> tuple[Breaker, ...]:
    """Every rename that tripped the breaker, with what was decided; mostly there is none."""
    return tuple(map(_breaker, session.connection().execute(_BREAKERS)))


def list_missed(
    session: Session, subscriber_ids: Collection[int], breakers: Iterable[Breaker]
) -> dict[int, frozenset[Rename]]:
    """By waiting Match: the renames of its Change that were held once and are released now."""
    released = {one.rename.signature for one in breakers if one.state == RELEASED}
    if not released:
        return {}
    chosen = (
        select(Match.id, Change.fields)
        .join(Change, Change.id == Match.change_id)
        .join(HeldChange, HeldChange.id == Change.held_id)
        .where(Match.subscriber_id.in_(subscriber_ids), Match.ended_at.is_(None), HeldChange.state == RELEASED)
    )
    found = {}
    for row in session.execute(chosen):
        renames = (rename_of(change) for change in read_fields(row.fields))
        found[row.id] = frozenset(one for one in renames if one is not None and one.signature in released)
    return found


def lock_and_assign(session: Session, chosen: Select[int]) -> None:
    """Say of Changes which breaker they wait for: one that is held, else one that was released, else a dropped one.

    They are locked in one order, so that decisions, and records that come in, never wait for each other in a ring.
    """
    ids = session.scalars(chosen.order_by(Change.id).with_for_update(key_share=True)).all()
    turn = case((HeldChange.state == HELD, 0), (HeldChange.state == RELEASED, 1), else_=2)
    waits_for = (
        select(HeldChange.id)
        .join(ChangeSignature, ChangeSignature.signature == HeldChange.signature)
        .where(ChangeSignature.change_id == Change.id)
        .order_by(turn, HeldChange.id)
        .limit(1)
        .correlate(Change)
        .scalar_subquery()
    )
    for some in portions(ids):
        change_rows(session, update(Change).where(Change.id.in_(some)).values(held_id=waits_for))


def _trip(session: Session, renames: dict[bytes, Rename], *, now: datetime, threshold: Threshold) -> set[bytes]:
    """Trip the breaker on those of these renames that enough studies share; which were not known before."""
    known = set(session.scalars(select(HeldChange.signature).where(HeldChange.signature.in_(renames))))
    counted = (
        select(ChangeSignature.signature)
        .where(ChangeSignature.signature.in_(renames.keys() - known))
        .where(ChangeSignature.observed_at >= threshold.since(now))
        .group_by(ChangeSignature.signature)
        .having(func.count(ChangeSignature.trial_id.distinct()) >= threshold.studies)
    )
    tripped = set(session.scalars(counted)) if renames.keys() - known else set()
    rows = [
        {
            "signature": signature,
            "field": renames[signature].field,
            "before": _packed(renames[signature].went),
            "after": _packed(renames[signature].came),
            "state": HELD,
            "tripped_at": now,
        }
        for signature in sorted(tripped)
    ]
    insert_once(session, HeldChange, rows)
    return tripped


def _list_stopped(session: Session, signatures: Collection[bytes]) -> set[bytes]:
    """Those of these signatures that mails leave out; a decision on them waits until this transaction ends."""
    chosen = select(HeldChange.signature, HeldChange.state).where(HeldChange.signature.in_(signatures))
    rows = session.execute(chosen.order_by(HeldChange.id).with_for_update(read=True))
    return {row.signature for row in rows if row.state != RELEASED}


def _list_recent(session: Session, signatures: Collection[bytes], *, since: datetime) -> set[int]:
    if not signatures:
        return set()
    carrying = select(ChangeSignature.change_id).where(ChangeSignature.signature.in_(signatures))
    return set(session.scalars(carrying.where(ChangeSignature.observed_at >= since)))


def _hold(session: Session, change_ids: set[int]) -> None:
    """Hold those of these Changes in which there is nothing else to see."""
    if not change_ids:
        return
    stopped = set(session.scalars(select(HeldChange.signature).where(HeldChange.state != RELEASED)))
    wholly = []
    for some in portions(sorted(change_ids), 500):
        rows = session.execute(select(Change.id, Change.fields).where(Change.id.in_(some)))
        wholly += [row.id for row in rows if is_nothing_else(read_fields(row.fields), stopped)]
    for some in portions(wholly):
        lock_and_assign(session, select(Change.id).where(Change.id.in_(some)))


def _breaker(row: Any) -> Breaker:
    return Breaker(
        id=row.id,
        rename=Rename(field=row.field, went=_unpacked(row.before), came=_unpacked(row.after)),
        state=row.state,
        tripped_at=row.tripped_at,
        decided_at=row.decided_at,
    )


def _packed(parts: Parts) -> str:
    return msgspec.json.encode(sorted(parts)).decode()


def _unpacked(text: str) -> Parts:
    return frozenset(msgspec.json.decode(text, type=list[tuple[str, str]]))


# Written once: it is asked for with every group of mails, and building it takes longer than to run it.
_BREAKERS = select(HeldChange.__table__).order_by(HeldChange.id)
