"""What a receipt is written from: a reader's subscriptions, the Changes they cover, Matches, mails; a few questions."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, exists, func, null, or_, select
from sqlalchemy.orm import Session

from notifier.domain.deliveries import UNRESOLVED, UNSENT
from notifier.domain.receipts import Tie
from notifier.store.condition_ties import concerns_at_change
from notifier.store.models import (
    Change,
    Condition,
    Delivery,
    DeliverySpan,
    HeldChange,
    Match,
    PendingRequest,
    Schedule,
    Subscriber,
    Subscription,
    Suppression,
    Told,
    Trial,
    TrialCondition,
)
from notifier.store.portions import portions


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """A Change of a study that a subscription covers, and its Match if there is one.

    ``tie`` is how a condition brought it, None where the study itself is followed; ``breaker`` what was decided, or not
    yet, on the same change in many studies.
    """

    subscription_id: int
    change: Change
    number: str
    title: str
    tie: Tie | None
    match: Match | None
    breaker: str | None


def list_subscriptions(session: Session, subscriber_id: int) -> list[tuple[Subscription, str | None, str | None]]:
    """All subscriptions of a reader, ended ones too, oldest first; each with its study's number or its condition."""
    chosen = (
        select(Subscription, Trial.number, Condition.name)
        .outerjoin(Trial, Trial.id == Subscription.trial_id)
        .outerjoin(Condition, Condition.id == Subscription.condition_id)
        .where(Subscription.subscriber_id == subscriber_id)
        .order_by(Subscription.id)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(chosen)]


def list_covered(
    session: Session, *, subscriber_id: int, trial_id: int | None, since: datetime, limit: int
) -> list[Covered]:
    """What was seen since a moment of the studies that a reader's subscriptions cover, newest first.

    A study that a condition covers in two stretches may be there twice. At most ``limit`` of each of the two kinds.
    """
    by_trial = _seen(null()).join(Subscription, Subscription.trial_id == Change.trial_id)
    by_condition = (
        _seen(TrialCondition)
        .join(TrialCondition, concerns_at_change())
        .join(Subscription, Subscription.condition_id == TrialCondition.condition_id)
    )
    found: list[Covered] = []
    for statement in (by_trial, by_condition):
        asked = _of_reader(statement, subscriber_id=subscriber_id, trial_id=trial_id, since=since)
        found += [_covered(row) for row in session.execute(asked.limit(limit))]
    return sorted(found, key=lambda one: (one.change.observed_at, one.change.id), reverse=True)


def list_told(session: Session, subscriber_id: int, trial_ids: Collection[int]) -> dict[int, int]:
    """By trial: up to which Change the reader was told."""
    found: dict[int, int] = {}
    for some in portions(trial_ids):
        chosen = select(Told.trial_id, Told.seq).where(Told.subscriber_id == subscriber_id, Told.trial_id.in_(some))
        found |= {row.trial_id: row.seq for row in session.execute(chosen)}
    return found


def list_first_matches(
    session: Session, subscriber_id: int, trial_ids: Collection[int]
) -> dict[tuple[int, int], datetime]:
    """By subscription and trial: since when there is news that waits for the reader or was delivered."""
    found: dict[tuple[int, int], datetime] = {}
    for some in portions(trial_ids):
        chosen = (
            select(Match.subscription_id, Match.trial_id, func.min(Match.created_at).label("first"))
            .where(Match.subscriber_id == subscriber_id, Match.trial_id.in_(some))
            .where(or_(Match.ended_at.is_(None), Match.ended_as == "delivered"))
            .group_by(Match.subscription_id, Match.trial_id)
        )
        found |= {(row.subscription_id, row.trial_id): row.first for row in session.execute(chosen)}
    return found


def list_in_doubt(session: Session, subscriber_id: int) -> set[int]:
    """Trials that a mail which is out, or not settled, tells of: later news on them waits."""
    chosen = (
        select(DeliverySpan.trial_id)
        .join(Delivery, Delivery.id == DeliverySpan.delivery_id)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.state.in_(UNRESOLVED))
    )
    return set(session.scalars(chosen))


def list_mails(
    session: Session,
    *,
    address_index: bytes,
    subscriber_id: int | None,
    since: datetime,
    carried: Collection[int],
    limit: int,
) -> list[Delivery]:
    """Mails made for an address since a moment, newest first, with those of these ids however old they are."""
    asked = exists().where(PendingRequest.id == Delivery.request_id, PendingRequest.address_index == address_index)
    mine = asked if subscriber_id is None else or_(asked, Delivery.subscriber_id == subscriber_id)
    chosen = select(Delivery).where(mine, Delivery.created_at >= since).order_by(Delivery.id.desc()).limit(limit)
    found = {one.id: one for one in session.scalars(chosen)}
    for some in portions(set(carried) - found.keys()):
        found |= {one.id: one for one in session.scalars(select(Delivery).where(Delivery.id.in_(some)))}
    return [found[id_] for id_ in sorted(found, reverse=True)]


def find_next_mail(session: Session, subscriber_id: int, *, kind: str) -> Delivery | None:
    """The mail of this kind that will take along what waits for a reader now: a digest, or what is urgent."""
    chosen = select(Delivery).where(
        Delivery.subscriber_id == subscriber_id,
        Delivery.kind == kind,
        Delivery.state.in_(UNSENT),
        Delivery.message_id.is_(None),
    )
    return session.scalar(chosen.order_by(Delivery.id.desc()).limit(1))


def get_schedule(session: Session, subscriber: Subscriber) -> Schedule:
    """How often a reader wants to hear."""
    return session.get_one(Schedule, subscriber.schedule_id)


def find_suppression(session: Session, address_index: bytes) -> str | None:
    """Why this address must not be mailed; None where it may be."""
    return session.scalar(select(Suppression.reason).where(Suppression.address_index == address_index))


def has_asked(session: Session, address_index: bytes) -> bool:
    """Whether anybody ever filled in a form for this address."""
    return bool(session.scalar(select(exists().where(PendingRequest.address_index == address_index))))


def _seen(tie: Any) -> Select[Any]:
    return select(Change, Trial.number, Trial.title, Match, HeldChange.state, Subscription.id, tie).select_from(Change)


def _of_reader(statement: Select[Any], *, subscriber_id: int, trial_id: int | None, since: datetime) -> Select[Any]:
    """Narrowed to one reader and a time; what was seen after a subscription ended is none of its business."""
    narrowed = (
        statement.join(Trial, Trial.id == Change.trial_id)
        .outerjoin(Match, and_(Match.change_id == Change.id, Match.subscription_id == Subscription.id))
        .outerjoin(HeldChange, HeldChange.id == Change.held_id)
        .where(Subscription.subscriber_id == subscriber_id, Change.observed_at >= since)
        .where(or_(Subscription.ended_at.is_(None), Change.observed_at <= Subscription.ended_at))
        .order_by(Change.observed_at.desc(), Change.id.desc(), Subscription.id)
    )
    return narrowed if trial_id is None else narrowed.where(Change.trial_id == trial_id)


def _covered(row: Any) -> Covered:
    change, number, title, match, breaker, subscription_id, tie = row
    return Covered(
        subscription_id=subscription_id,
        change=change,
        number=number,
        title=title,
        tie=Tie(how=tie.how, since_seq=tie.since_seq, until_seq=tie.until_seq) if tie else None,
        match=match,
        breaker=breaker,
    )
