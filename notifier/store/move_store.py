"""Moves: what a reader follows goes to another mailbox, and what becomes of mails that were on their way."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import product

from sqlalchemy import exists, func, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from notifier.domain.deliveries import MOVED, UNSENT
from notifier.domain.departures import ENDED, Departure
from notifier.store import departure_log, forget_store, told_store
from notifier.store.delivery_contents import release
from notifier.store.lock_order import hold
from notifier.store.models import Delivery, Match, PendingRequest, Subscriber, Subscription, Told
from notifier.store.subscriber_store import count_open, end_subscriptions, take_turn, waits_for_answer
from notifier.store.unloaded import change_rows

MOVE = "move"
"""The kind of request to move to another mailbox."""
_SETTINGS = ("language", "schedule_id", "country", "detailed_subjects", "quiet_notes", "paused_until")


def lock_readers(session: Session, ids: Iterable[int]) -> None:
    """Keep everybody else from these readers, always in the same order; also those who write Matches for them."""
    chosen = select(Subscriber.id).where(Subscriber.id.in_(sorted(ids))).order_by(Subscriber.id)
    session.execute(chosen.with_for_update())


def lock_both(session: Session, subscriber_id: int, *, address_index: bytes) -> Subscriber | None:
    """Lock a reader and whoever has a mailbox, if anybody, and give the latter as they are now.

    Who has it may be erased, or move away, while we wait for the lock: then we look again.
    """
    there = hold(session, partial(_lock_with, session, subscriber_id, address_index))
    return session.get_one(Subscriber, there, populate_existing=True) if there else None


def _lock_with(session: Session, subscriber_id: int, address_index: bytes) -> int | None:
    """The id of who has the mailbox, 0 for nobody; None if it came to be another one."""
    found = select(Subscriber.id).where(Subscriber.address_index == address_index)
    there = session.scalar(found) or 0
    lock_readers(session, (subscriber_id, there))
    return there if there == (session.scalar(found) or 0) else None


def lock_answer(session: Session, request_id: int) -> PendingRequest | None:
    """A request to a mailbox as it is now, locked with all that an answer alters; None if there is none.

    Those are the others of the same reader, that reader, and whoever has the mailbox; nobody else asks for it or comes
    to have it by a move meanwhile. What was answered already is not locked.
    """
    hold(session, partial(_lock_answer, session, request_id))
    return session.get(PendingRequest, request_id, populate_existing=True)


def _lock_answer(session: Session, request_id: int) -> bool | None:
    """None if it came to be about others, or the reader to have asked for more, while we waited."""
    columns = (PendingRequest.from_subscriber_id, PendingRequest.address_index, PendingRequest.confirmed_at)
    found = select(*columns).where(PendingRequest.id == request_id)
    seen = session.execute(found).one_or_none()
    if seen is None or seen.from_subscriber_id is None or seen.confirmed_at is not None:
        return True
    take_turn(session, seen.address_index)
    asked = _lock_requests(session, seen.from_subscriber_id)
    there = _lock_with(session, seen.from_subscriber_id, seen.address_index)
    is_same = there is not None and session.execute(found).one_or_none() == seen
    return True if is_same and not _is_more(session, seen.from_subscriber_id, asked) else None


def lock_asking(session: Session, subscriber_id: int) -> None:
    """Have one transaction at a time ask for a reader: their requests first, as whoever erases them does."""
    hold(session, partial(_lock_asking, session, subscriber_id))


def _lock_asking(session: Session, subscriber_id: int) -> bool | None:
    """None if the reader came to have asked for more while we waited."""
    asked = _lock_requests(session, subscriber_id)
    lock_readers(session, (subscriber_id,))
    return None if _is_more(session, subscriber_id, asked) else True


def _lock_requests(session: Session, subscriber_id: int) -> frozenset[int]:
    mine = select(PendingRequest.id).where(PendingRequest.from_subscriber_id == subscriber_id)
    return frozenset(session.scalars(mine.order_by(PendingRequest.id).with_for_update(key_share=True)))


def _is_more(session: Session, subscriber_id: int, known: frozenset[int]) -> bool:
    mine = select(PendingRequest.id).where(PendingRequest.from_subscriber_id == subscriber_id)
    return not known.issuperset(session.scalars(mine))


def find_open_request(session: Session, subscriber_id: int, *, now: datetime) -> PendingRequest | None:
    """What a reader asked to be moved or handed over, and nobody answered yet."""
    mine = select(PendingRequest).where(PendingRequest.from_subscriber_id == subscriber_id)
    waiting = mine.where(waits_for_answer(now=now))
    return session.scalar(waiting.order_by(PendingRequest.id.desc()).limit(1))


def was_answered(session: Session, subscriber_id: int, *, kind: str, since: datetime) -> bool:
    """Whether another mailbox said yes to what a reader asked it, since a moment."""
    mine = exists().where(PendingRequest.from_subscriber_id == subscriber_id, PendingRequest.kind == kind)
    return session.scalar(select(mine.where(PendingRequest.confirmed_at > since))) or False


def note_at_former(session: Session, subscriber_id: int, ended: Iterable[int], *, now: datetime) -> None:
    """Have the log of who left say that these subscriptions ended, under the mailboxes their reader moved from, too.

    In a backup from before they are open there, and who moved back counts as somebody who never left it.
    """
    mine = select(PendingRequest.address_index).where(PendingRequest.from_subscriber_id == subscriber_id)
    moved = mine.where(PendingRequest.kind == MOVE, PendingRequest.confirmed_at.is_not(None))
    present = select(Subscriber.address_index).where(Subscriber.id == subscriber_id)
    former = session.scalars(moved.where(PendingRequest.address_index.not_in(present)).distinct()).all()
    for index, id_ in product(former, ended):
        departure_log.note(session, Departure(kind=ENDED, at=now, address_index=index, subscription_id=id_))


def list_ended_now(session: Session, subscriber_id: int, *, now: datetime) -> Sequence[int]:
    """The subscriptions of a reader that ended at this moment."""
    mine = select(Subscription.id).where(Subscription.subscriber_id == subscriber_id, Subscription.ended_at == now)
    return session.scalars(mine).all()


def withdraw_requests(session: Session, subscriber_id: int, *, now: datetime) -> None:
    """End what a reader asked to be moved or handed over: its link leads to nothing any more."""
    mine = update(PendingRequest).where(PendingRequest.from_subscriber_id == subscriber_id)
    waiting = mine.where(waits_for_answer(now=now))
    session.execute(waiting.values(expires_at=now))


def count_asked(session: Session, subscriber_id: int, *, since: datetime) -> int:
    """How many mails to other mailboxes a reader has caused since a moment."""
    made = select(func.count()).select_from(Delivery).join(PendingRequest, PendingRequest.id == Delivery.request_id)
    mine = made.where(PendingRequest.from_subscriber_id == subscriber_id, Delivery.created_at >= since)
    return session.scalar(mine) or 0


def change_address(session: Session, subscriber_id: int, *, index: bytes, sealed: bytes) -> bool:
    """Have a reader's mails go to another mailbox; those on their way are made anew for it.

    Whether it was done: not where somebody with that mailbox subscribed in the same moment.
    """
    new = {"address_index": index, "address_sealed": sealed, "revision": Subscriber.revision + 1}
    try:
        with session.begin_nested():
            change_rows(session, update(Subscriber).where(Subscriber.id == subscriber_id).values(**new))
    except IntegrityError:
        return False
    _settle_mails(session, subscriber_id)
    return True


def merge_readers(session: Session, *, from_id: int, into_id: int, now: datetime) -> None:
    """Have another reader, the same person, follow what one follows; what both follow stays as the other has it.

    The subscriptions themselves go over, also those that ended, with their consent, the links in earlier mails, the
    news that waits, and the mails that were made. Of a study, the other counts as told as far as either was. Of the
    first one nothing is left but an empty row, because what is just being matched may refer to it.
    """
    _settle_mails(session, from_id)
    if not count_open(session, into_id):
        _copy_settings(session, from_id=from_id, into_id=into_id)
    _merge_told(session, from_id=from_id, into_id=into_id)
    _move_news_of_twins(session, from_id=from_id, into_id=into_id)
    _move_subscriptions(session, from_id=from_id, into_id=into_id)
    end_subscriptions(session, subscriber_id=from_id, subscription_id=None, reason=MOVED, now=now)
    _move_the_rest(session, from_id=from_id, into_id=into_id)
    told_store.forget_uncovered(session, into_id)
    change_rows(session, update(Subscriber).where(Subscriber.id == into_id).values(revision=Subscriber.revision + 1))
    former = session.get_one(Subscriber, from_id, populate_existing=True)
    forget_store.erase(session, former, now=now)


def _settle_mails(session: Session, subscriber_id: int) -> None:
    """What may have arrived at the former mailbox never goes to another one: what it told is told there anew."""
    mine = select(Delivery.id).where(Delivery.subscriber_id == subscriber_id, Delivery.message_id.is_not(None))
    doubtful = session.scalars(mine.where(Delivery.state.in_(UNSENT))).all()
    release(session, doubtful)
    settled = {"state": "unknown", "reason": MOVED, "lease_token": None, "leased_until": None}
    change_rows(session, update(Delivery).where(Delivery.id.in_(doubtful)).values(**settled))
    going = update(Delivery).where(Delivery.subscriber_id == subscriber_id, Delivery.state == "in_data")
    change_rows(session, going.values(reason=MOVED))


def _copy_settings(session: Session, *, from_id: int, into_id: int) -> None:
    former = session.get_one(Subscriber, from_id)
    values = {name: getattr(former, name) for name in _SETTINGS}
    change_rows(session, update(Subscriber).where(Subscriber.id == into_id).values(**values))


def _move_news_of_twins(session: Session, *, from_id: int, into_id: int) -> None:
    """Where both follow the same, what was found for one and not for the other: they may have asked later."""
    mine, there, known = aliased(Subscription), aliased(Subscription), aliased(Match)
    same = or_(there.trial_id == mine.trial_id, there.condition_id == mine.condition_id)
    both = select(mine.id, there.id).join(there, same).where(mine.subscriber_id == from_id, mine.ended_at.is_(None))
    pairs = session.execute(both.where(there.subscriber_id == into_id, there.ended_at.is_(None))).all()
    for left, kept in pairs:
        is_known = exists().where(known.subscription_id == kept, known.change_id == Match.change_id)
        moving = update(Match).where(Match.subscription_id == left, ~is_known)
        change_rows(session, moving.values(subscription_id=kept, subscriber_id=into_id))


def _move_subscriptions(session: Session, *, from_id: int, into_id: int) -> None:
    """Those to what the other does not follow."""
    there = aliased(Subscription)
    twin = exists().where(
        there.subscriber_id == into_id,
        there.ended_at.is_(None),
        or_(there.trial_id == Subscription.trial_id, there.condition_id == Subscription.condition_id),
    )
    mine = (Subscription.subscriber_id == from_id, Subscription.ended_at.is_(None))
    ids = session.scalars(select(Subscription.id).where(*mine, ~twin)).all()
    change_rows(session, update(Match).where(Match.subscription_id.in_(ids)).values(subscriber_id=into_id))
    change_rows(session, update(Subscription).where(Subscription.id.in_(ids)).values(subscriber_id=into_id))


def _move_the_rest(session: Session, *, from_id: int, into_id: int) -> None:
    """What ended, the mails that were made, and what was asked: nobody but the other one is to answer for it."""
    ids = session.scalars(select(Subscription.id).where(Subscription.subscriber_id == from_id)).all()
    change_rows(session, update(Match).where(Match.subscription_id.in_(ids)).values(subscriber_id=into_id))
    change_rows(session, update(Subscription).where(Subscription.id.in_(ids)).values(subscriber_id=into_id))
    change_rows(session, update(Delivery).where(Delivery.subscriber_id == from_id).values(subscriber_id=into_id))
    asked = update(PendingRequest).where(PendingRequest.from_subscriber_id == from_id)
    change_rows(session, asked.values(from_subscriber_id=into_id))


def _merge_told(session: Session, *, from_id: int, into_id: int) -> None:
    known = select(literal(into_id, Told.subscriber_id.type), Told.trial_id, Told.seq).where(
        Told.subscriber_id == from_id
    )
    told_store.move_on(session, known)
