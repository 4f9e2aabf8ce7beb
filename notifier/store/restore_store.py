"""After a backup was put back: what was unfinished in it, what is decided about that, and ids that nobody has had."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    String,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session, aliased

from notifier.domain.deliveries import TELLING, UNRESOLVED, UNSENT
from notifier.domain.schedules import next_due
from notifier.store.breaker_store import held_changes
from notifier.store.delivery_contents import end_frozen_matches, forget_spans
from notifier.store.models import Condition, Delivery, Match, PendingRequest, Schedule, Subscriber, Subscription
from notifier.store.pause_store import is_awake
from notifier.store.plan_store import DIGEST, cadence_of, insert_new, new_delivery
from notifier.store.subscriber_store import SUBSCRIPTION
from notifier.store.unloaded import change_rows
from notifier.store.urgent_store import URGENT

UNDECIDED = "restored"
"""Why a mail is unknown: it was unfinished in a backup, and may have gone out since."""
SENT_AGAIN = "sent again after a backup was put back"
LEFT_ALONE = "not sent again after a backup was put back"
TOLD_BY_ANOTHER = "told by another mail after a backup was put back"
AT_ONCE = 1_000
AGAIN = "again"
_NAMED_ELSEWHERE = (Subscriber, Subscription, PendingRequest, Delivery, Condition)
"""Tables whose ids stand in links and Message-IDs, or are kept by programs that ask us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The time that a backup knows nothing of: since it was taken ``at`` a moment, until now.

    What was found by ``found_by`` was in it, and so were mails that were made by ``made_by``.
    """

    at: datetime
    found_by: datetime
    made_by: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReader:
    """A reader in the backup: their mailbox, and when they confirmed what they still follow in it."""

    id: int
    address_index: bytes
    confirmed: dict[int, datetime]


def raise_ids(session: Session, *, now: datetime) -> None:
    """Have new rows get ids that no row ever had: links and Message-IDs of mails since the backup lead to nobody else.

    They begin at the number of microseconds since 1970, which rises faster than any ids that are given.
    """
    floor = int(now.timestamp() * 1_000_000)
    for table in (model.__tablename__ for model in _NAMED_ELSEWHERE):
        if session.get_bind().dialect.name != "sqlite":
            session.execute(
                text("SELECT setval(pg_get_serial_sequence(:named, 'id'), :floor)"), {"named": table, "floor": floor}
            )
            continue
        known = session.execute(
            text("UPDATE sqlite_sequence SET seq = max(seq, :floor) WHERE name = :named RETURNING 1"),
            {"named": table, "floor": floor},
        ).all()
        if not known:
            session.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:named, :floor)"),
                {"named": table, "floor": floor},
            )


def list_unfinished(session: Session, *, after: int, made_by: datetime) -> Sequence[int]:
    """Some mails that were made by a moment and of which nobody knows yet how they end; by id, from one on.

    Not those of which it was decided since that moment that they go out.
    """
    chosen = select(Delivery.id).where(Delivery.id > after, _is_unfinished(made_by))
    return session.scalars(chosen.order_by(Delivery.id).limit(AT_ONCE)).all()


def list_owners_of_unfinished(session: Session, *, made_by: datetime) -> Sequence[int | None]:
    """Whose the mails are that wait for a decision, or would; None for those to nobody who is subscribed."""
    waits = or_(_is_unfinished(made_by), _is_undecided())
    return session.scalars(select(Delivery.subscriber_id).where(waits)).all()


def hold(session: Session, ids: Sequence[int]) -> None:
    """Keep these back until the operator decides."""
    mine = update(Delivery).where(Delivery.id.in_(ids), Delivery.state.in_(UNRESOLVED))
    held = mine.values(state="unknown", reason=UNDECIDED, lease_token=None, leased_until=None)
    change_rows(session, held)


def list_undecided(session: Session, *, after: int) -> Sequence[int]:
    """Some of the mails that wait for the operator's decision; by id, from one on."""
    chosen = select(Delivery.id).where(Delivery.id > after, _is_undecided())
    return session.scalars(chosen.order_by(Delivery.id).limit(AT_ONCE)).all()


def count_undecided(session: Session) -> int:
    """How many mails wait for the operator's decision."""
    return session.scalar(select(func.count()).select_from(Delivery).where(_is_undecided())) or 0


def send_again(session: Session, ids: Sequence[int], *, now: datetime) -> None:
    """Have these go out, each counted as a mail that may arrive twice.

    One that had not fixed what it tells may tell more by now, so it must not bear the Message-ID of what may have gone
    out: a new mail takes its place, unless its reader has another such mail waiting, which tells all of it.
    """
    open_ones = session.scalars(select(Delivery).where(Delivery.id.in_(ids), _is_open_worded())).all()
    twins = set(session.scalars(select(Delivery.id).where(Delivery.id.in_(ids), _is_open_worded(), _has_twin())))
    session.add_all(_anew(one, now=now) for one in open_ones if one.id not in twins)
    counted = Delivery.ambiguous + 1
    replaced = {one.id for one in open_ones}
    # When it was decided is kept with each, so that nobody is asked again.
    told_by_another = {"state": "cancelled", "reason": TOLD_BY_ANOTHER, "not_before": now}
    _set(session, sorted(twins), **told_by_another, ambiguous=counted)
    _set(session, sorted(replaced - twins), **told_by_another)
    others = sorted(set(ids) - replaced)
    _set(session, others, state="waiting", reason=SENT_AGAIN, not_before=now, ambiguous=counted)


def _anew(mail: Delivery, *, now: datetime) -> Delivery:
    """A mail in place of another, which keeps the doubts that it had."""
    return Delivery(
        kind=mail.kind, dedupe_key=f"{mail.dedupe_key}:{AGAIN}", subscriber_id=mail.subscriber_id, lane=mail.lane,
        state="waiting", reason=SENT_AGAIN, not_before=now, created_at=now, ambiguous=1,
    )  # fmt: skip


def leave_alone(session: Session, ids: Sequence[int], *, found_by: datetime, now: datetime) -> int:
    """Have these never go out, nor the news by then that they would have taken along; how much that was.

    The next news of the same studies tells it. What a pause keeps back would not have gone out, so it waits on.
    """
    owners = select(Delivery.subscriber_id).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    awake = owners.where(Delivery.id.in_(ids), _is_open_worded(), is_awake(now))
    told = or_(
        Match.subscriber_id.in_(awake.where(Delivery.kind != URGENT)),
        and_(_was_urgent(), Match.subscriber_id.in_(awake.where(Delivery.kind == URGENT))),
    )
    dropped = update(Match).where(told, _was_waiting(found_by)).values(ended_at=now, ended_as="dropped")
    news = session.scalars(dropped.returning(Match.id), execution_options={"synchronize_session": False}).all()
    end_frozen_matches(session, ids, ended_as="dropped", now=now)
    forget_spans(session, ids)
    _set(session, ids, reason=LEFT_ALONE)
    return len(news)


def list_readers(session: Session, *, after: int) -> list[HeldReader]:
    """Some readers who were not erased; by id, from one on."""
    chosen = select(Subscriber.id, Subscriber.address_index).where(
        Subscriber.id > after, Subscriber.address_sealed != b""
    )
    rows = session.execute(chosen.order_by(Subscriber.id).limit(AT_ONCE)).all()
    if not rows:
        return []
    between = Subscription.subscriber_id.between(rows[0].id, rows[-1].id)
    columns = (Subscription.id, Subscription.subscriber_id, Subscription.confirmed_at)
    confirmed: dict[int, dict[int, datetime]] = {row.id: {} for row in rows}
    for one in session.execute(select(*columns).where(between, Subscription.ended_at.is_(None))):
        confirmed.setdefault(one.subscriber_id, {})[one.id] = one.confirmed_at
    return [HeldReader(id=row.id, address_index=row.address_index, confirmed=confirmed[row.id]) for row in rows]


def list_asked(session: Session) -> dict[bytes, datetime]:
    """The mailboxes for which something was asked, and when first."""
    chosen = select(PendingRequest.address_index, func.min(PendingRequest.created_at).label("first"))
    return {row.address_index: row.first for row in session.execute(chosen.group_by(PendingRequest.address_index))}


def cancel_held(session: Session, subscriber_id: int, *, reason: str) -> None:
    """End what waits for the operator's decision to a reader who left."""
    mine = update(Delivery).where(Delivery.subscriber_id == subscriber_id, _is_undecided())
    change_rows(session, mine.values(state="cancelled", reason=reason))


def cancel_asked(session: Session, address_index: bytes, *, asked_by: datetime, reason: str) -> None:
    """End the confirmations that wait for the operator's decision of what a mailbox asked for before it left."""
    asked = select(PendingRequest.id).where(
        PendingRequest.kind == SUBSCRIPTION, PendingRequest.address_index == address_index,
        PendingRequest.created_at <= asked_by,
    )  # fmt: skip
    mine = update(Delivery).where(Delivery.request_id.in_(asked), _is_undecided())
    change_rows(session, mine.values(state="cancelled", reason=reason))


def list_waiting(session: Session, lost: Lost) -> Sequence[int]:
    """The readers whose news waited in a backup, was to be told since, and has no mail that was being made then.

    Of who hears at an hour that did not come meanwhile, only what is urgent was. Not those of whom `hold_waiting` held
    a mail before.
    """
    chosen = _waiting(session, lost).subquery()
    return session.scalars(select(chosen.c.id).order_by(chosen.c.id)).all()


def hold_waiting(session: Session, readers: Collection[int], lost: Lost) -> int:
    """Hold for each of these readers the mail that may have told their news since; how many."""
    chosen = _waiting(session, lost).where(Subscriber.id.in_(readers)).subquery()
    key = _held_key(chosen.c.id, at=lost.at)
    row = new_delivery(kind=DIGEST, key=key, subscriber_id=chosen.c.id, lane=1, now=lost.now)
    row |= {"state": literal("unknown"), "reason": literal(UNDECIDED)}
    urgent = row | {"kind": literal(URGENT), "lane": literal(0)}
    digests = insert_new(session, row, select(*row.values()).where(chosen.c.is_digest))
    return digests + insert_new(session, urgent, select(*urgent.values()).where(~chosen.c.is_digest))


def _waiting(session: Session, lost: Lost) -> Select[int, bool]:
    due = [one.id for one in session.scalars(select(Schedule)) if next_due(cadence_of(one), after=lost.at) <= lost.now]
    is_digest = Subscriber.schedule_id.in_(due)
    mine = and_(Match.subscriber_id == Subscriber.id, _was_waiting(lost.found_by))
    news = exists().where(mine, or_(is_digest, _was_urgent()))
    made = and_(Delivery.state.in_(UNRESOLVED), Delivery.created_at <= lost.made_by)
    tells_it = or_(Delivery.kind == DIGEST, and_(Delivery.kind == URGENT, ~is_digest))
    asked_about = or_(made, _is_undecided(), _is_to_go_out(since=lost.made_by))
    takes_along = exists().where(
        Delivery.subscriber_id == Subscriber.id, tells_it, Delivery.message_id.is_(None), asked_about
    )
    is_held = exists().where(Delivery.dedupe_key == _held_key(Subscriber.id, at=lost.at))
    return select(Subscriber.id, is_digest.label("is_digest")).where(is_awake(lost.now), news, ~takes_along, ~is_held)


def _held_key(reader: SQLColumnExpression[int], *, at: datetime) -> ColumnElement[str]:
    return literal("restored:").concat(sql_cast(reader, String)).concat(f":{at:%Y-%m-%dT%H:%M:%SZ}")


def _was_waiting(found_by: datetime) -> ColumnElement[bool]:
    free = and_(Match.ended_at.is_(None), Match.delivery_id.is_(None), Match.change_id.not_in(held_changes()))
    return and_(free, Match.created_at <= found_by)


def _was_urgent() -> ColumnElement[bool]:
    asked = exists().where(Subscription.id == Match.subscription_id, Subscription.urgent)
    return and_(Match.urgent, asked)


def _is_unfinished(made_by: datetime) -> ColumnElement[bool]:
    made = and_(Delivery.state.in_(UNRESOLVED), Delivery.created_at <= made_by)
    return and_(made, ~_is_to_go_out(since=made_by))


def _is_to_go_out(*, since: datetime) -> ColumnElement[bool]:
    """That it was decided since then, when all sending stopped, that a mail goes out, or another in its place."""
    decided = func.coalesce(Delivery.reason, "").in_((SENT_AGAIN, TOLD_BY_ANOTHER))
    return and_(decided, Delivery.not_before >= since)


def _is_undecided() -> ColumnElement[bool]:
    return and_(Delivery.state == "unknown", Delivery.reason == UNDECIDED)


def _is_open_worded() -> ColumnElement[bool]:
    """Mails that tell studies, and had not fixed which news."""
    return and_(Delivery.kind.in_(TELLING), Delivery.message_id.is_(None), _is_undecided())


def _has_twin() -> ColumnElement[bool]:
    """Whether another mail of the same kind waits for the reader and takes later news along."""
    other = aliased(Delivery)
    return exists().where(
        other.subscriber_id == Delivery.subscriber_id, other.kind == Delivery.kind,
        other.state.in_(UNSENT), other.message_id.is_(None),
    )  # fmt: skip


def _set(session: Session, ids: Sequence[int], **values: object) -> None:
    if ids:
        change_rows(session, update(Delivery).where(Delivery.id.in_(ids)).values(**values))
