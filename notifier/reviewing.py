"""Reviewing: what a request says that waits for its mailbox's owner, so that they see it before they agree."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain.consents import ConsentText
from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.store import condition_store, consent_store, filter_store, subscriber_store, trial_lookup
from notifier.store.addresses import AddressKeys
from notifier.store.models import PendingRequest
from notifier.store.subscriber_store import words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """What a confirmation page says will happen; never the address, and nothing of what somebody has already."""

    trial_number: str | None
    trial_title: str | None
    condition: str | None = field(repr=False)
    is_text: bool
    """The condition is words that are looked for in what studies say of themselves."""
    wants: str
    trial_wants: str
    filter: ReaderFilter
    narrower: bool
    urgent: bool
    country: str | None
    cadence: Cadence
    language: str
    agreed: ConsentText | None
    """The words that were agreed to at the form; None where nobody recorded them."""
    agreed_health: bool
    already_confirmed: bool
    digest: str
    """Tells what is said here from what the request says once somebody asked anew."""


def view_request(session: Session, request_id: int, *, keys: AddressKeys, now: datetime) -> RequestView:
    """What confirming a request would do, or has done.

    Raises:
        InvalidToken: the request is gone or has expired.
    """
    request = subscriber_store.get_request(session, request_id, now=now)
    trial = trial_lookup.get_trial(session, request.trial_id) if request.trial_id else None
    words = words_of(request, keys=keys)
    condition = condition_store.get_condition(session, request.condition_id) if request.condition_id else None
    return RequestView(
        trial_number=trial.number if trial else None,
        trial_title=trial.title if trial else None,
        condition=condition.name if condition else words,
        is_text=condition is None and words is not None,
        wants=request.wants,
        trial_wants=request.trial_wants,
        filter=filter_store.load_filter(session, request.filter_id),
        narrower=request.narrower,
        urgent=request.urgent,
        country=request.country,
        cadence=_cadence_of(request),
        language=request.language,
        agreed=consent_store.find_text(session, request.consent_text_id),
        agreed_health=request.consent_health,
        already_confirmed=request.confirmed_at is not None,
        digest=_digest_of(request),
    )


def _cadence_of(request: PendingRequest) -> Cadence:
    return Cadence(cadence=request.cadence, hour=request.hour, weekday=request.weekday, time_zone=request.time_zone)


def _digest_of(request: PendingRequest) -> str:
    """A hash of all that somebody who asks anew may alter; what it is about belongs to the request for good."""
    said = (
        request.wants, request.trial_wants, request.filter_id, request.narrower, request.urgent, request.country,
        request.cadence, request.hour, request.weekday, request.time_zone, request.language,
        request.consent_text_id, request.consent_health,
    )  # fmt: skip
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]
