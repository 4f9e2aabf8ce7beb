"""What we hold of a reader, read for an export: each column that says something of them, by a readable name."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from notifier.domain.filter_words import filter_in_words
from notifier.store.addresses import AddressKeys
from notifier.store.filter_store import load_filter
from notifier.store.models import (
    Base,
    Change,
    Condition,
    ConsentText,
    Delivery,
    DeliverySpan,
    Filter,
    FilterCountry,
    Match,
    PendingRequest,
    Schedule,
    Subscriber,
    Subscription,
    Suppression,
    Told,
    Trial,
)
from notifier.store.portions import portions
from notifier.store.subscriber_store import words_of

Names = Mapping[str, str]
"""By column, what it is called in an export."""
Plain = dict[str, Any]

SUBSCRIBER: Names = {
    "language": "language",
    "country": "places_first_from",
    "detailed_subjects": "detailed_subjects",
    "quiet_notes": "monthly_note_when_nothing_is_new",
    "paused_until": "paused_until",
    "created_at": "since",
}
SCHEDULE: Names = {"cadence": "cadence", "hour": "hour", "weekday": "weekday", "time_zone": "time_zone"}
SUBSCRIPTION: Names = {
    "wants": "wants",
    "urgent": "at_once_when_important",
    "narrower": "narrower_conditions_too",
    "news_since": "studies_registered_since",
    "consent_site": "agreed_on",
    "consent_how": "agreed_through",
    "consent_health": "agreed_on_health_data",
    "consent_asked_at": "agreed_at_the_form",
    "confirmed_at": "confirmed",
    "ended_at": "ended",
    "ended_reason": "ended_because",
}
REQUEST: Names = {
    "kind": "kind",
    "language": "language",
    "wants": "wants_of_condition",
    "trial_wants": "wants_of_study",
    "urgent": "at_once_when_important",
    "narrower": "narrower_conditions_too",
    "country": "places_first_from",
    "cadence": "cadence",
    "hour": "hour",
    "weekday": "weekday",
    "time_zone": "time_zone",
    "site": "asked_on",
    "how": "asked_through",
    "consent_health": "agreed_on_health_data",
    "mails": "confirmation_mails",
    "created_at": "asked",
    "expires_at": "expires",
    "confirmed_at": "confirmed",
}
CONSENT_TEXT: Names = {"version": "version", "language": "language", "terms": "terms", "health": "health_data"}
FILTER: Names = {
    "only_recruiting": "only_recruiting",
    "phases": "phases_as_bits",
    "sex": "sex",
    "born_year": "born_in",
    "near_x": "near_cell_x",
    "near_y": "near_cell_y",
    "near_z": "near_cell_z",
    "within": "within_squared_cells",
}
DELIVERY: Names = {
    "kind": "kind",
    "state": "state",
    "reason": "reason",
    "created_at": "made",
    "in_data_at": "handed_over",
    "sent_at": "accepted_by_mail_server",
    "attempts": "tries",
    "ambiguous": "tries_in_doubt",
    "not_before": "not_before",
    "language": "language",
    "dated_at": "dated",
    "message_id": "message_id",
    "reply": "mail_server_said",
}
SPAN: Names = {"from_seq": "from_update", "to_seq": "to_update"}
MATCH: Names = {
    "seq": "update",
    "urgent": "at_once",
    "created_at": "found",
    "ended_at": "settled",
    "ended_as": "settled_as",
}
TOLD: Names = {"seq": "told_up_to_update"}
SUPPRESSION: Names = {"reason": "reason", "created_at": "since"}

EXPORTED: Mapping[str, Names] = {
    "subscribers": {**SUBSCRIBER, "address_sealed": "address", "schedule_id": "how_often"},
    "subscriptions": {
        **SUBSCRIPTION,
        "trial_id": "study",
        "condition_id": "condition",
        "filter_id": "only",
        "consent_text_id": "agreed_to",
    },
    "pending_requests": {
        **REQUEST,
        "trial_id": "study",
        "condition_id": "condition",
        "filter_id": "only",
        "consent_text_id": "agreed_to",
        "from_subscriber_id": "for_another_address",
        "words_sealed": "words",
        "condition_text": "words",
    },
    "matches": {**MATCH, "trial_id": "study", "change_id": "seen"},
    "told": {**TOLD, "trial_id": "study"},
    "deliveries": DELIVERY,
    "delivery_spans": {**SPAN, "trial_id": "study"},
    "suppressions": SUPPRESSION,
}
"""By table and column, under which name an export says it; where a column leads to another row, what that row says."""
NOT_EXPORTED: Mapping[str, Names] = {
    "subscribers": {"id": "a number of ours", "address_index": "a keyed hash", "revision": "counts choices"},
    "subscriptions": {"id": "a number of ours", "subscriber_id": "leads to the reader themselves"},
    "pending_requests": {
        "id": "a number of ours",
        "address_index": "a keyed hash",
        "words_index": "a keyed hash",
        "address_sealed": "the address itself, or that of somebody else who was asked",
    },
    "matches": {
        "id": "a number of ours",
        "subscription_id": "a number of ours",
        "subscriber_id": "leads to the reader themselves",
        "delivery_id": "a number of ours",
    },
    "told": {"subscriber_id": "leads to the reader themselves"},
    "deliveries": {
        "id": "a number of ours",
        "dedupe_key": "made of numbers of ours",
        "subscriber_id": "leads to the reader themselves",
        "request_id": "a number of ours",
        "lane": "the order of sending",
        "lease_token": "which worker sends it",
        "leased_until": "until when that worker may",
    },
    "delivery_spans": {"delivery_id": "a number of ours"},
    "suppressions": {"address_index": "a keyed hash"},
}
"""By table and column, why an export leaves it out."""


def read_reader(session: Session, subscriber: Subscriber) -> Plain:
    """A subscriber's own choices."""
    schedule = session.get_one(Schedule, subscriber.schedule_id)
    return {**_plain(subscriber, SUBSCRIBER), "how_often": _plain(schedule, SCHEDULE)}


def list_followed(session: Session, subscriber_id: int) -> list[Plain]:
    """What a subscriber follows or followed, with the filter and the evidence of their consent."""
    chosen = select(Subscription).where(Subscription.subscriber_id == subscriber_id).order_by(Subscription.id)
    rows = session.scalars(chosen).all()
    return [
        {
            **_target(session, row.trial_id, row.condition_id),
            **_plain(row, SUBSCRIPTION),
            "only": _filter(session, row.filter_id),
            "agreed_to": _words(session, row.consent_text_id),
        }
        for row in rows
    ]


def list_requests(
    session: Session, *, address_index: bytes, subscriber_id: int | None, keys: AddressKeys
) -> list[Plain]:
    """What was asked for with this address, or by this subscriber for another one; never that other address."""
    mine = PendingRequest.address_index == address_index
    if subscriber_id is not None:
        mine = or_(mine, PendingRequest.from_subscriber_id == subscriber_id)
    return [
        {
            **_target(session, row.trial_id, row.condition_id),
            **_plain(row, REQUEST),
            "words": words_of(row, keys=keys),
            "for_another_address": row.address_index != address_index,
            "only": _filter(session, row.filter_id),
            "agreed_to": _words(session, row.consent_text_id),
        }
        for row in session.scalars(select(PendingRequest).where(mine).order_by(PendingRequest.id))
    ]


def list_mails(session: Session, *, address_index: bytes, subscriber_id: int | None) -> list[Plain]:
    """The mails made for them: of which kind, when, what became of them, and of which studies they told."""
    ids = set(session.scalars(_asked_mails(address_index)))
    if subscriber_id is not None:
        ids |= set(session.scalars(select(Delivery.id).where(Delivery.subscriber_id == subscriber_id)))
    found: list[Plain] = []
    for some in portions(sorted(ids), 1_000):
        spans = _spans(session, some)
        rows = session.scalars(select(Delivery).where(Delivery.id.in_(some)).order_by(Delivery.id))
        found += [{**_plain(row, DELIVERY), "told_of": spans.get(row.id, [])} for row in rows]
    return found


def list_matches(session: Session, subscriber_id: int) -> list[Plain]:
    """News that was found for them: what waits, and what became of the rest."""
    mine = select(Subscription.id).where(Subscription.subscriber_id == subscriber_id)
    chosen = (
        select(Match, Trial.number, Change.observed_at)
        .join(Trial, Trial.id == Match.trial_id)
        .join(Change, Change.id == Match.change_id)
        .where(Match.subscription_id.in_(mine))
        .order_by(Match.id)
    )
    rows = session.execute(chosen)
    return [{"study": number, "seen": _value(seen), **_plain(match, MATCH)} for match, number, seen in rows]


def list_told(session: Session, subscriber_id: int) -> list[Plain]:
    """Up to which update they know each study."""
    chosen = select(Told, Trial.number).join(Trial, Trial.id == Told.trial_id)
    rows = session.execute(chosen.where(Told.subscriber_id == subscriber_id).order_by(Told.trial_id))
    return [{"study": number, **_plain(told, TOLD)} for told, number in rows]


def find_suppression(session: Session, address_index: bytes) -> Plain | None:
    """Why their address is not mailed, if it is not."""
    row = session.get(Suppression, address_index)
    return _plain(row, SUPPRESSION) if row else None


def _asked_mails(address_index: bytes) -> Any:
    joined = select(Delivery.id).join(PendingRequest, PendingRequest.id == Delivery.request_id)
    return joined.where(PendingRequest.address_index == address_index)


def _spans(session: Session, delivery_ids: Collection[int]) -> dict[int, list[Plain]]:
    chosen = select(DeliverySpan, Trial.number).join(Trial, Trial.id == DeliverySpan.trial_id)
    rows = session.execute(chosen.where(DeliverySpan.delivery_id.in_(delivery_ids)))
    found: dict[int, list[Plain]] = {}
    for span, number in rows:
        found.setdefault(span.delivery_id, []).append({"study": number, **_plain(span, SPAN)})
    return found


def _target(session: Session, trial_id: int | None, condition_id: int | None) -> Plain:
    trial = session.get(Trial, trial_id) if trial_id else None
    condition = session.get(Condition, condition_id) if condition_id else None
    return {
        "study": trial.number if trial else None,
        "study_title": trial.title if trial else None,
        "condition": condition.name if condition else None,
    }


def _filter(session: Session, filter_id: int | None) -> Plain | None:
    row = session.get(Filter, filter_id) if filter_id else None
    if row is None:
        return None
    countries = select(FilterCountry.country).where(FilterCountry.filter_id == row.id)
    in_words = filter_in_words(load_filter(session, filter_id))
    return {"in_words": in_words, **_plain(row, FILTER), "countries": sorted(session.scalars(countries))}


def _words(session: Session, text_id: int | None) -> Plain | None:
    row = session.get(ConsentText, text_id) if text_id else None
    return _plain(row, CONSENT_TEXT) if row else None


def _plain(row: Base, names: Names) -> Plain:
    return {name: _value(getattr(row, column)) for column, name in names.items()}


def _value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
