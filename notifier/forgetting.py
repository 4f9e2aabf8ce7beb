"""Forgetting: what we hold of a person is shown to them, erased at their word, and removed when its time is up."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from notifier.domain.departures import ERASED, Departure
from notifier.errors import InvalidToken
from notifier.store import audit_store, departure_log, export_store, forget_store, receipt_store, subscriber_store
from notifier.store.addresses import Address, AddressKeys
from notifier.store.forget_store import Erased
from notifier.store.models import Subscriber

FORMAT = 1
"""Of the export; rises when names in it change."""


def collect(session: Session, subscriber_id: int, *, keys: AddressKeys, now: datetime) -> dict[str, object]:
    """All that is held of a reader, as plain values that JSON can say; notes in the audit trail that it was given out.

    Raises:
        InvalidToken: they are gone, or were never there.
    """
    subscriber = session.get(Subscriber, subscriber_id)
    if subscriber is None or subscriber.is_erased:
        raise InvalidToken("Nothing is kept here any more.")
    audit_store.add(session, what="exported", by="reader", now=now)
    return _collected(
        session, keys.unseal(subscriber.address_sealed), subscriber.address_index, subscriber, keys=keys, now=now
    )


def collect_address(
    session: Session, address: Address, *, keys: AddressKeys, now: datetime
) -> dict[str, object] | None:
    """As `collect`, of whoever has this address, subscribed or not, on the operator's word; None if nothing is held."""
    index = keys.index(address)
    subscriber = subscriber_store.find_subscriber(session, index)
    if not is_anything_held(session, address, keys=keys) and not subscriber_store.is_suppressed(session, index):
        return None
    audit_store.add(session, what="exported", by="operator", now=now)
    return _collected(session, address.text, index, subscriber, keys=keys, now=now)


def forget_subscriber(session: Session, subscriber_id: int, *, by: str, now: datetime) -> Erased:
    """Erase everything that is held of a reader, at once; doing it twice is fine.

    After the commit no mail goes to them but one that was in_data before it.
    """
    subscriber = session.get(Subscriber, subscriber_id)
    if subscriber is None or subscriber.is_erased:
        return Erased()
    return _forget(session, subscriber.address_index, subscriber_id, by=by, now=now)


def forget_address(session: Session, address: Address, *, keys: AddressKeys, by: str, now: datetime) -> Erased:
    """Erase everything that is held of whoever has this address, subscribed or not.

    Only a Suppression stays: it is a keyed hash, and keeps us from mailing them.
    """
    index = keys.index(address)
    subscriber = subscriber_store.find_subscriber(session, index)
    return _forget(session, index, subscriber.id if subscriber else None, by=by, now=now)


def is_anything_held(session: Session, address: Address, *, keys: AddressKeys) -> bool:
    """Whether anything that `forget_address` erases is held of this address."""
    index = keys.index(address)
    subscriber = subscriber_store.find_subscriber(session, index)
    return subscriber is not None or receipt_store.has_asked(session, index)


def _forget(session: Session, index: bytes, subscriber_id: int | None, *, by: str, now: datetime) -> Erased:
    requests, subscriber = forget_store.lock_mailbox(session, index, subscriber_id=subscriber_id)
    # Before they are erased; a reader who moved just now has another mailbox than was asked for.
    indexes = {index} if subscriber is None or subscriber.is_erased else {index, subscriber.address_index}
    erased = [forget_store.erase_requests(session, requests)]
    if subscriber is not None and not subscriber.is_erased:
        erased.append(forget_store.erase(session, subscriber, now=now))
    total = _sum(erased)
    if total != Erased():
        audit_store.add(session, what="erased", by=by, now=now)
        for one in sorted(indexes):
            departure_log.note(session, Departure(kind=ERASED, at=now, address_index=one))
    return total


def _sum(parts: list[Erased]) -> Erased:
    totals: dict[str, int] = {}
    for part in parts:
        for name, count in asdict(part).items():
            totals[name] = totals.get(name, 0) + count
    return Erased(**totals)


def _collected(
    session: Session,
    address: str,
    index: bytes,
    subscriber: Subscriber | None,
    *,
    keys: AddressKeys,
    now: datetime,
) -> dict[str, object]:
    whose: dict[str, Any] = {"address_index": index, "subscriber_id": subscriber.id if subscriber else None}
    found: dict[str, object] = {
        "format": FORMAT,
        "made_at": now.isoformat(),
        "address": address,
        "is_subscribed": subscriber is not None,
        "requests": export_store.list_requests(session, **whose, keys=keys),
        "mails": export_store.list_mails(session, **whose),
        "must_not_be_mailed": export_store.find_suppression(session, index),
    }
    if subscriber is not None:
        found |= {
            "choices": export_store.read_reader(session, subscriber),
            "follows": export_store.list_followed(session, subscriber.id),
            "news": export_store.list_matches(session, subscriber.id),
            "told": export_store.list_told(session, subscriber.id),
        }
    return found
