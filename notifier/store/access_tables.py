"""Who may use the API and what was answered, and the trail of what was done with personal data."""

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from notifier.store.table_base import Base, Id


class ApiKey(Base):
    """A key of a program; only its hash is kept."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    """What the operator calls it: a program, never a person."""
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    """How it begins, so that whoever holds keys can tell them apart."""
    scopes: Mapped[str] = mapped_column(String(200))
    """With commas between, see `domain.scopes`."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_on: Mapped[str | None] = mapped_column(String(10))
    """The last day on which it was used."""


class IdempotentAnswer(Base):
    """What was answered to a request that bears an Idempotency-Key, so that it can be sent again and done once.

    Answers hold nothing personal. ``api_key_id`` is 0 for the first key, of the settings.
    """

    __tablename__ = "idempotent_answers"
    __table_args__ = (Index(None, "expires_at"),)

    api_key_id: Mapped[int] = mapped_column(Id, primary_key=True)
    key_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    request_digest: Mapped[bytes]
    """A keyed hash of method, path and body."""
    status: Mapped[int | None]
    """None while the first request is being answered."""
    body: Mapped[bytes | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class AuditEntry(Base):
    """That something was done with personal data; names no one."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "done_at"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    done_at: Mapped[datetime]
    what: Mapped[str] = mapped_column(String(32))
    """Such as exported, erased, moved, handed over, imported, expired, key made, key revoked."""
    by: Mapped[str] = mapped_column(String(16))
    """``reader``, ``operator``, ``program`` or ``retention``."""
    count: Mapped[int] = mapped_column(Integer, server_default=text("1"))


class RetentionMark(Base):
    """How far each work of the retention went through its table, and when it was last finished."""

    __tablename__ = "retention_marks"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    position: Mapped[int] = mapped_column(Id)
    finished_at: Mapped[datetime | None]
