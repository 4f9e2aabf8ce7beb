"""What is old enough to go: found by indexes or by walking a table from its beginning, in small portions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from notifier.domain.deliveries import UNASKED
from notifier.store.inserting import insert_for
from notifier.store.models import (
    AuditEntry,
    Delivery,
    DeliverySpan,
    IdempotentAnswer,
    Match,
    PendingRequest,
    RetentionMark,
    Subscriber,
    Subscription,
    Told,
    Trial,
)
from notifier.store.retire_store import MERGED
from notifier.store.unloaded import change_rows

_FINISHED = ("sent", "failed", "cancelled", "unknown")
_PORTION = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What one portion did; ``position`` is where the next one goes on, None where nothing is left for now."""

    removed: int
    position: int | None


def read_marks(session: Session) -> dict[str, tuple[int, datetime | None]]:
    """By the name of a work: where it goes on, and when it was last finished."""
    return {row.name: (row.position, row.finished_at) for row in session.scalars(select(RetentionMark))}


def set_mark(session: Session, name: str, *, position: int | None, now: datetime) -> None:
    """Say where a work goes on; None: that it is finished."""
    first = insert_for(session, RetentionMark).values(name=name, position=0, finished_at=None)
    session.execute(first.on_conflict_do_nothing())
    values: dict[str, Any] = {"position": position or 0} | ({"finished_at": now} if position is None else {})
    change_rows(session, update(RetentionMark).where(RetentionMark.name == name).values(**values))


def delete_requests(session: Session, *, unconfirmed: datetime, confirmed: datetime, day: datetime) -> Portion:
    """Delete requests that expired before a moment, or were confirmed before another; ``day`` bounds their expiry.

    Their mails stay for a while as mails to nobody.
    """
    over = and_(PendingRequest.confirmed_at.is_(None), PendingRequest.expires_at < unconfirmed)
    done = and_(PendingRequest.confirmed_at < confirmed, PendingRequest.expires_at < day)
    chosen = select(PendingRequest.id).where(PendingRequest.expires_at < max(unconfirmed, day), or_(over, done))
    oldest = chosen.order_by(PendingRequest.expires_at).limit(_PORTION)
    found = session.scalars(oldest.with_for_update(skip_locked=True, key_share=True)).all()
    if found:
        change_rows(session, update(Delivery).where(Delivery.request_id.in_(found)).values(request_id=None))
        change_rows(session, delete(PendingRequest).where(PendingRequest.id.in_(found)))
    return _portion(found)


def list_over(session: Session, *, before: datetime, limit: int) -> Sequence[int]:
    """Readers of whom something ended before a moment that nothing needs any longer."""
    over = select(Subscription.subscriber_id).where(Subscription.ended_at < before, _is_needless())
    found = session.scalars(over.order_by(Subscription.ended_at).limit(limit)).all()
    return sorted(set(found))


def list_ended(session: Session, subscriber_id: int, *, before: datetime) -> Sequence[int]:
    """The subscriptions of a reader that ended before a moment and that nothing needs any longer."""
    mine = and_(Subscription.subscriber_id == subscriber_id, Subscription.ended_at < before)
    return session.scalars(select(Subscription.id).where(mine, _is_needless())).all()


def is_reader_over(session: Session, subscriber_id: int, *, before: datetime) -> bool:
    """Whether a reader follows nothing, and nothing that they followed ended since a moment."""
    recent = or_(Subscription.ended_at.is_(None), Subscription.ended_at >= before)
    return session.scalar(select(exists().where(Subscription.subscriber_id == subscriber_id, recent))) is False


def delete_matches(session: Session, *, after: int, before: datetime) -> Portion:
    """Delete Matches that ended before a moment and that no later mail needs; walks on from an id.

    Needed is: the first that was delivered of each study through a subscription, because closings are told to who was
    told before; and one that a mail lost, as long as the reader was told nothing else of the study.
    """
    rows = session.execute(
        select(Match.id, Match.created_at, Match.ended_at).where(Match.id > after).order_by(Match.id).limit(_PORTION)
    ).all()
    old = [row.id for row in rows if row.created_at < before and row.ended_at is not None and row.ended_at < before]
    if not old:
        return _walked(rows, 0, before=before)
    removed = change_rows(session, delete(Match).where(Match.id.in_(old), _is_match_needless()))
    delivered = update(Match).where(Match.id.in_(old), Match.ended_as == "delivered", Match.delivery_id.is_not(None))
    change_rows(session, delivered.values(delivery_id=None))
    return _walked(rows, removed, before=before)


def delete_mails(session: Session, *, after: int, before: datetime) -> Portion:
    """Delete Deliveries that were finished before a moment and that no later mail needs; walks on from an id.

    Needed is: the last that was sent to a reader, because a quiet note says since when it was quiet; what readers were
    sent while something waits for them; and what carries a Match that is needed.
    """
    columns = (Delivery.id, Delivery.created_at, Delivery.sent_at, Delivery.in_data_at, Delivery.state)
    rows = session.execute(select(*columns).where(Delivery.id > after).order_by(Delivery.id).limit(_PORTION)).all()
    old = [row.id for row in rows if row.state in _FINISHED and _last_moment(row) < before]
    if not old:
        return _walked(rows, 0, before=before)
    going = session.scalars(select(Delivery.id).where(Delivery.id.in_(old), _is_mail_needless(before))).all()
    change_rows(session, delete(DeliverySpan).where(DeliverySpan.delivery_id.in_(old)))
    removed = change_rows(session, delete(Delivery).where(Delivery.id.in_(going)))
    bare: dict[str, Any] = {"message_id": None, "reply": None, "reason": None}
    staying = update(Delivery).where(Delivery.id.in_(set(old) - set(going)), _carries_nothing())
    change_rows(session, staying.values(**bare))
    return _walked(rows, removed, before=before)


def delete_answers(session: Session, *, now: datetime) -> Portion:
    """Delete answers to repeated requests whose time is up."""
    keys = (IdempotentAnswer.api_key_id, IdempotentAnswer.key_digest)
    over = select(*keys).where(IdempotentAnswer.expires_at < now).order_by(IdempotentAnswer.expires_at)
    found = [tuple(row) for row in session.execute(over.limit(_PORTION))]
    if found:
        change_rows(session, delete(IdempotentAnswer).where(tuple_(*keys).in_(found)))
    return _portion(found)


def delete_audit(session: Session, *, before: datetime) -> Portion:
    """Delete entries of the audit trail that are older than a moment."""
    over = select(AuditEntry.id).where(AuditEntry.done_at < before).order_by(AuditEntry.done_at).limit(_PORTION)
    found = session.scalars(over).all()
    if found:
        change_rows(session, delete(AuditEntry).where(AuditEntry.id.in_(found)))
    return _portion(found)


def _is_needless() -> ColumnElement[bool]:
    """That an ended subscription can go: its reader's links and the moving to merged studies do without it.

    A link of a study that took another number ends what it went on as, and who left a study that another was merged
    into is not brought back.
    """
    open_one, trial = aliased(Subscription), aliased(Trial)
    mine = and_(open_one.subscriber_id == Subscription.subscriber_id, open_one.ended_at.is_(None))
    went_on = exists().where(
        Subscription.ended_reason == MERGED, mine, open_one.confirmed_at == Subscription.confirmed_at
    )
    may_move = exists().where(
        Subscription.trial_id.is_not(None), mine, trial.id == open_one.trial_id, trial.merged_into_id.is_not(None)
    )
    return and_(~went_on, ~may_move)


def _is_match_needless() -> ColumnElement[bool]:
    earlier, of_it = aliased(Match), aliased(Subscription)
    same = and_(earlier.subscription_id == Match.subscription_id, earlier.trial_id == Match.trial_id)
    told_before = exists().where(same, earlier.ended_as == "delivered", earlier.id < Match.id)
    told = exists().where(Told.subscriber_id == Match.subscriber_id, Told.trial_id == Match.trial_id)
    return or_(
        Match.ended_as.in_(("collapsed", "ended")),
        and_(Match.ended_as == "delivered", told_before),
        and_(Match.ended_as == "dropped", or_(Match.delivery_id.is_(None), told)),
        exists().where(of_it.id == Match.subscription_id, of_it.ended_at.is_not(None)),
    )


def _is_mail_needless(before: datetime) -> ColumnElement[bool]:
    later = aliased(Delivery)
    mine = and_(later.subscriber_id == Delivery.subscriber_id, later.id > Delivery.id)
    written_since = exists().where(mine, later.kind.in_(UNASKED), later.sent_at >= Delivery.sent_at)
    erased = exists().where(Subscriber.id == Delivery.subscriber_id, Subscriber.address_sealed == b"")
    waits = exists().where(
        Match.subscriber_id == Delivery.subscriber_id, Match.ended_at.is_(None), Match.created_at < before
    )
    is_last = and_(Delivery.kind.in_(UNASKED), Delivery.sent_at.is_not(None), ~written_since, ~erased)
    return and_(_carries_nothing(), ~is_last, ~waits)


def _carries_nothing() -> ColumnElement[bool]:
    """By the subscriptions of its reader, as no index leads from a Delivery to its Matches."""
    mine = and_(Subscription.subscriber_id == Delivery.subscriber_id, Match.subscription_id == Subscription.id)
    return ~exists().where(mine, Match.delivery_id == Delivery.id)


def _last_moment(row: Any) -> datetime:
    moment: datetime = row.sent_at or row.in_data_at or row.created_at
    return moment


def _walked(rows: Sequence[Any], removed: int, *, before: datetime) -> Portion:
    """Where a walk goes on: it ends where rows are too young, or where there are none."""
    at_end = len(rows) < _PORTION or rows[-1].created_at >= before
    return Portion(removed=removed, position=None if at_end else rows[-1].id)


def _portion(found: Sequence[Any]) -> Portion:
    return Portion(removed=len(found), position=0 if len(found) == _PORTION else None)
