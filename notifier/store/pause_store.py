"""Pauses: whose mails rest, and what becomes of mails that were on their way."""

from datetime import datetime

from sqlalchemy import ColumnElement, Update, and_, or_, update
from sqlalchemy.orm import Session

from notifier.domain.deliveries import UNASKED, UNSENT
from notifier.store.models import Delivery, Match, Subscriber
from notifier.store.unloaded import change_rows

PAUSED = "paused"
"""Why a mail rests, or was given up for a later one."""


def is_awake(now: datetime) -> ColumnElement[bool]:
    """That a reader of the statement around has no pause now."""
    return or_(Subscriber.paused_until.is_(None), Subscriber.paused_until <= now)


def came_since_pause() -> ColumnElement[bool]:
    """That a Match came after the last pause of its reader: what came before is for their next digest."""
    return or_(Subscriber.paused_until.is_(None), Match.created_at >= Subscriber.paused_until)


def begin(session: Session, subscriber_id: int, *, until: datetime) -> None:
    """Pause a reader's mails: those not under way are given up, so that later ones tell the same and more.

    A mail that may have arrived already must be the same again, so it rests until the pause is over. The reader's row
    is written first: whoever is about to send to them has locked it, or will see the pause.
    """
    _set(session, subscriber_id, until)
    unsent = _mails_of(subscriber_id).where(Delivery.state.in_(UNSENT))
    given_back = {"reason": PAUSED, "lease_token": None, "leased_until": None}
    change_rows(session, unsent.where(Delivery.message_id.is_(None)).values(state="cancelled", **given_back))
    change_rows(session, unsent.where(Delivery.message_id.is_not(None)).values(
        state="deferred", not_before=until, **given_back
    ))  # fmt: skip


def end(session: Session, subscriber_id: int, *, now: datetime) -> None:
    """End a pause at once; that there was one until now stays known, so that what waited comes in one digest."""
    _set(session, subscriber_id, now)
    resting = and_(Delivery.state == "deferred", Delivery.reason == PAUSED)
    change_rows(session, _mails_of(subscriber_id).where(resting).values(not_before=now))


def _set(session: Session, subscriber_id: int, moment: datetime) -> None:
    row = update(Subscriber).where(Subscriber.id == subscriber_id)
    change_rows(session, row.values(paused_until=moment, revision=Subscriber.revision + 1))


def _mails_of(subscriber_id: int) -> Update:
    return update(Delivery).where(Delivery.subscriber_id == subscriber_id, Delivery.kind.in_(UNASKED))
