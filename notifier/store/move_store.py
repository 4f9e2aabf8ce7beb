"""Moves: what a reader follows goes to another mailbox, and what becomes of mails that were on their way."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import exists, func, literal, select, update
from sqlalchemy.orm import Session, aliased

from notifier.domain.deliveries import MOVED
from notifier.store import told_store
from notifier.store.delivery_contents import release
from notifier.store.inserting import insert_for
from notifier.store.models import Delivery, Match, PendingRequest, Subscriber, Subscription, Told
from notifier.store.subscriber_store import UNSENT, count_open, end_subscriptions

_SETTINGS = ("language", "schedule_id", "country", "detailed_subjects", "quiet_notes", "paused_until")
_WITHOUT_SYNC = {"synchronize_session": False}


def lock_readers(session: Session, ids: Iterable[int]) -> None:
    """Keep everybody else from these readers, always in the same order; also those who write Matches for them."""
    chosen = select(Subscriber.id).where(Subscriber.id.in_(sorted(ids))).order_by(Subscriber.id)
    session.execute(chosen.with_for_update())


def lock_asking(session: Session, subscriber_id: int) -> None:
    """Have one transaction at a time ask for a reader: their requests first, as whoever erases them does."""
    mine = select(PendingRequest.id).where(PendingRequest.from_subscriber_id == subscriber_id)
    session.execute(mine.order_by(PendingRequest.id).with_for_update())
    lock_readers(session, (subscriber_id,))


def find_open_request(session: Session, subscriber_id: int, *, now: datetime) -> PendingRequest | None:
    """What a reader asked to be moved or handed over, and nobody answered yet."""
    mine = select(PendingRequest).where(PendingRequest.from_subscriber_id == subscriber_id)
    waiting = mine.where(PendingRequest.confirmed_at.is_(None), PendingRequest.expires_at > now)
    return session.scalar(waiting.order_by(PendingRequest.id.desc()).limit(1))


def withdraw_requests(session: Session, subscriber_id: int, *, now: datetime) -> None:
    """End what a reader asked to be moved or handed over: its link leads to nothing any more."""
    mine = update(PendingRequest).where(PendingRequest.from_subscriber_id == subscriber_id)
    waiting = mine.where(PendingRequest.confirmed_at.is_(None), PendingRequest.expires_at > now)
    session.execute(waiting.values(expires_at=now))


def count_asked(session: Session, subscriber_id: int, *, since: datetime) -> int:
    """How many mails to other mailboxes a reader has caused since a moment."""
    made = select(func.count()).select_from(Delivery).join(PendingRequest, PendingRequest.id == Delivery.request_id)
    mine = made.where(PendingRequest.from_subscriber_id == subscriber_id, Delivery.created_at >= since)
    return session.scalar(mine) or 0


def change_address(session: Session, subscriber_id: int, *, index: bytes, sealed: bytes) -> None:
    """Have a reader's mails go to another mailbox that nobody has yet; those on their way are made anew for it."""
    _settle_mails(session, subscriber_id)
    row = update(Subscriber).where(Subscriber.id == subscriber_id)
    new = {"address_index": index, "address_sealed": sealed, "revision": Subscriber.revision + 1}
    session.execute(row.values(**new), execution_options=_WITHOUT_SYNC)


def merge_readers(session: Session, *, from_id: int, into_id: int, now: datetime) -> None:
    """Have another reader, the same person, follow what one follows; what both follow stays as the other has it.

    The subscriptions themselves go over, with their consent, the links in earlier mails, and the news that waits.
    Of a study, the other counts as told as far as either was. The first one follows nothing then.
    """
    _settle_mails(session, from_id)
    if not count_open(session, into_id):
        _copy_settings(session, from_id=from_id, into_id=into_id)
    moved = _move_subscriptions(session, from_id=from_id, into_id=into_id)
    waiting = update(Match).where(Match.subscription_id.in_(moved), Match.ended_at.is_(None))
    session.execute(waiting.values(subscriber_id=into_id), execution_options=_WITHOUT_SYNC)
    _merge_told(session, from_id=from_id, into_id=into_id)
    end_subscriptions(session, subscriber_id=from_id, subscription_id=None, reason=MOVED, now=now)
    told_store.forget_uncovered(session, into_id)
    row = update(Subscriber).where(Subscriber.id == into_id).values(revision=Subscriber.revision + 1)
    session.execute(row, execution_options=_WITHOUT_SYNC)


def _settle_mails(session: Session, subscriber_id: int) -> None:
    """What may have arrived at the former mailbox never goes to another one: what it told is told there anew."""
    mine = select(Delivery.id).where(Delivery.subscriber_id == subscriber_id, Delivery.message_id.is_not(None))
    doubtful = session.scalars(mine.where(Delivery.state.in_(UNSENT))).all()
    release(session, doubtful)
    settled = {"state": "unknown", "reason": MOVED, "lease_token": None, "leased_until": None}
    session.execute(
        update(Delivery).where(Delivery.id.in_(doubtful)).values(**settled), execution_options=_WITHOUT_SYNC
    )
    going = update(Delivery).where(Delivery.subscriber_id == subscriber_id, Delivery.state == "in_data")
    session.execute(going.values(reason=MOVED), execution_options=_WITHOUT_SYNC)


def _copy_settings(session: Session, *, from_id: int, into_id: int) -> None:
    former = session.get_one(Subscriber, from_id)
    values = {name: getattr(former, name) for name in _SETTINGS}
    session.execute(update(Subscriber).where(Subscriber.id == into_id).values(**values))


def _move_subscriptions(session: Session, *, from_id: int, into_id: int) -> list[int]:
    """Those to what the other does not follow; their ids."""
    there = aliased(Subscription)
    twin = exists().where(
        there.subscriber_id == into_id,
        there.ended_at.is_(None),
        (there.trial_id == Subscription.trial_id) | (there.condition_id == Subscription.condition_id),
    )
    open_ones = select(Subscription.id).where(Subscription.subscriber_id == from_id, Subscription.ended_at.is_(None))
    ids = list(session.scalars(open_ones.where(~twin)))
    session.execute(
        update(Subscription).where(Subscription.id.in_(ids)).values(subscriber_id=into_id),
        execution_options=_WITHOUT_SYNC,
    )
    return ids


def _merge_told(session: Session, *, from_id: int, into_id: int) -> None:
    known = select(literal(into_id, Told.subscriber_id.type), Told.trial_id, Told.seq).where(
        Told.subscriber_id == from_id
    )
    inserted = insert_for(session, Told).from_select(["subscriber_id", "trial_id", "seq"], known)
    further = inserted.on_conflict_do_update(
        index_elements=["subscriber_id", "trial_id"],
        set_={"seq": inserted.excluded.seq},
        where=inserted.excluded.seq > Told.seq,
    )
    session.execute(further)
