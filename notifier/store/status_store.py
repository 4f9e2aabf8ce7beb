"""How the service stands, as counts: for ``notifier status``, the API and metrics."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.store.breaker_store import held_changes
from notifier.store.models import Base, Change, Delivery, Match, Schedule, Subscriber, Subscription, Trial

LATE = timedelta(minutes=15)
"""Planning is asked for every ten seconds; what is so late was asked for by nobody."""
_WAITING = ("waiting", "leased", "in_data", "deferred")


def count_all(session: Session, *, now: datetime) -> dict[str, int]:
    """Counts by name: ``waiting`` are Matches not ended, ``oldest_waiting_seconds`` how long a mail has been due.

    ``overdue_seconds`` is how long what `overdue_since` finds has been so; 0 where there is nothing.
    ``held`` are Changes that nobody is mailed about before the operator decides.
    ``ambiguous`` counts how often a mail may have reached a mailbox without our knowing.
    """
    rows = session.execute(select(Delivery.state, func.count().label("number")).group_by(Delivery.state))
    states = {row.state: row.number for row in rows}
    return {
        "trials": _count(session, Trial),
        "changes": _count(session, Change),
        # Of a reader who was forgotten, a row without an address stays.
        "subscribers": _count(session, Subscriber, Subscriber.address_sealed != b""),
        "subscriptions": _count(session, Subscription, Subscription.ended_at.is_(None)),
        "waiting": _count(session, Match, Match.ended_at.is_(None)),
        "held": _count(session, Change, Change.id.in_(held_changes())),
        "unmatched": _count(session, Change, Change.matched_at.is_(None)),
        "deliveries_waiting": sum(states.get(state, 0) for state in _WAITING),
        "sent": states.get("sent", 0),
        "failed": states.get("failed", 0),
        "unknown": states.get("unknown", 0),
        "ambiguous": session.scalar(select(func.coalesce(func.sum(Delivery.ambiguous), 0))) or 0,
        "oldest_waiting_seconds": _oldest_waiting(session, now),
        "overdue_seconds": _seconds(overdue_since(session, now=now), now),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """So many mails wait for another time for one reason: what a server said of one, and whether others went since."""

    reason: str
    mails: int
    reply: str | None
    others_went: bool


def list_reasons(session: Session) -> list[Waiting]:
    """Why mails wait for another time, those with most mails first."""
    number = func.count().label("number")
    columns = (Delivery.reason, number, func.max(Delivery.reply), func.min(Delivery.created_at))
    waiting = select(*columns).where(Delivery.state == "deferred").group_by(Delivery.reason)
    rows = session.execute(waiting.order_by(number.desc(), Delivery.reason)).all()
    return [
        Waiting(reason=reason, mails=mails, reply=reply, others_went=_is_any_sent(session, since=made))
        for reason, mails, reply, made in rows
        if reason
    ]


def _is_any_sent(session: Session, *, since: datetime) -> bool:
    sent = select(Delivery.id).where(Delivery.state == "sent", Delivery.sent_at >= since).limit(1)
    return session.scalar(sent) is not None


def overdue_since(session: Session, *, now: datetime) -> datetime | None:
    """Since when a change should have been matched, or a digest planned, that was not; None where none is so late.

    The time of each Schedule that comes at an hour moves on when it is planned, whether it has readers or none.
    """
    planned = session.scalar(select(func.min(Schedule.next_due_at)).where(Schedule.cadence != "instant"))
    unmatched = select(func.min(Change.observed_at)).where(Change.matched_at.is_(None), Change.match_after.is_(None))
    waiting = [moment for moment in (planned, session.scalar(unmatched)) if moment is not None]
    oldest = min(waiting, default=now)
    return oldest if oldest <= now - LATE else None


def _count(session: Session, model: type[Base], *where: Any) -> int:
    return session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def _oldest_waiting(session: Session, now: datetime) -> int:
    due = select(func.min(Delivery.not_before)).where(Delivery.state.in_(_WAITING), Delivery.not_before <= now)
    return _seconds(session.scalar(due), now)


def _seconds(since: datetime | None, now: datetime) -> int:
    return int((now - since).total_seconds()) if since else 0
