"""Leaving: one subscription or everything ends at a reader's word; who pressed our button gets one last mail."""

from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain import departures
from notifier.errors import InvalidToken
from notifier.store import departure_log, letter_store, move_store, retire_store, subscriber_store
from notifier.store.models import Subscriber, Subscription

BY_BUTTON = "reader"
"""The reason of who ended something on a page of ours; a mail program's one click is another: no mail answers it."""


def end_subscription(session: Session, subscription_id: int, *, reason: str, now: datetime) -> None:
    """End one subscription, and what it went on as where its study took another number; doing it twice is fine.

    Raises:
        InvalidToken: there never was such a subscription.
    """
    subscriber_store.lock_owner(session, subscription_id)
    subscription = session.get(Subscription, subscription_id, populate_existing=True)
    if subscription is None:
        raise InvalidToken("This subscription is not known.")
    ended = 0
    ancestry = retire_store.list_kin(session, subscription, even_ended=True)
    for one in (subscription_id, *retire_store.list_kin(session, subscription)):
        ended += subscriber_store.end_subscriptions(
            session, subscriber_id=subscription.subscriber_id, subscription_id=one, reason=reason, now=now
        )
    if ended:
        # What it came from is open in an older backup.
        for one in (subscription_id, *ancestry):
            _log(session, subscription.subscriber_id, kind=departures.ENDED, subscription_id=one, now=now)
        move_store.note_at_former(session, subscription.subscriber_id, (subscription_id, *ancestry), now=now)
    if ended and reason == BY_BUTTON:
        _say_goodbye(session, subscription.subscriber_id, now=now)


def end_everything(session: Session, subscriber_id: int, *, reason: str, now: datetime) -> None:
    """End all subscriptions of one mailbox and cancel what is not under way; doing it twice is fine.

    Whoever pressed the button on a page gets a last mail that says so.
    """
    ended = subscriber_store.end_subscriptions(
        session, subscriber_id=subscriber_id, subscription_id=None, reason=reason, now=now
    )
    if ended:
        _log(session, subscriber_id, kind=departures.LEFT, now=now)
        all_ended = move_store.list_ended_now(session, subscriber_id, now=now)
        move_store.note_at_former(session, subscriber_id, all_ended, now=now)
    if ended and reason == BY_BUTTON:
        _say_goodbye(session, subscriber_id, now=now)


def _log(session: Session, subscriber_id: int, *, kind: str, now: datetime, subscription_id: int | None = None) -> None:
    index = session.get_one(Subscriber, subscriber_id).address_index
    gone = departures.Departure(kind=kind, at=now, address_index=index, subscription_id=subscription_id)
    departure_log.note(session, gone)


def _say_goodbye(session: Session, subscriber_id: int, *, now: datetime) -> None:
    if not subscriber_store.count_open(session, subscriber_id):
        letter_store.add_goodbye(session, subscriber_id, now=now)
