"""What a digest is composed from: readers, the news that waits for them, how far they were told, and the states."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    DateTime,
    Dialect,
    Select,
    SQLColumnExpression,
    String,
    TypeDecorator,
    and_,
    bindparam,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.types import TypeEngine

from notifier.domain.conditions import BROADER
from notifier.domain.deliveries import UNRESOLVED
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.store.breaker_store import held_changes
from notifier.store.filter_store import load_filters
from notifier.store.given import among
from notifier.store.models import (
    Change,
    Condition,
    Delivery,
    DeliverySpan,
    Filter,
    Match,
    Schedule,
    Subscriber,
    Subscription,
    Told,
    Trial,
    TrialCondition,
    TrialState,
)
from notifier.store.table_base import UtcDateTime

KEPT_CADENCES = 1_024
KEPT_WISHES = 8_192
KEPT_MOMENTS = 1_024


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wish:
    """What many subscriptions ask for alike; None for ``condition`` where it is news of a trial itself.

    Equal ones are one object (`wish_for`), so that they are compared at once. ``is_text``: the condition is words that
    are looked for in what studies say of themselves. ``narrower``: studies of narrower conditions count as well.
    """

    condition_id: int | None
    condition: str | None
    is_text: bool
    wants: str
    narrower: bool
    filter: ReaderFilter


_About: TypeAlias = tuple[Any, ...]
"""Condition, its name and kind, what of it is wanted, whether narrower ones count; id and key of the filter."""
_WISHES: dict[_About, Wish] = {}


class Asking(NamedTuple):
    """One open subscription as its news are told."""

    subscription_id: int
    wish: Wish
    urgent: bool = False


class News(NamedTuple):
    """One waiting Match with the open subscription it came through; ``urgent``: it could not wait for their hour.

    ``told`` is how far the reader has been told about its trial, None if of nothing.
    """

    match_id: int
    subscriber_id: int
    delivery_id: int | None
    trial_id: int
    seq: int
    waiting_since: datetime
    urgent: bool
    told: int | None
    asked: Asking


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

    number: str
    seq: int
    first_seen_at: datetime


def list_readers(session: Session, subscriber_ids: Collection[int]) -> dict[int, Reader]:
    """The subscribers with these ids."""
    rows = session.connection().execute(_READERS, {"readers": list(subscriber_ids)}).all()
    return {row[0]: _reader(*row) for row in rows}


def list_news(
    session: Session, *, subscriber_ids: Collection[int], frozen_ids: Collection[int]
) -> dict[int, list[News]]:
    """By subscriber: what waits freely, and what these frozen Deliveries carry, through open subscriptions.

    What the breaker holds is not free; a frozen Delivery tells again what it told before that.
    """
    given = {"readers": list(subscriber_ids), "frozen": list(frozen_ids)}
    rows = session.connection().execute(_NEWS_AND_FROZEN if frozen_ids else _NEWS, given).all()
    asked = _list_asked(session, {row[-1] for row in rows})
    found: dict[int, list[News]] = {reader: [] for reader in subscriber_ids}
    new = tuple.__new__
    for match_id, reader, delivery_id, trial_id, seq, since, urgent, told, subscription_id in rows:
        asking = asked.get(subscription_id)
        if asking is not None:
            is_urgent = urgent and asking.urgent
            one = (match_id, reader, delivery_id, trial_id, seq, since, is_urgent, told, asking)
            # Half as long as News(…), of which there are many.
            found[reader].append(new(News, one))
    return found


def list_lost(session: Session, subscriber_ids: Collection[int]) -> dict[tuple[int, int], int]:
    """By (subscriber, trial) of what waits: the first Change that went only with mails that failed or are unknown.

    For trials of which the reader was told nothing: where they were told, that says from where to tell.
    """
    # Hardly anybody's mails fail, and an index knows whose; what they told is long to look for.
    losers = session.connection().scalars(_LOSERS, {"readers": list(subscriber_ids)}).all()
    if not losers:
        return {}
    rows = session.connection().execute(_LOST, {"readers": list(losers)})
    return {(reader, trial_id): seq for reader, trial_id, seq in rows}


def list_blocked(session: Session, subscriber_ids: Collection[int]) -> dict[int, set[tuple[int, int]]]:
    """By subscriber: (trial, delivery) of mails that may or may not have arrived; later news on those trials waits."""
    found: dict[int, set[tuple[int, int]]] = {}
    rows = session.connection().execute(_BLOCKED, {"readers": list(subscriber_ids)})
    for subscriber_id, trial_id, delivery_id in rows:
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


def list_trials(session: Session, trial_ids: Collection[int]) -> dict[int, TrialNow]:
    """Where the histories of these trials stand."""
    rows = session.connection().execute(_TRIALS, {"trials": list(trial_ids)})
    return {id_: TrialNow(number=number, seq=seq, first_seen_at=first) for id_, number, seq, first in rows}


def list_concerns(
    session: Session, *, trial_ids: Collection[int], condition_ids: Collection[int]
) -> dict[tuple[int, int], list[Held]]:
    """By (trial, condition) of these: from which Change on it held, and until which."""
    given = {"trials": list(trial_ids), "conditions": list(condition_ids)}
    found: dict[tuple[int, int], list[Held]] = {}
    for trial_id, condition_id, since, until, how in session.connection().execute(_CONCERNS, given):
        one = Held(since=since, until=until, direct=how != BROADER)
        found.setdefault((trial_id, condition_id), []).append(one)
    return found


def get_states(
    session: Session, *, trial_id: int, from_seq: int, to_seq: int
) -> tuple[PackedState | None, PackedState]:
    """What a trial was just before the Change after ``from_seq``, and what it became with ``to_seq``.

    Just before that Change, not just after ``from_seq``: what was learned silently in between is no news. None for
    the first where the trial was not held then.
    """
    which = {"trial": trial_id, "next": from_seq + 1, "last": to_seq}
    rows = session.execute(_STATES, which).all()
    states = {is_new: PackedState(body, version) for is_new, body, version in rows}
    return states.get(False), states[True]


def _state_of(change_seq: str, state_id: SQLColumnExpression[int | None], *, is_new: bool) -> Select[bool, bytes, int]:
    state = select(literal(is_new), TrialState.body, TrialState.facts_version).join(Change, state_id == TrialState.id)
    return state.where(Change.trial_id == bindparam("trial"), Change.seq == bindparam(change_seq))


# Written once: building it anew would take longer than to run it.
_STATES = union_all(
    _state_of("next", Change.from_state_id, is_new=False), _state_of("last", Change.to_state_id, is_new=True)
)


def _reader(
    id_: int,
    sealed: bytes,
    language: str,
    revision: int,
    country: str | None,
    detailed_subjects: bool,
    *schedule: Any,
) -> Reader:
    return Reader(
        id=id_,
        sealed=sealed,
        language=language,
        revision=revision,
        country=country,
        detailed_subjects=detailed_subjects,
        cadence=_cadence(*schedule),
    )


@lru_cache(maxsize=KEPT_CADENCES)
def _cadence(cadence: str, hour: int, weekday: int, time_zone: str) -> Cadence:
    return Cadence(cadence=cadence, hour=hour, weekday=weekday, time_zone=time_zone)


def _list_asked(session: Session, subscription_ids: Collection[int]) -> dict[int, Asking]:
    """Those of these subscriptions that are open."""
    rows = session.connection().execute(_ASKED, {"subscriptions": list(subscription_ids)}).all()
    wishes = _list_wishes(session, {row[2:] for row in rows})
    return {row[0]: Asking(row[0], wishes[row[2:]], row[1]) for row in rows}


def _list_wishes(session: Session, asked: set[_About]) -> dict[_About, Wish]:
    """What is asked for, by the columns that say it: filters are never altered, and the key of one says all of it."""
    found = {about: wish for about in asked if (wish := _WISHES.get(about)) is not None}
    new = asked - found.keys()
    if not new:
        return found
    filters = load_filters(session, {about[-2] for about in new if about[-2]})
    made = {about: wish_for(*about[:-2], filters.get(about[-2] or 0, NO_FILTER)) for about in new}
    if len(_WISHES) >= KEPT_WISHES:
        _WISHES.clear()
    _WISHES.update(made)
    return found | made


@lru_cache(maxsize=KEPT_WISHES)
def wish_for(
    condition_id: int | None,
    condition: str | None,
    kind: str | None,
    wants: str,
    narrower: bool = True,
    only: ReaderFilter = NO_FILTER,
) -> Wish:
    """What is asked for, the same object for the same."""
    return Wish(
        condition_id=condition_id, condition=condition, is_text=kind == "text", wants=wants, narrower=narrower,
        filter=only,
    )  # fmt: skip


class _SharedMoment(TypeDecorator[datetime]):
    """A moment that many rows have in common, as `UtcDateTime` reads it, but once."""

    impl = UtcDateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return _moment(value)


@lru_cache(maxsize=KEPT_MOMENTS)
def _moment(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_FREE = and_(Match.delivery_id.is_(None), Match.change_id.not_in(held_changes()))
_OPEN_NEWS = (
    select(
        Match.id, Match.subscriber_id, Match.delivery_id, Match.trial_id, Match.seq,
        type_coerce(Match.created_at, _SharedMoment), Match.urgent, Told.seq, Match.subscription_id,
    )
    .outerjoin(Told, and_(Told.subscriber_id == Match.subscriber_id, Told.trial_id == Match.trial_id))
    .where(among(Match.subscriber_id, "readers"), Match.ended_at.is_(None))
    .order_by(Match.id)
)  # fmt: skip
_NEWS = _OPEN_NEWS.where(_FREE)
_NEWS_AND_FROZEN = _OPEN_NEWS.where(or_(_FREE, among(Match.delivery_id, "frozen")))
_ASKED = (
    select(
        Subscription.id, Subscription.urgent, Subscription.condition_id, Condition.name, Condition.kind,
        Subscription.wants, Subscription.narrower, Subscription.filter_id, Filter.key,
    )
    .outerjoin(Condition, Condition.id == Subscription.condition_id)
    .outerjoin(Filter, Filter.id == Subscription.filter_id)
    .where(among(Subscription.id, "subscriptions"), Subscription.ended_at.is_(None))
)  # fmt: skip
_CONCERNS = select(
    TrialCondition.trial_id, TrialCondition.condition_id,
    TrialCondition.since_seq, TrialCondition.until_seq, TrialCondition.how,
).where(among(TrialCondition.trial_id, "trials"), among(TrialCondition.condition_id, "conditions"))  # fmt: skip
_READERS = (
    select(
        Subscriber.id, Subscriber.address_sealed, Subscriber.language, Subscriber.revision, Subscriber.country,
        Subscriber.detailed_subjects, Schedule.cadence, Schedule.hour, Schedule.weekday, Schedule.time_zone,
    )
    .join(Schedule, Schedule.id == Subscriber.schedule_id)
    .where(among(Subscriber.id, "readers"))
)  # fmt: skip
_TRIALS = select(Trial.id, Trial.number, Trial.seq, Trial.first_seen_at).where(among(Trial.id, "trials"))
_BLOCKED = (
    select(Delivery.subscriber_id, DeliverySpan.trial_id, Delivery.id)
    .join(DeliverySpan, DeliverySpan.delivery_id == Delivery.id)
    .where(among(Delivery.subscriber_id, "readers"), Delivery.state.in_(UNRESOLVED))
)
_gone = aliased(Match)
# In full and not as a value, or SQLite does not see that the partial index serves.
_IS_LOST = and_(_gone.ended_as == literal_column("'dropped'"), _gone.delivery_id.is_not(None))
_LOSERS = select(_gone.subscriber_id).where(among(_gone.subscriber_id, "readers"), _IS_LOST).distinct()
_LOST = (
    select(Match.subscriber_id, Match.trial_id, func.min(_gone.seq))
    .join(_gone, and_(_gone.subscription_id == Match.subscription_id, _gone.trial_id == Match.trial_id))
    .where(among(Match.subscriber_id, "readers"), Match.ended_at.is_(None), _IS_LOST)
    .where(~exists().where(Told.subscriber_id == Match.subscriber_id, Told.trial_id == Match.trial_id))
    .group_by(Match.subscriber_id, Match.trial_id)
)
