"""Consent as it was given: each wording once, and what can be shown of who agreed to which."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.domain import consents
from notifier.store.inserting import insert_once
from notifier.store.models import ConsentText, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How consent to one subscription was given; ``text`` is None where nobody recorded the words.

    ``asked_at`` is when they agreed at the form; ``confirmed_at`` is when the mailbox's owner pressed the button, or,
    where somebody vouched, when that was taken down.
    """

    subscription_id: int
    text: consents.ConsentText | None
    health: bool
    site: str
    how: str
    asked_at: datetime | None
    confirmed_at: datetime


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


def list_evidence(session: Session, subscriber_id: int) -> list[Evidence]:
    """How a reader agreed to each subscription that is held of them, oldest first, the ended ones as well."""
    chosen = select(Subscription).where(Subscription.subscriber_id == subscriber_id).order_by(Subscription.id)
    return [_evidence(session, one) for one in session.scalars(chosen)]


def _evidence(session: Session, one: Subscription) -> Evidence:
    return Evidence(
        subscription_id=one.id,
        text=find_text(session, one.consent_text_id),
        health=one.consent_health,
        site=one.consent_site,
        how=one.consent_how,
        asked_at=one.consent_asked_at,
        confirmed_at=one.confirmed_at,
    )
