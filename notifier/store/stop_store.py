"""Stops of all sending: whether one is open, since when and why; a row of `sending_stops` each."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select, text, update
from sqlalchemy.orm import Session

from notifier.store.models import SendingStop
from notifier.store.unloaded import change_rows

PAUSED = "paused"
"""Why: the operator said so."""
RESTORING = "restoring"
"""Why: a backup was put back, and not all was done yet that this asks for."""
RESTORED = "restored"
"""Why: a backup was put back, and mails of that time wait for the operator's decision."""
STOPPED = "all sending is stopped"
"""What a mail says that was given back because of a stop."""

_IS_OPEN = text("sending_stops.ended_at IS NULL")


def is_stopped(session: Session) -> bool:
    """Whether no mail may go out now."""
    return session.scalar(select(SendingStop.id).where(_IS_OPEN).limit(1)) is not None


def any_open() -> ColumnElement[bool]:
    """The same as a part of a statement."""
    return exists().where(SendingStop.ended_at.is_(None))


def list_open(session: Session) -> Sequence[SendingStop]:
    """The stops that are open, the oldest first."""
    return session.scalars(select(SendingStop).where(_IS_OPEN).order_by(SendingStop.id)).all()


def add(session: Session, *, why: str, note: str | None, now: datetime) -> None:
    """Stop all sending, from the commit on."""
    session.add(SendingStop(stopped_at=now, why=why, note=note[:200] if note else None))


def turn(session: Session, *, why: str, into: str) -> None:
    """Say of open stops another reason than they had."""
    same = update(SendingStop).where(_IS_OPEN, SendingStop.why == why)
    change_rows(session, same.values(why=into))


def end_restoring(session: Session, *, now: datetime) -> None:
    """End the stops for a backup that was put back before."""
    mine = update(SendingStop).where(_IS_OPEN, SendingStop.why == RESTORING)
    change_rows(session, mine.values(ended_at=now))


def end_all(session: Session, *, now: datetime) -> int:
    """Let mails go out again, from the commit on; how many stops that ended."""
    ended = update(SendingStop).where(_IS_OPEN).values(ended_at=now).returning(SendingStop.id)
    return len(session.scalars(ended, execution_options={"synchronize_session": False}).all())
