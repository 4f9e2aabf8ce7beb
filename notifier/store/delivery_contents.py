"""What a Delivery carries: its Matches and spans, frozen while it may be under way, and how far readers were told."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from notifier.domain.deliveries import Composed
from notifier.store.breaker_store import held_changes
from notifier.store.inserting import insert_for
from notifier.store.lock_order import hold
from notifier.store.models import Delivery, DeliverySpan, Match, Subscriber, Subscription, Told
from notifier.store.told_store import follows

AnyRow = Row[*tuple[Any, ...]]

_PARAMETERS = 10_000
"""SQLite takes 32,766 values in a statement, PostgreSQL's protocol 65,535."""


def lock_subscribers(session: Session, ids: Iterable[int | None]) -> dict[int, AnyRow]:
    """Lock subscribers, always in the same order, and give what decides about their mails as it now is.

    Whoever ends a subscription writes the subscriber first: they were before us and we see it, or they wait for us.
    """
    wanted = sorted({id_ for id_ in ids if id_ is not None})
    if not wanted:
        return {}
    columns = (Subscriber.id, Subscriber.revision, Subscriber.address_index, Subscriber.paused_until)
    chosen = select(*columns).where(Subscriber.id.in_(wanted))
    rows = session.execute(chosen.order_by(Subscriber.id).with_for_update(key_share=True))
    return {row.id: row for row in rows}


def lock_readers_of(session: Session, mails: Sequence[Composed]) -> dict[int, AnyRow]:
    """As `lock_subscribers`, for those whom mails were composed for and those whose they are by now.

    Two readers may be joined meanwhile, and who marks a mail twice waits for whomever it then belongs to.
    """
    ids = [mail.delivery_id for mail in mails]
    return lock_owners(session, Delivery.id.in_(ids), also=[mail.subscriber_id for mail in mails])


def lock_owners(session: Session, whose: ColumnElement[bool], *, also: Sequence[int | None] = ()) -> dict[int, AnyRow]:
    """As `lock_subscribers`, for the readers whose Deliveries these are, and others."""
    return hold(session, partial(_lock_owners, session, whose, also))


def _lock_owners(session: Session, whose: ColumnElement[bool], also: Sequence[int | None]) -> dict[int, AnyRow] | None:
    """None if one came to be another reader's while we waited."""
    owners = select(Delivery.subscriber_id).where(whose, Delivery.subscriber_id.is_not(None)).distinct()
    locked = lock_subscribers(session, [*session.scalars(owners), *also])
    return locked if locked.keys() >= set(session.scalars(owners)) else None


def find_free_matches(session: Session, mails: Sequence[Composed]) -> dict[int, int | None]:
    """The Matches of these mails that have not ended, each with the Delivery it is frozen into, if any."""
    found: dict[int, int | None] = {}
    for ids in _portions(id_ for mail in mails for id_ in mail.match_ids + mail.collapsed_ids):
        chosen = select(Match.id, Match.delivery_id).where(Match.id.in_(ids), Match.ended_at.is_(None))
        found |= {row.id: row.delivery_id for row in session.execute(chosen)}
    return found


def freeze(session: Session, mails: Sequence[Composed]) -> None:
    """Write down what each mail tells, so that a second try tells the same."""
    matches = [
        {"of_delivery": mail.delivery_id, "of_match": id_}
        for mail in mails
        for id_ in mail.match_ids + mail.collapsed_ids
    ]
    if matches:
        taken = update(Match).where(Match.id == bindparam("of_match"), Match.ended_at.is_(None))
        session.connection().execute(taken.values(delivery_id=bindparam("of_delivery")), matches)
    spans = [
        {"delivery_id": mail.delivery_id, "trial_id": span.trial_id, "from_seq": span.from_seq, "to_seq": span.to_seq}
        for mail in mails
        for span in mail.spans
    ]
    if spans:
        session.connection().execute(insert_for(session, DeliverySpan).on_conflict_do_nothing(), spans)


def release(session: Session, delivery_ids: Sequence[int]) -> None:
    """Let go of what these Deliveries told: their open Matches are free for another one."""
    if not delivery_ids:
        return
    forget_spans(session, delivery_ids)
    open_ones = update(Match).where(Match.delivery_id.in_(delivery_ids), Match.ended_at.is_(None))
    session.execute(open_ones.values(delivery_id=None))


def forget_spans(session: Session, delivery_ids: Sequence[int]) -> None:
    """Forget how far these Deliveries told: they move nobody on, now or later."""
    if delivery_ids:
        session.execute(delete(DeliverySpan).where(DeliverySpan.delivery_id.in_(delivery_ids)))


def unfreeze(session: Session, delivery_ids: Sequence[int]) -> None:
    """Release, and forget Date and Message-ID too: the next try is another mail."""
    release(session, delivery_ids)
    if delivery_ids:
        fresh = update(Delivery).where(Delivery.id.in_(delivery_ids))
        session.execute(fresh.values(message_id=None, dated_at=None, language=None))


def end_matches(session: Session, ids: Iterable[int], *, ended_as: str, now: datetime) -> None:
    """End Matches that have not ended."""
    for some in _portions(ids):
        open_ones = update(Match).where(Match.id.in_(some), Match.ended_at.is_(None))
        session.execute(open_ones.values(ended_at=now, ended_as=ended_as))


def end_frozen_matches(session: Session, delivery_ids: Sequence[int], *, ended_as: str, now: datetime) -> None:
    """End the Matches that these Deliveries carry."""
    if delivery_ids:
        open_ones = update(Match).where(Match.delivery_id.in_(delivery_ids), Match.ended_at.is_(None))
        session.execute(open_ones.values(ended_at=now, ended_as=ended_as))


def end_free_matches(session: Session, subscriber_ids: Sequence[int], *, ended_as: str, now: datetime) -> None:
    """End what these readers wait for, what is not held, and no Delivery carries yet."""
    if subscriber_ids:
        free = update(Match).where(Match.subscriber_id.in_(subscriber_ids), _is_free())
        ended = free.values(ended_at=now, ended_as=ended_as)
        session.execute(ended, execution_options={"synchronize_session": False})


def end_urgent_matches(session: Session, subscriber_ids: Sequence[int], *, ended_as: str, now: datetime) -> None:
    """End what waits freely for these readers of studies of which something is urgent."""
    for subscriber_id in subscriber_ids:
        free = and_(Match.subscriber_id == subscriber_id, _is_free())
        wanted = select(Match.trial_id).join(Subscription, Subscription.id == Match.subscription_id)
        urgent = wanted.where(free, Match.urgent, Subscription.urgent).scalar_subquery()
        ended = update(Match).where(free, Match.trial_id.in_(urgent)).values(ended_at=now, ended_as=ended_as)
        session.execute(ended, execution_options={"synchronize_session": False})


def tell(session: Session, delivery_ids: Sequence[int]) -> None:
    """Move each reader on to where the spans of these Deliveries end; never back.

    Whoever left meanwhile is not moved, nor who came back since: a new subscription knows nothing of the old one.
    """
    if not delivery_ids:
        return
    still_followed = follows(
        Delivery.subscriber_id, DeliverySpan.trial_id, Subscription.confirmed_at <= Delivery.dated_at
    )
    spans = (
        select(Delivery.subscriber_id, DeliverySpan.trial_id, func.max(DeliverySpan.to_seq))
        .join(DeliverySpan, DeliverySpan.delivery_id == Delivery.id)
        .where(Delivery.id.in_(delivery_ids), Delivery.subscriber_id.is_not(None), still_followed)
        .group_by(Delivery.subscriber_id, DeliverySpan.trial_id)
    )
    inserted: Any = insert_for(session, Told).from_select(["subscriber_id", "trial_id", "seq"], spans)
    further = inserted.excluded.seq > Told.seq
    session.execute(
        inserted.on_conflict_do_update(
            index_elements=["subscriber_id", "trial_id"], set_={"seq": inserted.excluded.seq}, where=further
        )
    )


def _is_free() -> ColumnElement[bool]:
    """That a Match waits, that no Delivery carries it, and that the breaker does not hold it."""
    return and_(Match.ended_at.is_(None), Match.delivery_id.is_(None), Match.change_id.not_in(held_changes()))


def _portions(ids: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(ids)
    while some := list(islice(rest, _PARAMETERS)):
        yield some
