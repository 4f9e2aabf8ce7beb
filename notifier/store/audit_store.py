"""The audit trail: that something was done with personal data, when, by whom in kind, and how often; names no one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.store.models import AuditEntry


def add(session: Session, *, what: str, by: str, now: datetime, count: int = 1) -> None:
    """Note that ``what`` was done ``count`` times; ``by`` is reader, operator, program, retention or service."""
    session.add(AuditEntry(done_at=now, what=what, by=by, count=count))


def count(session: Session, *, what: str, since: datetime) -> tuple[int, datetime | None]:
    """How often something was done since a moment, and when last."""
    times = select(
        func.coalesce(func.sum(AuditEntry.count), 0).label("times"), func.max(AuditEntry.done_at).label("last")
    )
    row = session.execute(times.where(AuditEntry.what == what, AuditEntry.done_at >= since)).one()
    return row.times, row.last


def list_newest(session: Session, *, limit: int) -> Sequence[AuditEntry]:
    """The newest entries, newest first."""
    newest = select(AuditEntry).order_by(AuditEntry.done_at.desc(), AuditEntry.id.desc())
    return session.scalars(newest.limit(limit)).all()
