"""What a digest is composed from: readers, the news that waits for them, how far they were told, and the states."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from notifier.domain.conditions import BROADER
from notifier.domain.deliveries import UNRESOLVED
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.store.breaker_store import held_changes
from notifier.store.filter_store import load_filters
from notifier.store.models import (
    Change,
    Condition,
    Delivery,
    DeliverySpan,
    Match,
    Schedule,
    Subscriber,
    Subscription,
    Told,
    Trial,
    TrialCondition,
    TrialState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A subscriber as a digest needs them; the address still sealed."""

    id: int
    sealed: bytes
    language: str
    revision: int
    cadence: Cadence
    country: str | None = None
    detailed_subjects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One waiting Match with the open subscription it came through; None for ``condition`` where that is to a trial."""

    match_id: int
    subscriber_id: int
    delivery_id: int | None
    trial_id: int
    number: str
    seq: int
    subscription_id: int
    condition_id: int | None
    condition: str | None
    wants: str
    waiting_since: datetime
    urgent: bool = False
    is_text: bool = False
    """The condition is words that are looked for in what studies say of themselves."""
    filter: ReaderFilter = NO_FILTER
    narrower: bool = True
    """Studies of narrower conditions count as well."""


@dataclass(frozen=True, slots=True)
class Held:
    """From which Change on a study was about a condition, and until which; ``direct``: about itself, not a kind."""

    since: int
    until: int | None
    direct: bool


@dataclass(frozen=True, slots=True)
class PackedState:
    """A stored state as it lies in the database."""

    body: bytes
    facts_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialNow:
    """Where a trial's history stands."""

    seq: int
    first_seen_at: datetime


def list_readers(session: Session, subscriber_ids: Collection[int]) -> dict[int, Reader]:
    """The subscribers with these ids."""
    chosen = select(Subscriber, Schedule).join(Schedule, Schedule.id == Subscriber.schedule_id)
    rows = session.execute(chosen.where(Subscriber.id.in_(subscriber_ids)))
    return {subscriber.id: _reader(subscriber, schedule) for subscriber, schedule in rows}


def list_news(
    session: Session, *, subscriber_ids: Collection[int], frozen_ids: Collection[int]
) -> dict[int, list[News]]:
    """By subscriber: what waits freely, and what these frozen Deliveries carry, through open subscriptions.

    What the breaker holds is not free; a frozen Delivery tells again what it told before that.
    """
    free = and_(Match.delivery_id.is_(None), Match.change_id.not_in(held_changes()))
    chosen = (
        select(Match, Trial.number, Subscription, Condition)
        .join(Subscription, Subscription.id == Match.subscription_id)
        .join(Trial, Trial.id == Match.trial_id)
        .outerjoin(Condition, Condition.id == Subscription.condition_id)
        .where(
            Match.subscriber_id.in_(subscriber_ids),
            Match.ended_at.is_(None),
            Subscription.ended_at.is_(None),
            or_(free, Match.delivery_id.in_(frozen_ids)),
        )
        .order_by(Match.id)
    )
    rows = session.execute(chosen).all()
    filters = load_filters(session, {row[2].filter_id for row in rows if row[2].filter_id})
    found: dict[int, list[News]] = {}
    for match, number, subscription, condition in rows:
        news = _news(match, number, subscription, condition)
        filtered = replace(news, filter=filters.get(subscription.filter_id or 0, NO_FILTER)) if filters else news
        found.setdefault(match.subscriber_id, []).append(filtered)
    return found


def list_told(session: Session, subscriber_ids: Collection[int]) -> dict[tuple[int, int], int]:
    """How far each subscriber has been told about each trial that waits for them, by (subscriber, trial)."""
    waits = exists().where(
        Match.subscriber_id == Told.subscriber_id, Match.trial_id == Told.trial_id, Match.ended_at.is_(None)
    )
    chosen = select(Told).where(Told.subscriber_id.in_(subscriber_ids), waits)
    return {(told.subscriber_id, told.trial_id): told.seq for told in session.scalars(chosen)}


def list_lost(session: Session, subscriber_ids: Collection[int]) -> dict[tuple[int, int], int]:
    """By (subscriber, trial) of what waits: the first Change that went only with mails that failed or are unknown.

    For trials of which the reader was told nothing: where they were told, that says from where to tell.
    """
    lost = aliased(Match)
    same = and_(lost.subscription_id == Match.subscription_id, lost.trial_id == Match.trial_id)
    told = exists().where(Told.subscriber_id == Match.subscriber_id, Told.trial_id == Match.trial_id)
    chosen = (
        select(Match.subscriber_id, Match.trial_id, func.min(lost.seq).label("seq"))
        .join(lost, same)
        .where(Match.subscriber_id.in_(subscriber_ids), Match.ended_at.is_(None), ~told)
        .where(lost.ended_as == "dropped", lost.delivery_id.is_not(None))
        .group_by(Match.subscriber_id, Match.trial_id)
    )
    return {(row.subscriber_id, row.trial_id): row.seq for row in session.execute(chosen)}


def list_blocked(session: Session, subscriber_ids: Collection[int]) -> dict[int, set[tuple[int, int]]]:
    """By subscriber: (trial, delivery) of mails that may or may not have arrived; later news on those trials waits."""
    chosen = (
        select(Delivery.subscriber_id, DeliverySpan.trial_id, Delivery.id)
        .join(DeliverySpan, DeliverySpan.delivery_id == Delivery.id)
        .where(Delivery.subscriber_id.in_(subscriber_ids), Delivery.state.in_(UNRESOLVED))
    )
    found: dict[int, set[tuple[int, int]]] = {}
    for subscriber_id, trial_id, delivery_id in session.execute(chosen):
        found.setdefault(subscriber_id or 0, set()).add((trial_id, delivery_id))
    return found


def list_digest_days(session: Session, subscriber_id: int, *, since: datetime) -> list[datetime]:
    """When the digests of a reader were made, from some time on: whatever waited then was not told by them."""
    made = select(Delivery.dated_at).where(Delivery.subscriber_id == subscriber_id, Delivery.kind == "digest")
    return [day for day in session.scalars(made.where(Delivery.dated_at >= since)) if day is not None]


def list_spans(session: Session, delivery_ids: Collection[int]) -> dict[int, dict[int, tuple[int, int]]]:
    """By frozen Delivery and trial: the span it tells."""
    found: dict[int, dict[int, tuple[int, int]]] = {}
    for span in session.scalars(select(DeliverySpan).where(DeliverySpan.delivery_id.in_(delivery_ids))):
        found.setdefault(span.delivery_id, {})[span.trial_id] = (span.from_seq, span.to_seq)
    return found


def list_trials(session: Session, subscriber_ids: Collection[int]) -> dict[int, TrialNow]:
    """Where the histories of the trials stand that wait for these subscribers."""
    waiting = select(Match.trial_id).where(Match.subscriber_id.in_(subscriber_ids), Match.ended_at.is_(None))
    chosen = select(Trial.id, Trial.seq, Trial.first_seen_at).where(Trial.id.in_(waiting))
    return {row.id: TrialNow(seq=row.seq, first_seen_at=row.first_seen_at) for row in session.execute(chosen)}


def list_concerns(session: Session, subscriber_ids: Collection[int]) -> dict[tuple[int, int], list[Held]]:
    """By (trial, condition) of what waits for these subscribers: from which Change on it held, and until which."""
    asked = (
        select(Match.trial_id, Subscription.condition_id)
        .join(Subscription, Subscription.id == Match.subscription_id)
        .where(Match.subscriber_id.in_(subscriber_ids), Match.ended_at.is_(None))
        .where(Subscription.condition_id.is_not(None))
        .distinct()
        .subquery()
    )
    held = and_(TrialCondition.trial_id == asked.c.trial_id, TrialCondition.condition_id == asked.c.condition_id)
    found: dict[tuple[int, int], list[Held]] = {}
    for tie in session.scalars(select(TrialCondition).join(asked, held)):
        one = Held(since=tie.since_seq, until=tie.until_seq, direct=tie.how != BROADER)
        found.setdefault((tie.trial_id, tie.condition_id), []).append(one)
    return found


def get_states(
    session: Session, *, trial_id: int, from_seq: int, to_seq: int
) -> tuple[PackedState | None, PackedState]:
    """What a trial was just before the Change after ``from_seq``, and what it became with ``to_seq``.

    Just before that Change, not just after ``from_seq``: what was learned silently in between is no news. None for
    the first where the trial was not held then.
    """
    state = select(TrialState.body, TrialState.facts_version)
    before = state.join(Change, Change.from_state_id == TrialState.id)
    after = state.join(Change, Change.to_state_id == TrialState.id)
    old = session.execute(before.where(Change.trial_id == trial_id, Change.seq == from_seq + 1)).one_or_none()
    new = session.execute(after.where(Change.trial_id == trial_id, Change.seq == to_seq)).one()
    return PackedState(*old) if old else None, PackedState(*new)


def _reader(subscriber: Subscriber, schedule: Schedule) -> Reader:
    return Reader(
        id=subscriber.id,
        sealed=subscriber.address_sealed,
        language=subscriber.language,
        revision=subscriber.revision,
        country=subscriber.country,
        detailed_subjects=subscriber.detailed_subjects,
        cadence=Cadence(
            cadence=schedule.cadence, hour=schedule.hour, weekday=schedule.weekday, time_zone=schedule.time_zone
        ),
    )


def _news(match: Match, number: str, subscription: Subscription, condition: Condition | None) -> News:
    return News(
        match_id=match.id,
        subscriber_id=match.subscriber_id,
        delivery_id=match.delivery_id,
        trial_id=match.trial_id,
        number=number,
        seq=match.seq,
        subscription_id=match.subscription_id,
        condition_id=condition.id if condition else None,
        condition=condition.name if condition else None,
        wants=subscription.wants,
        narrower=subscription.narrower,
        waiting_since=match.created_at,
        urgent=match.urgent and subscription.urgent,
        is_text=condition is not None and condition.kind == "text",
    )
