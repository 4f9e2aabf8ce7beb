"""Erasing a mailbox: what is deleted at once, what stays as a hollow row, and what goes when nothing needs it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from os import urandom
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from notifier.domain.schedules import Cadence
from notifier.store import subscriber_store
from notifier.store.lock_order import hold
from notifier.store.models import (
    Delivery,
    DeliverySpan,
    Match,
    PendingRequest,
    Subscriber,
    Subscription,
    Told,
)
from notifier.store.unloaded import change_rows

ERASED = "erased"
"""Why the subscriptions of a reader ended who is forgotten."""
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_INDEX_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How much was erased, by number."""

    subscribers: int = 0
    subscriptions: int = 0
    requests: int = 0
    mails: int = 0
    matches: int = 0


def lock_mailbox(
    session: Session, address_index: bytes, *, subscriber_id: int | None
) -> tuple[Sequence[int], Subscriber | None]:
    """Lock what is held of a mailbox: ids of the requests for its address or made by its reader, and that reader.

    If they moved to another mailbox just before, it is both mailboxes. Nobody asks anew for them meanwhile.
    """
    return hold(session, partial(_lock_mailbox, session, {address_index}, subscriber_id))


def _lock_mailbox(
    session: Session, indexes: set[bytes], subscriber_id: int | None
) -> tuple[Sequence[int], Subscriber | None] | None:
    """None if they moved, which is added to the indexes, or more was asked for while we waited."""
    requests = _lock_requests(session, indexes, subscriber_id)
    reader = _lock_subscriber(session, subscriber_id) if subscriber_id is not None else None
    if reader is None:
        return requests, None
    if not reader.is_erased and reader.address_index not in indexes:
        indexes.add(reader.address_index)
        return None
    named = session.scalars(select(PendingRequest.id).where(_names(indexes, subscriber_id)))
    return (requests, reader) if set(named) <= set(requests) else None


def _lock_requests(session: Session, indexes: Collection[bytes], subscriber_id: int | None) -> Sequence[int]:
    """Whoever confirms locks the request before the subscriber; so do we, or each would wait for the other.

    The mails of requests may go on referring to them: whoever marks one has it locked.
    """
    for index in sorted(indexes):
        subscriber_store.take_turn(session, index)
    chosen = select(PendingRequest.id).where(_names(indexes, subscriber_id)).order_by(PendingRequest.id)
    return session.scalars(chosen.with_for_update(key_share=True)).all()


def _names(indexes: Collection[bytes], subscriber_id: int | None) -> ColumnElement[bool]:
    named = PendingRequest.address_index.in_(indexes)
    return named if subscriber_id is None else or_(named, PendingRequest.from_subscriber_id == subscriber_id)


def _lock_subscriber(session: Session, subscriber_id: int) -> Subscriber | None:
    """A subscriber as they are now, locked against everything, also against who is just writing Matches for them."""
    chosen = select(Subscriber).where(Subscriber.id == subscriber_id).with_for_update()
    return session.scalar(chosen.execution_options(populate_existing=True))


def erase(session: Session, subscriber: Subscriber, *, now: datetime) -> Erased:
    """Erase all that is held of a locked subscriber; requests are `erase_requests`.

    The row stays, hollow, because mails under way refer to it: without address, language, schedule or anything chosen.
    So do the ended subscriptions for an hour, without what was chosen, because Changes that are being matched may refer
    to them; `delete_hollow` removes them. A mail that is in_data is the one that may still arrive; its row stays until
    it is marked.
    """
    id_ = subscriber.id
    subscriptions = session.scalars(select(Subscription.id).where(Subscription.subscriber_id == id_)).all()
    matches = _delete_matches(session, id_, subscriptions)
    change_rows(session, delete(Told).where(Told.subscriber_id == id_))
    mails = erase_mails(session, Delivery.subscriber_id == id_)
    _hollow_subscriptions(session, subscriptions, now=now)
    _hollow_subscriber(session, subscriber, now=now)
    return Erased(subscribers=1, subscriptions=len(subscriptions), mails=mails, matches=matches)


def erase_requests(session: Session, ids: Collection[int]) -> Erased:
    """Erase locked requests with their mails."""
    if not ids:
        return Erased()
    mails = erase_mails(session, Delivery.request_id.in_(ids))
    return Erased(requests=change_rows(session, delete(PendingRequest).where(PendingRequest.id.in_(ids))), mails=mails)


def erase_mails(session: Session, whose: ColumnElement[bool]) -> int:
    """Delete Deliveries but those that are in_data, which lose what they tell and to which request they belong."""
    chosen = select(Delivery.id).where(whose)
    ids = session.scalars(chosen.order_by(Delivery.id).with_for_update()).all()
    if not ids:
        return 0
    change_rows(session, delete(DeliverySpan).where(DeliverySpan.delivery_id.in_(ids)))
    gone = change_rows(session, delete(Delivery).where(Delivery.id.in_(ids), Delivery.state != "in_data"))
    if gone < len(ids):
        bare = {"request_id": None, "reason": ERASED, "reply": None}
        change_rows(session, update(Delivery).where(Delivery.id.in_(ids)).values(**bare))
    return len(ids)


def list_hollow(session: Session, *, before: datetime, limit: int) -> Sequence[int]:
    """Subscriptions of forgotten readers that ended before a moment."""
    chosen = select(Subscription.id).where(Subscription.ended_at < before, Subscription.ended_reason == ERASED)
    return session.scalars(chosen.order_by(Subscription.ended_at).limit(limit)).all()


def delete_subscriptions(session: Session, ids: Collection[int]) -> int:
    """Delete ended subscriptions with their Matches; how many."""
    if not ids:
        return 0
    change_rows(session, delete(Match).where(Match.subscription_id.in_(ids)))
    ended = delete(Subscription).where(Subscription.id.in_(ids), Subscription.ended_at.is_not(None))
    return change_rows(session, ended)


def _delete_matches(session: Session, subscriber_id: int, subscriptions: Sequence[int]) -> int:
    """By subscription, and by what waits: both have an index; a reader's ended Matches have none."""
    waiting = delete(Match).where(Match.subscriber_id == subscriber_id, Match.ended_at.is_(None))
    theirs = delete(Match).where(Match.subscription_id.in_(subscriptions))
    return change_rows(session, theirs) + change_rows(session, waiting)


def _hollow_subscriptions(session: Session, ids: Sequence[int], *, now: datetime) -> None:
    empty: dict[str, Any] = {
        "wants": "everything", "filter_id": None, "urgent": False, "narrower": True, "news_since": "",
        "consent_site": "", "consent_how": "", "consent_text_id": None, "consent_health": False,
        "consent_asked_at": None, "confirmed_at": now, "ended_at": now, "ended_reason": ERASED,
    }  # fmt: skip
    change_rows(session, update(Subscription).where(Subscription.id.in_(ids)).values(**empty))


def _hollow_subscriber(session: Session, subscriber: Subscriber, *, now: datetime) -> None:
    usual = subscriber_store.get_or_make_schedule(session, Cadence(), now=now)
    subscriber.address_index, subscriber.address_sealed = urandom(_INDEX_BYTES), b""
    subscriber.language, subscriber.schedule_id, subscriber.country = "en", usual.id, None
    subscriber.detailed_subjects, subscriber.quiet_notes, subscriber.paused_until = False, False, None
    subscriber.created_at = _NO_TIME
    # Whatever was composed for them and did not go out yet is not to go out.
    subscriber.revision += 1
    session.flush()
