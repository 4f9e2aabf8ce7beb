"""Destinations as all workers share them: which are in doubt, and how they stand, locked one after the other."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from notifier.domain.deliveries import CannotCompose
from notifier.domain.traffic import Standing
from notifier.store.database import Database
from notifier.store.delivery_contents import AnyRow
from notifier.store.delivery_store import fail_uncomposed
from notifier.store.inserting import insert_once
from notifier.store.models import Delivery, Destination, PendingRequest, Subscriber

_OF_MAIL = (
    Delivery.id, Delivery.lane, Delivery.reason, Delivery.not_before, Delivery.created_at, Delivery.lease_token,
)  # fmt: skip
_COLUMNS = tuple(getattr(Destination, field.name) for field in fields(Standing))


@contextmanager
def counting(database: Database, session: Session) -> Iterator[Session]:
    """A transaction for what is shared by all workers and may be lost without harm; ``session`` is the one around it.

    On PostgreSQL it is one of its own, so that nobody holds a destination until the mails of somebody else are written,
    and two workers that touch the same in different order never wait for each other. It does not wait for the disk.
    SQLite has one writer at a time anyway: that of ``session``.
    """
    if database.is_sqlite:
        yield session
        return
    with database.writing() as own:
        own.execute(text("SET LOCAL synchronous_commit TO off"))
        yield own


def list_doubtful(session: Session) -> dict[bytes, Standing]:
    """The destinations that refused mails lately, by key; there are few."""
    doubtful = select(Destination.key, *_COLUMNS).where(text("destinations.tries > 0"))
    return {row.key: _standing(row) for row in session.execute(doubtful)}


def lock(session: Session, keys: Collection[bytes], *, now: datetime) -> dict[bytes, Standing]:
    """How destinations stand, by key; nobody else changes them until the end of the transaction. New ones are made."""
    ordered = sorted(keys)
    chosen = select(Destination.key, *_COLUMNS).where(Destination.key.in_(ordered))
    known = set(session.scalars(select(Destination.key).where(Destination.key.in_(ordered))))
    insert_once(session, Destination, [{"key": key, "seen_at": now} for key in ordered if key not in known])
    return {row.key: _standing(row) for row in session.execute(chosen.order_by(Destination.key).with_for_update())}


def write(session: Session, standings: Mapping[bytes, Standing]) -> None:
    """Write how locked destinations stand now."""
    rows: list[dict[str, Any]] = [
        {"key": key, **{field.name: getattr(standing, field.name) for field in fields(Standing)}}
        for key, standing in sorted(standings.items())
    ]
    if rows:
        session.execute(update(Destination), rows)


def list_mails(session: Session, ids: Collection[int]) -> dict[int, AnyRow]:
    """Of some Deliveries: lane, reason, until when they waited, since when there are, and whose lease holds them."""
    rows = session.execute(select(*_OF_MAIL).where(Delivery.id.in_(ids)))
    return {row.id: row for row in rows}


def list_unmade(session: Session, ids: Collection[int]) -> dict[int, AnyRow]:
    """As `list_mails`, with the sealed address of each."""
    sealed = func.coalesce(Subscriber.address_sealed, PendingRequest.address_sealed).label("sealed")
    rows = session.execute(
        select(*_OF_MAIL, sealed)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(PendingRequest, PendingRequest.id == Delivery.request_id)
        .where(Delivery.id.in_(ids))
    )
    return {row.id: row for row in rows}


def give_up(
    session: Session, *, token: str, ending: Sequence[CannotCompose], waits: int, now: datetime
) -> dict[int, str]:
    """End leased mails whose destination took nothing for four days: its waits count as theirs. Their new states."""
    ids = [one.delivery_id for one in ending]
    mine = update(Delivery).where(Delivery.id.in_(ids), Delivery.lease_token == token, Delivery.attempts < waits)
    session.execute(mine.values(attempts=waits), execution_options={"synchronize_session": False})
    return fail_uncomposed(session, token=token, broken=ending, now=now)


def delete_unseen(session: Session, *, before: datetime, limit: int) -> int:
    """Forget destinations to which nothing went since a moment; how many."""
    unseen = select(Destination.key).where(Destination.seen_at < before).order_by(Destination.seen_at).limit(limit)
    keys = session.scalars(unseen).all()
    if keys:
        session.execute(delete(Destination).where(Destination.key.in_(keys), Destination.seen_at < before))
    return len(keys)


def _standing(row: AnyRow) -> Standing:
    return Standing(**{field.name: getattr(row, field.name) for field in fields(Standing)})
