"""Plans: which schedules are due, and one waiting Delivery for each of their readers who have news."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, String, Subquery, and_, case, func, literal, or_, select, text, update
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session, aliased

from notifier.domain.deliveries import UNRESOLVED, UNSENT
from notifier.domain.schedules import FURTHEST, Cadence
from notifier.store.breaker_store import held_changes
from notifier.store.given import among
from notifier.store.inserting import insert_for
from notifier.store.lease_store import LANES
from notifier.store.models import Delivery, DeliverySpan, Match, Schedule, Subscriber, Subscription
from notifier.store.pause_store import PAUSED, is_awake
from notifier.store.statement_plans import look_up_only, plan_only
from notifier.store.unloaded import change_rows

DIGEST = "digest"

ReaderRange: TypeAlias = tuple[int, int]
"""The readers from one id to another."""
LATEST = timedelta(days=2)
"""But for a pause, no mail rests longer than this from now on."""
READERS = "readers"
"""The name under which statements are given the ids of readers."""
Names: TypeAlias = dict[int, str | None]
"""By schedule id, what names a mail of its readers; see `insert_digests`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSchedule:
    """A schedule, and since when it is due, or from when."""

    id: int
    cadence: Cadence
    due_at: datetime


def list_due(session: Session, *, now: datetime) -> list[DueSchedule]:
    """Schedules that are due, longest overdue first; "as it happens" always is."""
    due = session.scalars(select(Schedule).where(Schedule.next_due_at <= now).order_by(Schedule.next_due_at))
    return [due_schedule(one) for one in due]


def is_period_due(session: Session, *, now: datetime) -> bool:
    """Whether a schedule is due that is not always."""
    due = select(Schedule.id).where(Schedule.next_due_at <= now, Schedule.cadence != "instant").limit(1)
    return session.scalar(due) is not None


def list_ahead(session: Session, *, now: datetime) -> list[DueSchedule]:
    """Schedules that are due so late as they never are: who set that was ahead of the time."""
    ahead = or_(*(and_(Schedule.cadence == one, Schedule.next_due_at > now + most) for one, most in FURTHEST.items()))
    return [due_schedule(one) for one in session.scalars(select(Schedule).where(ahead))]


def is_mail_ahead(session: Session, *, now: datetime) -> bool:
    """Whether a mail rests as long as none does: who said so was ahead of the time."""
    return session.scalar(_ahead(now).limit(1)) is not None


def bring_forward(session: Session, *, now: datetime, limit: int) -> int:
    """Have some of the mails that rest so long be due now; how many. Those that somebody else holds are passed over."""
    ids = session.scalars(_ahead(now).order_by(Delivery.id).limit(limit).with_for_update(skip_locked=True)).all()
    change_rows(session, update(Delivery).where(Delivery.id.in_(ids)).values(not_before=now))
    return len(ids)


def _ahead(now: datetime) -> Select[int]:
    # Written out, so that both engines see that the partial index applies.
    rests = text("deliveries.state IN ('waiting', 'deferred')")
    late = and_(Delivery.lane.in_(LANES), Delivery.not_before > now + LATEST)
    return select(Delivery.id).where(rests, late, Delivery.reason.is_distinct_from(PAUSED))


def is_anything_waiting(session: Session) -> bool:
    """Whether any Match waits that no Delivery carries."""
    waiting = select(Match.id).where(Match.ended_at.is_(None), Match.delivery_id.is_(None)).limit(1)
    return session.scalar(waiting) is not None


def set_next_due(session: Session, schedule: DueSchedule, *, at: datetime) -> None:
    """When a schedule is due again, unless somebody else has said so meanwhile."""
    same = update(Schedule).where(Schedule.id == schedule.id, Schedule.next_due_at == schedule.due_at)
    session.execute(same.values(next_due_at=at))


def next_reader(session: Session, *, after: int) -> int | None:
    """The id of the first reader beyond this one; None where nobody came later."""
    return session.scalar(select(func.min(Subscriber.id)).where(Subscriber.id > after))


def list_readers_due(session: Session, *, among: ReaderRange, names: Names, now: datetime) -> Sequence[int]:
    """Of some readers, those of these schedules who have news and no digest on its way; ``names`` as `insert_digests`.

    Looking through all that waits may take long, so it is not for a writing transaction.
    """
    return list_due_of(session, Match.subscriber_id.between(*among), names=names, now=now)


def list_due_of(session: Session, whose: ColumnElement[bool], *, names: Names, now: datetime) -> Sequence[int]:
    """As `list_readers_due`, of the Matches that are meant."""
    plan_only(session)
    news = waiting_news(and_(Subscriber.schedule_id.in_(names), whose), now=now).subquery()
    return session.scalars(_rows(news, [news.c.subscriber_id], names)).all()


def insert_digests(session: Session, *, readers: Sequence[int], names: Names, now: datetime) -> int:
    """One waiting digest for each of these readers who has news and no digest on its way; how many.

    Args:
        session: a writing transaction.
        readers: some of those that `list_readers_due` gave, so that whatever came since does not make it longer.
        names: by schedule id, the period that names the mail. None ("as it happens"): the newest waiting Match and the
            reader's last Delivery name it, so that planning at once from two places makes one.
        now: when this is.

    A digest on its way whose content is not frozen takes later news along; a frozen one does not, so it does not count.
    News on a study that a mail in doubt may have told waits until that is resolved.
    """
    return insert_digests_of(session, among(Match.subscriber_id, READERS), readers=readers, names=names, now=now)


def insert_digests_of(
    session: Session, whose: ColumnElement[bool], *, readers: Sequence[int], names: Names, now: datetime
) -> int:
    """As `insert_digests`, for whom the Matches that are meant wait; these may be of those given as `READERS`."""
    look_up_only(session)
    news = waiting_news(whose, now=now).subquery()
    key = _key(news.c.subscriber_id, news.c.newest, names)
    row = new_delivery(kind=DIGEST, key=key, subscriber_id=news.c.subscriber_id, lane=1, now=now)
    return insert_new(session, row, _rows(news, row.values(), names), readers=readers)


def new_delivery(
    *, kind: str, key: ColumnElement[str], subscriber_id: ColumnElement[int], lane: int, now: datetime
) -> dict[str, ColumnElement[Any]]:
    """A waiting Delivery by its columns, for `insert_new`."""
    moment = literal(now, Delivery.created_at.type)
    return {
        "kind": literal(kind),
        "dedupe_key": key,
        "subscriber_id": subscriber_id,
        "lane": literal(lane),
        "state": literal("waiting"),
        "not_before": moment,
        "created_at": moment,
        "attempts": literal(0),
        "ambiguous": literal(0),
    }


def insert_new(
    session: Session, row: dict[str, ColumnElement[Any]], rows: Select[Any], *, readers: Sequence[int] | None = None
) -> int:
    """Insert Deliveries that this selection of such columns gives, but for keys that are there; how many.

    ``readers`` are those whom it asks for as `READERS`, if it does. Mails are written, and so readers are
    locked, in the order of the readers' ids, as everybody locks them.
    """
    ordered = rows.order_by(row["subscriber_id"])
    statement = insert_for(session, Delivery).from_select(list(row), ordered).on_conflict_do_nothing()
    # SQLAlchemy keeps the number of rows of an INSERT only where it is asked to.
    options = {"preserve_rowcount": True}
    given = None if readers is None else {READERS: list(readers)}
    counted = session.connection().execute(statement, given, execution_options=options)
    return max(counted.rowcount, 0)


def _rows(news: Subquery, columns: Iterable[ColumnElement[Any]], names: Names) -> Select[Any]:
    """From the news of readers, those of these schedules for whom a digest is to be made."""
    key = _key(news.c.subscriber_id, news.c.newest, names)
    joined = select(*columns).select_from(news).join(Subscriber, Subscriber.id == news.c.subscriber_id)
    return joined.where(
        Subscriber.schedule_id.in_(list(names)),
        ~is_on_its_way(news.c.subscriber_id, kind=DIGEST, states=UNSENT),
        ~is_made(news.c.subscriber_id, key),
    )


def waiting_news(whose: ColumnElement[bool], *, now: datetime) -> Select[int, int]:
    """By reader without a pause, the newest Match that may be told now and is not held, of what is still followed.

    ``whose`` says of which readers, or of which Matches.
    """
    may_tell = select(DeliverySpan.trial_id).where(
        DeliverySpan.delivery_id == Delivery.id, DeliverySpan.trial_id == Match.trial_id
    )
    in_doubt = _has(
        Delivery.subscriber_id == Match.subscriber_id,
        Delivery.state.in_(UNRESOLVED),
        may_tell.correlate(Delivery, Match).offset(0).exists(),
    )
    is_free = and_(Match.delivery_id.is_(None), Match.change_id.not_in(held_changes()))
    waiting = and_(Match.ended_at.is_(None), is_free, ~in_doubt)
    newest = (
        select(Match.subscriber_id, func.max(Match.id).label("newest"))
        .join(Subscriber, Subscriber.id == Match.subscriber_id)
        .join(Subscription, Subscription.id == Match.subscription_id)
    )
    return newest.where(whose, is_awake(now), Subscription.ended_at.is_(None), waiting).group_by(Match.subscriber_id)


def _key(reader: ColumnElement[int], newest: ColumnElement[int], names: Names) -> ColumnElement[str]:
    instant = moment_key(reader, newest)
    periods = [(Subscriber.schedule_id == one, literal(name)) for one, name in names.items() if name is not None]
    name: ColumnElement[str] = case(*periods, else_=instant) if periods else instant
    return literal(f"{DIGEST}:").concat(sql_cast(reader, String)).concat(":").concat(name)


def moment_key(reader: ColumnElement[int], newest: ColumnElement[int]) -> ColumnElement[str]:
    """Names what is mailed at once: by the newest Match and the reader's last Delivery."""
    # Under a name of its own, or it would be taken for the Delivery of the statement around it.
    earlier = aliased(Delivery)
    # The sum keeps PostgreSQL from going through all Deliveries, newest first, where it thinks that there are few.
    newest_mail = select(func.coalesce(func.max(earlier.id + 0), 0)).where(earlier.subscriber_id == reader)
    last = newest_mail.correlate_except(earlier).scalar_subquery()
    return literal("now:").concat(sql_cast(newest, String)).concat("/").concat(sql_cast(last, String))


def is_made(reader: ColumnElement[int], key: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a reader has had a mail of this name; asked of their own only, as keys of all are many."""
    return _has(Delivery.subscriber_id == reader, Delivery.dedupe_key == key)


def is_on_its_way(reader: ColumnElement[int], *, kind: str, states: Sequence[str]) -> ColumnElement[bool]:
    """Whether a mail of this kind to a reader is in one of these states and may still take later news along."""
    return _has(
        Delivery.subscriber_id == reader,
        Delivery.kind == kind,
        Delivery.state.in_(states),
        Delivery.message_id.is_(None),
    )


def _has(*said: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a reader has such a Delivery.

    The offset has PostgreSQL look it up for each of them. Where it counted Deliveries while there were none, it would
    join them otherwise by going through all for each reader.
    """
    return select(Delivery.id).where(*said).offset(0).exists()


def due_schedule(schedule: Schedule) -> DueSchedule:
    """The schedule as a value, with when it is due."""
    return DueSchedule(id=schedule.id, cadence=cadence_of(schedule), due_at=schedule.next_due_at)


def cadence_of(schedule: Schedule) -> Cadence:
    """The schedule as a value."""
    return Cadence(cadence=schedule.cadence, hour=schedule.hour, weekday=schedule.weekday, time_zone=schedule.time_zone)
