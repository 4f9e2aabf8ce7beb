"""Subscribers, what they asked for, and what ends when they leave."""

from datetime import datetime
from functools import partial

from sqlalchemy import BigInteger, ColumnElement, and_, func, literal, select, update
from sqlalchemy.orm import Session

from notifier.domain.deliveries import GOODBYE, UNSENT
from notifier.domain.languages import gettext_noop
from notifier.domain.schedules import Cadence, next_due
from notifier.domain.wishes import Consent
from notifier.errors import InvalidToken
from notifier.store import told_store
from notifier.store.addresses import AddressKeys
from notifier.store.inserting import insert_once
from notifier.store.lock_order import hold
from notifier.store.models import (
    Delivery,
    Match,
    PendingRequest,
    Schedule,
    Subscriber,
    Subscription,
    Suppression,
)

SUBSCRIPTION = "subscription"
"""The kind of a request that the form makes."""

NOTHING_HERE = gettext_noop("Nothing is kept here any more. There is nothing you need to do.")
_EXPIRED = gettext_noop("This link has expired. Please fill in the form again.")


def find_subscriber(session: Session, address_index: bytes) -> Subscriber | None:
    """The subscriber with this address, by its blind index."""
    return session.scalar(select(Subscriber).where(Subscriber.address_index == address_index))


def is_suppressed(session: Session, address_index: bytes) -> bool:
    """Whether this address must not be mailed."""
    return session.get(Suppression, address_index) is not None


def get_or_make_schedule(session: Session, cadence: Cadence, *, now: datetime) -> Schedule:
    """The one Schedule of this cadence, made if it is new."""
    row = {"cadence": cadence.cadence, "hour": cadence.hour, "weekday": cadence.weekday, "time_zone": cadence.time_zone}
    insert_once(session, Schedule, [{**row, "next_due_at": next_due(cadence, after=now)}])
    return session.scalars(select(Schedule).filter_by(**row)).one()


def get_or_make_subscriber(
    session: Session, *, address_index: bytes, address_sealed: bytes, language: str, schedule_id: int, now: datetime
) -> Subscriber:
    """The subscriber with this address, made if new and locked for this transaction; an address is never twice.

    The lock lets others refer to the subscriber: planning does, and would else wait in a circle with us.
    """
    row = {"address_index": address_index, "address_sealed": address_sealed, "language": language}
    rows = [{**row, "schedule_id": schedule_id, "revision": 0, "created_at": now}]
    chosen = select(Subscriber).where(Subscriber.address_index == address_index).with_for_update(key_share=True)
    insert_once(session, Subscriber, rows)
    found = session.scalars(chosen).one_or_none()
    if found is None:
        # Who was there was forgotten while we waited for the lock; whoever comes now is somebody new.
        insert_once(session, Subscriber, rows)
        found = session.scalars(chosen).one()
    return found


def add_subscription(  # noqa: PLR0913  # what a subscription says, by name
    session: Session,
    *,
    subscriber_id: int,
    trial_id: int | None = None,
    condition_id: int | None = None,
    wants: str,
    filter_id: int | None = None,
    urgent: bool = False,
    narrower: bool = True,
    consent: Consent,
) -> None:
    """Open a subscription, or change what an open one to the same thing wants.

    For a trial the reader counts as told of all there is now: only what comes later is news.
    """
    target = {"subscriber_id": subscriber_id, "trial_id": trial_id, "condition_id": condition_id}
    open_one = session.scalar(select(Subscription).filter_by(**target, ended_at=None))
    if open_one is not None:
        open_one.wants, open_one.filter_id, open_one.urgent = wants, filter_id, urgent
        open_one.narrower = narrower
        _add_evidence(open_one, consent)
        return
    session.add(
        Subscription(
            **target,
            wants=wants,
            filter_id=filter_id,
            urgent=urgent,
            narrower=narrower,
            news_since=consent.news_since,
            consent_site=consent.site,
            consent_how=consent.how,
            consent_text_id=consent.text_id,
            consent_health=consent.health,
            consent_asked_at=consent.asked_at,
            confirmed_at=consent.at,
        )
    )
    session.flush()
    if trial_id is not None:
        told_store.begin_now(session, subscriber_id=subscriber_id, trial_id=trial_id)


def _add_evidence(subscription: Subscription, consent: Consent) -> None:
    """Take down the words where none were recorded before; what somebody agreed to first is never replaced."""
    if subscription.consent_text_id is None and consent.text_id is not None:
        subscription.consent_text_id, subscription.consent_health = consent.text_id, consent.health
        subscription.consent_asked_at = consent.asked_at


def end_subscriptions(
    session: Session, *, subscriber_id: int, subscription_id: int | None, reason: str, now: datetime
) -> int:
    """End one open subscription, or all of them, with what waits for them; how many were open.

    The subscriber's row is written first: whoever is about to send to them has locked it, or will see the new revision
    and send nothing (design: whoever left before in_data gets nothing). Its lock is one that those who are just writing
    Matches for them keep away, too: they were before us and we end those, or they see that it ended.
    """
    session.execute(select(Subscriber.id).where(Subscriber.id == subscriber_id).with_for_update())
    bumped = update(Subscriber).where(Subscriber.id == subscriber_id)
    session.execute(bumped.values(revision=Subscriber.revision + 1))
    chosen = select(Subscription.id).where(Subscription.subscriber_id == subscriber_id, Subscription.ended_at.is_(None))
    if subscription_id is not None:
        chosen = chosen.where(Subscription.id == subscription_id)
    ids = session.scalars(chosen).all()
    session.execute(update(Subscription).where(Subscription.id.in_(ids)).values(ended_at=now, ended_reason=reason))
    waiting = update(Match).where(Match.subscription_id.in_(ids), Match.ended_at.is_(None))
    session.execute(waiting.values(ended_at=now, ended_as="ended"))
    told_store.forget_uncovered(session, subscriber_id)
    if not count_open(session, subscriber_id):
        unsent = update(Delivery).where(Delivery.subscriber_id == subscriber_id, Delivery.state.in_(UNSENT))
        unsent = unsent.where(Delivery.kind != GOODBYE)
        session.execute(unsent.values(state="cancelled", reason=reason, lease_token=None, leased_until=None))
        # Whoever comes back has not asked for silence.
        session.execute(update(Subscriber).where(Subscriber.id == subscriber_id).values(paused_until=None))
    return len(ids)


def lock_reader(session: Session, subscriber_id: int) -> Subscriber:
    """A reader as they are now, whom nobody else alters, erases or joins with another for this transaction.

    Raises:
        InvalidToken: they were forgotten, or never there.
    """
    session.flush()
    reader = session.get(Subscriber, subscriber_id, with_for_update={"key_share": True}, populate_existing=True)
    if reader is None or reader.is_erased:
        raise InvalidToken(NOTHING_HERE)
    return reader


def lock_owner(session: Session, subscription_id: int) -> None:
    """Keep a subscription with the reader it belongs to now: two readers may be joined while we wait for the lock."""
    hold(session, partial(_lock_owner, session, subscription_id))


def _lock_owner(session: Session, subscription_id: int) -> bool | None:
    """None if it went to another reader while we waited."""
    whose = select(Subscription.subscriber_id).where(Subscription.id == subscription_id)
    owner = session.scalar(whose)
    session.execute(select(Subscriber.id).where(Subscriber.id == owner).with_for_update())
    return True if session.scalar(whose) == owner else None


def count_open(session: Session, subscriber_id: int) -> int:
    """How many subscriptions of a subscriber are open."""
    open_ones = select(func.count()).where(Subscription.subscriber_id == subscriber_id, Subscription.ended_at.is_(None))
    return session.scalar(open_ones) or 0


def list_open(session: Session, subscriber_id: int) -> list[Subscription]:
    """The open subscriptions of a subscriber, oldest first."""
    chosen = select(Subscription).where(Subscription.subscriber_id == subscriber_id, Subscription.ended_at.is_(None))
    return list(session.scalars(chosen.order_by(Subscription.id)))


def get_request(session: Session, request_id: int, *, now: datetime) -> PendingRequest:
    """A request to subscribe: a confirmed one, or one that can be confirmed.

    Raises:
        InvalidToken: it is gone, has expired, or was for something else.
    """
    request = session.get(PendingRequest, request_id)
    if request is None or request.kind != SUBSCRIPTION:
        raise InvalidToken(_EXPIRED)
    if request.confirmed_at is None and not can_be_answered(request, now=now):
        raise InvalidToken(_EXPIRED)
    return request


def can_be_answered(request: PendingRequest, *, now: datetime) -> bool:
    """Whether nobody said yes to a request yet, and it has not expired."""
    return request.confirmed_at is None and request.expires_at > now


def waits_for_answer(*, now: datetime) -> ColumnElement[bool]:
    """`can_be_answered`, as a condition on rows."""
    return and_(PendingRequest.confirmed_at.is_(None), PendingRequest.expires_at > now)


def lock_request(session: Session, request_id: int) -> None:
    """Keep everybody else from altering or confirming a request for the rest of this transaction.

    The lock lets its mails refer to it: whoever marks one may hold a reader that we are about to lock.
    """
    session.get(PendingRequest, request_id, with_for_update={"key_share": True}, populate_existing=True)


def find_request(
    session: Session,
    *,
    address_index: bytes,
    trial_id: int | None,
    condition_id: int | None,
    words_index: bytes | None,
    now: datetime,
) -> PendingRequest | None:
    """A request of the same mailbox for the same things that waits for its answer."""
    same = select(PendingRequest).filter_by(
        kind=SUBSCRIPTION,
        address_index=address_index,
        trial_id=trial_id,
        condition_id=condition_id,
        words_index=words_index,
        condition_text=None,
    )
    return session.scalar(same.where(waits_for_answer(now=now)).order_by(PendingRequest.id.desc()))


def words_of(request: PendingRequest, *, keys: AddressKeys) -> str | None:
    """The words that a request asks to follow as text; None where it asks for none.

    Raises:
        ConfigurationError: the secret they were sealed with is no longer given.
    """
    return keys.unseal_words(request.words_sealed) if request.words_sealed else request.condition_text


def take_turn(session: Session, address_index: bytes) -> None:
    """Wait until no other transaction asks for the same mailbox, so that mails to it are counted rightly.

    SQLite has one writer at a time in any case.
    """
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(address_index[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(literal(number, BigInteger))))


def count_recent_mails(session: Session, *, address_index: bytes, since: datetime) -> int:
    """How many confirmation mails went or will go to this mailbox since a moment; not those that were refused."""
    counted = (
        select(func.count())
        .select_from(Delivery)
        .join(PendingRequest, PendingRequest.id == Delivery.request_id)
        .where(
            PendingRequest.address_index == address_index,
            Delivery.kind.in_(("confirmation", "new_mailbox", "hand_over")),
            Delivery.state != "cancelled",
            Delivery.created_at >= since,
        )
    )
    return session.scalar(counted) or 0
