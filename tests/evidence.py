"""The evidence of consent as it lies in the database: who agreed to which words, when, and through which site."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.domain.consents import ConsentText
from notifier.store.consent_store import find_text
from notifier.store.models import Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How consent to one subscription was given; ``text`` is None where nobody recorded the words.

    ``asked_at`` is when they agreed at the form; ``confirmed_at`` is when the mailbox's owner pressed the button, or,
    where somebody vouched, when that was taken down.
    """

    subscription_id: int
    text: ConsentText | None
    health: bool
    site: str
    how: str
    asked_at: datetime | None
    confirmed_at: datetime


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
