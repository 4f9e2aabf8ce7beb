"""The words people agreed to: each wording once, as it was shown."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.domain import consents
from notifier.store.inserting import insert_once
from notifier.store.models import ConsentText


def get_or_make_text(session: Session, text: consents.ConsentText, *, now: datetime) -> int:
    """The id of a wording, kept for good the first time somebody agrees to it."""
    held = select(ConsentText.id).where(ConsentText.digest == text.digest)
    known = session.scalar(held)
    if known is not None:
        return known
    row = {"version": text.version, "language": text.language, "terms": text.terms, "health": text.health}
    insert_once(session, ConsentText, [{**row, "digest": text.digest, "first_used_at": now}])
    return session.scalars(held).one()


def find_text(session: Session, text_id: int | None) -> consents.ConsentText | None:
    """A wording as it was shown."""
    row = session.get(ConsentText, text_id) if text_id is not None else None
    if row is None:
        return None
    return consents.ConsentText(version=row.version, language=row.language, terms=row.terms, health=row.health)
