"""Requests that may come again: each is claimed once, and its answer kept for whoever sends it again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, tuple_, update
from sqlalchemy.orm import Session

from notifier.store.inserting import insert_for
from notifier.store.models import IdempotentAnswer

KEPT = timedelta(hours=24)
TAKEN_OVER = timedelta(minutes=1)
"""After so long without an answer, whoever was at it counts as dead."""
SWEPT = 20
"""How many expired answers a new claim clears away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that bears a key, as digests."""

    api_key_id: int
    key_digest: bytes
    request_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What is held of an earlier request with the same key; ``status`` is None while it is being answered."""

    is_same: bool
    status: int | None
    body: bytes


def claim(session: Session, asked: Asked, *, now: datetime) -> Earlier | None:
    """Begin a request, or find what became of an earlier one with its key; None where it is ours to do."""
    _sweep(session, now=now)
    row = {"request_digest": asked.request_digest, "created_at": now, "expires_at": now + KEPT}
    new = insert_for(session, IdempotentAnswer).values(
        api_key_id=asked.api_key_id, key_digest=asked.key_digest, status=None, body=None, **row
    )
    if session.scalar(new.on_conflict_do_nothing().returning(IdempotentAnswer.api_key_id)) is not None:
        return None
    chosen = select(IdempotentAnswer).where(*_row_of(asked)).with_for_update()
    held = session.scalar(chosen.execution_options(populate_existing=True))
    if held is None:
        # It was released or swept between the two statements: as if it were still being answered.
        return Earlier(is_same=True, status=None, body=b"")
    same = held.request_digest == asked.request_digest
    dead = same and held.status is None and held.created_at <= now - TAKEN_OVER
    if dead or held.expires_at <= now:
        session.execute(update(IdempotentAnswer).where(*_row_of(asked)).values(status=None, body=None, **row))
        return None
    return Earlier(is_same=same, status=held.status, body=held.body or b"")


def keep_answer(session: Session, asked: Asked, *, status: int, body: bytes) -> None:
    """Keep what was answered."""
    session.execute(update(IdempotentAnswer).where(*_row_of(asked)).values(status=status, body=body))


def release(session: Session, asked: Asked) -> None:
    """Let the same key be used again: nothing was done."""
    session.execute(delete(IdempotentAnswer).where(*_row_of(asked), IdempotentAnswer.status.is_(None)))


def _row_of(asked: Asked) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return IdempotentAnswer.api_key_id == asked.api_key_id, IdempotentAnswer.key_digest == asked.key_digest


def _sweep(session: Session, *, now: datetime) -> None:
    row = (IdempotentAnswer.api_key_id, IdempotentAnswer.key_digest)
    expired = select(*row).where(IdempotentAnswer.expires_at <= now).limit(SWEPT).with_for_update(skip_locked=True)
    session.execute(
        delete(IdempotentAnswer).where(tuple_(*row).in_(expired)).execution_options(synchronize_session=False)
    )
