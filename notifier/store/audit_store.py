"""The audit trail: that something was done with personal data, when, by whom in kind, and how often; names no one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.store.models import AuditEntry


def add(session: Session, *, what: str, by: str, now: datetime, count: int = 1) -> None:
    """Note that ``what`` was done ``count`` times; ``by`` is reader, operator, program or retention."""
    session.add(AuditEntry(done_at=now, what=what, by=by, count=count))


def list_newest(session: Session, *, limit: int) -> Sequence[AuditEntry]:
    """The newest entries, newest first."""
    newest = select(AuditEntry).order_by(AuditEntry.done_at.desc(), AuditEntry.id.desc())
    return session.scalars(newest.limit(limit)).all()
