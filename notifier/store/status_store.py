"""How the service stands, as counts: for ``notifier status``, the API and metrics."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.store.breaker_store import held_changes
from notifier.store.models import Base, Change, Delivery, Match, Subscriber, Subscription, Trial

_WAITING = ("waiting", "leased", "in_data", "deferred")


def count_all(session: Session, *, now: datetime) -> dict[str, int]:
    """Counts by name: ``waiting`` are Matches not ended, ``oldest_waiting_seconds`` how long a mail has been due.

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
    }


def list_reasons(session: Session) -> list[tuple[str, int, str | None]]:
    """Why mails wait for another time, those with most mails first: how many, and what a server said of one of them."""
    number = func.count().label("number")
    waiting = select(Delivery.reason, number, func.max(Delivery.reply)).where(Delivery.state == "deferred")
    rows = session.execute(waiting.group_by(Delivery.reason).order_by(number.desc(), Delivery.reason))
    return [(reason, mails, reply) for reason, mails, reply in rows if reason]


def _count(session: Session, model: type[Base], *where: Any) -> int:
    return session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def _oldest_waiting(session: Session, now: datetime) -> int:
    due = select(func.min(Delivery.not_before)).where(Delivery.state.in_(_WAITING), Delivery.not_before <= now)
    oldest = session.scalar(due)
    return int((now - oldest).total_seconds()) if oldest else 0
