"""Retaining: what is held of a person is removed when its time is up, in rounds, as `domain.retention` says."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from notifier.domain import retention
from notifier.domain.asking import REQUEST_LIVES
from notifier.store import audit_store, destination_store, forget_store, retention_store
from notifier.store.database import Database
from notifier.store.models import Subscriber
from notifier.store.retention_store import Portion

PORTIONS = 20
"""At most so many transactions of one work in a round."""
AT_ONCE = 200
"""Subscriptions deleted in one transaction, each with its Matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One part of the retention: what a portion does, how often it begins anew, and whether the audit trail tells."""

    portion: Callable[[Session, int, datetime], Portion]
    every: timedelta = timedelta(hours=1)
    audited: bool = False


def retain(*, database: Database, now: datetime) -> None:
    """Remove what its time is up for, a bounded portion each time; at next to no cost where nothing is due."""
    with database.reading() as session:
        marks = retention_store.read_marks(session)
    for name, work in _WORKS.items():
        position, finished_at = marks.get(name, (0, None))
        # A clock that once ran ahead must not keep a work from being done until then.
        if position or finished_at is None or not now - work.every < finished_at <= now:
            _work_on(name, work, position, database=database, now=now)


def _work_on(name: str, work: _Work, position: int, *, database: Database, now: datetime) -> None:
    """Some portions, each in a transaction of its own, with the mark that says where to go on."""
    going: int | None = position
    for _ in range(PORTIONS):
        with database.writing() as session:
            done = work.portion(session, going or 0, now)
            going = done.position
            retention_store.set_mark(session, name, position=going, now=now)
            if done.removed and work.audited:
                audit_store.add(session, what="expired", by="retention", now=now, count=done.removed)
        if going is None:
            return


def _delete_requests(session: Session, _position: int, now: datetime) -> Portion:
    confirmed = now - retention.CONFIRMED
    return retention_store.delete_requests(
        session, unconfirmed=now - retention.UNCONFIRMED, confirmed=confirmed, day=confirmed + REQUEST_LIVES
    )


def _delete_hollow(session: Session, _position: int, now: datetime) -> Portion:
    ids = forget_store.list_hollow(session, before=now - retention.HOLLOW, limit=AT_ONCE)
    removed = forget_store.delete_subscriptions(session, ids)
    return Portion(removed=removed, position=0 if len(ids) == AT_ONCE else None)


def _forget_over(session: Session, _position: int, now: datetime) -> Portion:
    """One reader of whom something ended long ago: forgotten if nothing else is left, or else without that."""
    before = now - retention.ENDED
    found = retention_store.list_over(session, before=before, limit=1)
    if not found:
        return Portion(removed=0, position=None)
    reader = session.get_one(Subscriber, found[0])
    requests, locked = forget_store.lock_mailbox(session, reader.address_index, subscriber_id=reader.id)
    assert locked is not None
    if not locked.is_erased and retention_store.is_reader_over(session, reader.id, before=before):
        forget_store.erase_requests(session, requests)
        forget_store.erase(session, locked, now=now)
        return Portion(removed=1, position=0)
    ended = retention_store.list_ended(session, reader.id, before=before)
    return Portion(removed=forget_store.delete_subscriptions(session, ended), position=0)


def _delete_matches(session: Session, position: int, now: datetime) -> Portion:
    return retention_store.delete_matches(session, after=position, before=now - retention.SETTLED)


def _delete_mails(session: Session, position: int, now: datetime) -> Portion:
    return retention_store.delete_mails(session, after=position, before=now - retention.SETTLED)


def _delete_answers(session: Session, _position: int, now: datetime) -> Portion:
    return retention_store.delete_answers(session, now=now)


def _delete_audit(session: Session, _position: int, now: datetime) -> Portion:
    return retention_store.delete_audit(session, before=now - retention.AUDITED)


def _delete_destinations(session: Session, _position: int, now: datetime) -> Portion:
    removed = destination_store.delete_unseen(session, before=now - retention.UNSEEN, limit=AT_ONCE)
    return Portion(removed=removed, position=0 if removed == AT_ONCE else None)


_WORKS = {
    "requests": _Work(portion=_delete_requests, audited=True),
    "hollow": _Work(portion=_delete_hollow),
    "readers": _Work(portion=_forget_over, audited=True),
    "matches": _Work(portion=_delete_matches, every=timedelta(days=1)),
    "mails": _Work(portion=_delete_mails, every=timedelta(days=1)),
    "answers": _Work(portion=_delete_answers),
    "destinations": _Work(portion=_delete_destinations, every=timedelta(days=1)),
    "audit": _Work(portion=_delete_audit, every=timedelta(days=1)),
}
"""In this order: Matches before the mails that carry them."""
