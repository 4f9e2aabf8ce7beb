"""Leaving: one subscription or everything ends at a reader's word; who pressed our button gets one last mail."""

from datetime import datetime

from sqlalchemy.orm import Session

from notifier.errors import InvalidToken
from notifier.store import letter_store, retire_store, subscriber_store
from notifier.store.models import Subscription

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
    for one in (subscription_id, *retire_store.list_kin(session, subscription)):
        ended += subscriber_store.end_subscriptions(
            session, subscriber_id=subscription.subscriber_id, subscription_id=one, reason=reason, now=now
        )
    if ended and reason == BY_BUTTON:
        _say_goodbye(session, subscription.subscriber_id, now=now)


def end_everything(session: Session, subscriber_id: int, *, reason: str, now: datetime) -> None:
    """End all subscriptions of one mailbox and cancel what is not under way; doing it twice is fine.

    Whoever pressed the button on a page gets a last mail that says so.
    """
    ended = subscriber_store.end_subscriptions(
        session, subscriber_id=subscriber_id, subscription_id=None, reason=reason, now=now
    )
    if ended and reason == BY_BUTTON:
        _say_goodbye(session, subscriber_id, now=now)


def _say_goodbye(session: Session, subscriber_id: int, *, now: datetime) -> None:
    if not subscriber_store.count_open(session, subscriber_id):
        letter_store.add_goodbye(session, subscriber_id, now=now)
