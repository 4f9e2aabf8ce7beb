"""Keys of programs: only their hashes, found by these."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from notifier.store.inserting import insert_for
from notifier.store.models import ApiKey, AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key as it is kept; ``hint`` is how it begins."""

    name: str
    key_hash: bytes
    hint: str
    scopes: str
    expires_at: datetime | None


def add_key(session: Session, new: NewKey, *, now: datetime) -> bool:
    """Keep a key; False where another one, be it revoked, has this name."""
    statement = insert_for(session, ApiKey).values(**asdict(new), created_at=now)
    added = session.scalar(statement.on_conflict_do_nothing().returning(ApiKey.id)) is not None
    if added:
        session.add(AuditEntry(done_at=now, what="key made", by="operator"))
    return added


def find_key(session: Session, key_hash: bytes) -> ApiKey | None:
    """The key of this hash, by one look into an index."""
    return session.scalar(select(ApiKey).where(ApiKey.key_hash == key_hash))


def find_key_named(session: Session, name: str) -> ApiKey | None:
    """The key that the operator gave this name."""
    return session.scalar(select(ApiKey).where(ApiKey.name == name))


def list_keys(session: Session) -> Sequence[ApiKey]:
    """All keys, the oldest first."""
    return session.scalars(select(ApiKey).order_by(ApiKey.id)).all()


def revoke_key(session: Session, key_id: int, *, now: datetime) -> bool:
    """End a key; False where it was revoked before."""
    statement = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=now)
    revoked = session.scalar(statement.returning(ApiKey.id)) is not None
    if revoked:
        session.add(AuditEntry(done_at=now, what="key revoked", by="operator"))
    return revoked


def mark_used(session: Session, key_id: int, *, day: str) -> None:
    """Note the last day on which a key was used."""
    before = or_(ApiKey.used_on.is_(None), ApiKey.used_on < day)
    session.execute(update(ApiKey).where(ApiKey.id == key_id, before).values(used_on=day))
