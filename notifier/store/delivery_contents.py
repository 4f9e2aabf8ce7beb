"""What Deliveries carry, until it ends or is let go of; and the locks on the readers whose Deliveries they are."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Delete, Row, Update, and_, bindparam, delete, select, update
from sqlalchemy.orm import Session

from notifier.domain.deliveries import Composed
from notifier.store.breaker_store import held_changes
from notifier.store.given import among
from notifier.store.lock_order import hold
from notifier.store.models import Delivery, DeliverySpan, Match, Subscriber, Subscription
from notifier.store.portions import portions
from notifier.store.statement_plans import look_up_as_ever

AnyRow = Row[*tuple[Any, ...]]

_LOCKED = (
    select(Subscriber.id, Subscriber.revision, Subscriber.address_index, Subscriber.paused_until)
    .where(among(Subscriber.id, "ids"))
    .order_by(Subscriber.id)
    .with_for_update(key_share=True)
)
_MISSED = select(Delivery.subscriber_id).where(
    among(Delivery.id, "ids"), Delivery.subscriber_id.is_not(None), ~among(Delivery.subscriber_id, "locked")
)

# By their readers, whose they are together, as no index leads from a Delivery to its Matches.
_READERS = select(Delivery.subscriber_id).where(among(Delivery.id, "ids"))
_CARRIED = and_(among(Match.delivery_id, "ids"), Match.ended_at.is_(None), Match.subscriber_id.in_(_READERS))
_RELEASED = update(Match).where(_CARRIED).values(delivery_id=None)
_FORGOTTEN = delete(DeliverySpan).where(among(DeliverySpan.delivery_id, "ids"))
_RENEWED = update(Delivery).where(among(Delivery.id, "ids")).values(message_id=None, dated_at=None, language=None)
_ENDING = update(Match).values(ended_at=bindparam("at"), ended_as=bindparam("as_what"))
_ENDED = _ENDING.where(among(Match.id, "ids"), Match.ended_at.is_(None))
_ENDED_CARRIED = _ENDING.where(_CARRIED)


def lock_subscribers(session: Session, ids: Iterable[int | None]) -> dict[int, AnyRow]:
    """Lock subscribers, always in the same order, and give what decides about their mails as it now is.

    Whoever ends a subscription writes the subscriber first: they were before us and we see it, or they wait for us.
    """
    wanted = sorted({id_ for id_ in ids if id_ is not None})
    found: dict[int, AnyRow] = {}
    for some in portions(wanted):
        found |= {row.id: row for row in session.connection().execute(_LOCKED, {"ids": some}).all()}
    return found


def lock_readers_of(session: Session, mails: Sequence[Composed]) -> dict[int, AnyRow]:
    """As `lock_subscribers`, for those whom mails were composed for and those whose they are by now.

    Two readers may be joined meanwhile, and who marks a mail twice waits for whomever it then belongs to.
    """
    if not mails:
        return {}
    ids = [mail.delivery_id for mail in mails]
    known = {mail.subscriber_id for mail in mails}
    return hold(session, partial(_lock_readers, session, ids, known))


def _lock_readers(session: Session, delivery_ids: Sequence[int], known: set[int | None]) -> dict[int, AnyRow] | None:
    """None if one of these mails is another reader's, who is known from then on."""
    look_up_as_ever(session)
    locked = lock_subscribers(session, known)
    owners = {"ids": delivery_ids, "locked": list(locked)}
    missed = {row.subscriber_id for row in session.connection().execute(_MISSED, owners)}
    known |= missed
    return None if missed else locked


def lock_owners(session: Session, whose: ColumnElement[bool], *, also: Sequence[int | None] = ()) -> dict[int, AnyRow]:
    """As `lock_subscribers`, for the readers whose Deliveries these are, and others."""
    return hold(session, partial(_lock_owners, session, whose, also))


def _lock_owners(session: Session, whose: ColumnElement[bool], also: Sequence[int | None]) -> dict[int, AnyRow] | None:
    """None if one came to be another reader's while we waited."""
    owners = select(Delivery.subscriber_id).where(whose, Delivery.subscriber_id.is_not(None)).distinct()
    locked = lock_subscribers(session, [*session.scalars(owners), *also])
    return locked if locked.keys() >= set(session.scalars(owners)) else None


def release(session: Session, delivery_ids: Sequence[int]) -> None:
    """Let go of what these Deliveries told: their open Matches are free for another one."""
    forget_spans(session, delivery_ids)
    _update_of(session, delivery_ids, _RELEASED)


def forget_spans(session: Session, delivery_ids: Sequence[int]) -> None:
    """Forget how far these Deliveries told: they move nobody on, now or later."""
    _update_of(session, delivery_ids, _FORGOTTEN)


def unfreeze(session: Session, delivery_ids: Sequence[int]) -> None:
    """Release, and forget Date and Message-ID too: the next try is another mail."""
    release(session, delivery_ids)
    _update_of(session, delivery_ids, _RENEWED)


def end_matches(session: Session, ids: Iterable[int], *, ended_as: str, now: datetime) -> None:
    """End Matches that have not ended."""
    _update_of(session, list(ids), _ENDED, {"as_what": ended_as, "at": now})


def end_frozen_matches(session: Session, delivery_ids: Sequence[int], *, ended_as: str, now: datetime) -> None:
    """End the Matches that these Deliveries carry."""
    _update_of(session, delivery_ids, _ENDED_CARRIED, {"as_what": ended_as, "at": now})


def _update_of(
    session: Session, ids: Sequence[int], statement: Update | Delete, values: Mapping[str, Any] | None = None
) -> None:
    if ids:
        session.flush()
    for some in portions(ids):
        session.connection().execute(statement, {"ids": some, **(values or {})})


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


def _is_free() -> ColumnElement[bool]:
    """That a Match waits, that no Delivery carries it, and that the breaker does not hold it."""
    return and_(Match.ended_at.is_(None), Match.delivery_id.is_(None), Match.change_id.not_in(held_changes()))
