"""Marks what became of mails that went out, and sorts out what workers that died left behind."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, Update, and_, bindparam, case, func, select, update
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from notifier.domain.deliveries import (
    AMBIGUOUS_RETRIES,
    FIRST_WAITS,
    LATER_WAITS,
    MOVED,
    OUR_SIDE,
    Answer,
    Composed,
    Verdict,
    Verdicts,
    wait_before_retry,
)
from notifier.store.delivery_contents import (
    AnyRow,
    end_frozen_matches,
    end_matches,
    forget_spans,
    lock_owners,
    lock_readers_of,
    release,
    unfreeze,
)
from notifier.store.given import Value, among, as_rows, given, is_sqlite, moment_writer, of_given
from notifier.store.lease_store import IS_HELD, return_lost
from notifier.store.models import Delivery
from notifier.store.table_base import UtcDateTime
from notifier.store.told_store import tell, tell_followers

RETRY_OURS = timedelta(seconds=60)
"""How long mails rest that our own fault, or a mail server that is down, kept here."""

SWEPT_AT_ONCE = 200
"""Mails in doubt taken back by one transaction, as who leaves and who sends would wait for it."""

_DIED = Verdict(answer=Answer.AMBIGUOUS, reason="the worker was lost while it was sending")


_ROW = (Delivery.id, Delivery.subscriber_id, Delivery.attempts, Delivery.ambiguous, Delivery.reason)
_HELD = (
    select(*_ROW, Delivery.state)
    .where(among(Delivery.id, "ids"), Delivery.lease_token == bindparam("token"))
    .order_by(Delivery.id)
    .with_for_update()
)


@dataclass(slots=True)
class _Plan:
    """What will be written: the new values of each row, and ids by what happens to their contents."""

    written: Callable[[datetime], str]
    states: dict[int, str] = field(default_factory=dict)
    rows: list[dict[str, Value]] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    unfrozen: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)

    def write(
        self, row: AnyRow, verdict: Verdict, *, state: str, not_before: datetime | None = None, **new: Any
    ) -> None:
        """Plan the new values of a row; what is not given stays, and the try counts."""
        self.states[row.id] = state
        self.rows.append(
            {
                "id": row.id,
                "state": state,
                "reason": verdict.reason,
                "reply": verdict.reply,
                "attempts": row.attempts + 1,
                "ambiguous": row.ambiguous,
                "not_before": None if not_before is None else self.written(not_before),
                **new,
            }
        )


def mark(
    session: Session,
    *,
    token: str,
    mails: Sequence[Composed],
    verdicts: Verdicts,
    now: datetime,
    readers: Mapping[int, AnyRow] | None = None,
) -> dict[int, str]:
    """Write down what became of mails in_data; the new state of each. What is no longer ours is left alone.

    Accepted: sent, its Matches end as delivered (or collapsed), the reader counts as told. Later: deferred, and
    composed afresh unless a copy may be out there. Never: failed, its Matches are dropped. Ambiguous: counted, frozen,
    tried at most twice more; then unknown: its Matches are dropped, and the reader counts as not told, so that the next
    news on these trials tells everything since. Where the reader's mails go elsewhere by now, it is not tried again:
    what it told is free for a mail to where they go now.
    ``readers`` is what `lock_readers_of` gave, if this transaction locked the readers of these mails already.
    """
    if not verdicts:
        return {}
    if readers is None:
        readers = lock_readers_of(session, mails)
    held = session.connection().execute(_HELD, {"ids": list(verdicts), "token": token}).all()
    # Not asked of PostgreSQL, which would look through the index of all that was leased lately.
    rows = [row for row in held if row.state == "in_data"]
    accepted = {row.id for row in rows if verdicts[row.id].answer is Answer.ACCEPTED}
    collapsed = [id_ for mail in mails if mail.delivery_id in accepted for id_ in mail.collapsed_ids]
    end_matches(session, collapsed, ended_as="collapsed", now=now)
    return _write(session, rows, verdicts, now=now, same=_list_same(rows, mails, readers))


def _list_same(rows: Sequence[AnyRow], mails: Sequence[Composed], readers: Mapping[int, AnyRow]) -> set[int]:
    """Of these Deliveries, those at their first try whose readers want what they wanted when it was composed."""
    revisions = {row.id: readers[row.subscriber_id].revision for row in rows if row.subscriber_id in readers}
    first = {row.id: row.subscriber_id for row in rows if not row.ambiguous}
    return {
        mail.delivery_id
        for mail in mails
        if mail.subscriber_id is not None
        and first.get(mail.delivery_id) == mail.subscriber_id
        and revisions.get(mail.delivery_id) == mail.revision
    }


def sweep(session: Session, *, now: datetime) -> Counter[str]:
    """Take back some of what lost workers left: what was only claimed is due again, what was going out is ambiguous.

    Counts by what became of them: ``returned``, ``deferred``, ``unknown``; nothing where nothing is left.
    """
    lost = and_(IS_HELD, Delivery.state == "in_data", Delivery.leased_until < now)
    some = session.scalars(select(Delivery.id).where(lost).order_by(Delivery.id).limit(SWEPT_AT_ONCE)).all()
    lost = and_(lost, Delivery.id.in_(some))
    lock_owners(session, lost)
    chosen = select(*_ROW).where(lost)
    rows = session.execute(chosen.order_by(Delivery.id).with_for_update(skip_locked=True)).all()
    states = _write(session, rows, dict.fromkeys((row.id for row in rows), _DIED), now=now)
    # Last, as who leaves locks the reader before the mails.
    returned = return_lost(session, now=now)
    return Counter({"returned": returned}) + Counter(states.values())


def _write(
    session: Session,
    rows: Sequence[AnyRow],
    verdicts: Mapping[int, Verdict],
    *,
    now: datetime,
    same: Collection[int] = (),
) -> dict[int, str]:
    if not rows:
        return {}
    plan = _Plan(written=moment_writer(session))
    for row in rows:
        _decide(plan, row, verdicts[row.id], now=now)
    given_rows = {"mail": as_rows(plan.rows), "ids": list(plan.states), "now": now}
    session.connection().execute(_marking(on_sqlite=is_sqlite(session)), given_rows)
    end_frozen_matches(session, plan.told, ended_as="delivered", now=now)
    tell(session, [id_ for id_ in plan.told if id_ in same])
    tell_followers(session, [id_ for id_ in plan.told if id_ not in same])
    end_frozen_matches(session, plan.dropped + plan.unknown, ended_as="dropped", now=now)
    forget_spans(session, plan.unknown)
    release(session, plan.released)
    unfreeze(session, plan.unfrozen)
    return plan.states


@cache
def _marking(*, on_sqlite: bool) -> Update:
    texts: dict[str, TypeEngine[Any]] = dict.fromkeys(("state", "reason", "reply"), Text())
    numbers: dict[str, TypeEngine[Any]] = dict.fromkeys(("attempts", "ambiguous"), Integer())
    mail = given("mail", on_sqlite=on_sqlite, id=BigInteger(), **texts, **numbers, not_before=UtcDateTime())
    new: dict[str, Any] = {name: mail.c[name] for name in (*texts, *numbers)}
    new["not_before"] = func.coalesce(mail.c.not_before, Delivery.not_before)
    new["sent_at"] = case((mail.c.state == "sent", bindparam("now", type_=UtcDateTime())))
    meant = of_given(Delivery.id, mail, on_sqlite=on_sqlite)
    return update(Delivery).where(*meant).values(**new, lease_token=None, leased_until=None)


def _decide(plan: _Plan, row: AnyRow, verdict: Verdict, *, now: datetime) -> None:
    if row.reason == MOVED and verdict.answer is not Answer.ACCEPTED:
        _let_go(plan, row, verdict)
        return
    match verdict.answer:
        case Answer.ACCEPTED:
            plan.told.append(row.id)
            plan.write(row, verdict, state="sent")
        case Answer.NEVER:
            plan.dropped.append(row.id)
            plan.write(row, verdict, state="failed")
        case Answer.LATER:
            _defer(plan, row, verdict, now=now)
        case Answer.OURS if verdict.reason == OUR_SIDE:
            _let_others_go_first(plan, row, verdict, now=now)
        case Answer.OURS:
            _unfreeze_unless_ambiguous(plan, row)
            plan.write(row, verdict, state="deferred", attempts=row.attempts, not_before=now + RETRY_OURS)
        case Answer.AMBIGUOUS:
            _suspect(plan, row, verdict, now=now)


def _let_others_go_first(plan: _Plan, row: AnyRow, verdict: Verdict, *, now: datetime) -> None:
    """Refused for what we are, mail after mail: it is not given up for that, but the waits grow up to an hour.

    If the same ones came back each minute, they would stop each run before it got to any other.
    """
    _unfreeze_unless_ambiguous(plan, row)
    attempts = max(row.attempts, min(row.attempts + 1, len(FIRST_WAITS)))
    wait = wait_before_retry(delivery_id=row.id, attempts=attempts) or LATER_WAITS
    plan.write(row, verdict, state="deferred", attempts=attempts, not_before=now + wait)


def _let_go(plan: _Plan, row: AnyRow, verdict: Verdict) -> None:
    """It may not go to another mailbox than it went to, and its reader has left that one."""
    times = row.ambiguous + (verdict.answer is Answer.AMBIGUOUS)
    plan.released.append(row.id)
    plan.write(row, verdict, state="unknown" if times else "cancelled", reason=MOVED, ambiguous=times)


def _defer(plan: _Plan, row: AnyRow, verdict: Verdict, *, now: datetime) -> None:
    wait = wait_before_retry(delivery_id=row.id, attempts=row.attempts + 1)
    if wait is None:
        plan.dropped.append(row.id)
        given_up = replace(verdict, reason=f"given up after four days: {verdict.reason or verdict.answer}")
        plan.write(row, given_up, state="failed")
        return
    _unfreeze_unless_ambiguous(plan, row)
    plan.write(row, verdict, state="deferred", not_before=now + wait)


def _suspect(plan: _Plan, row: AnyRow, verdict: Verdict, *, now: datetime) -> None:
    times = row.ambiguous + 1
    if times > AMBIGUOUS_RETRIES:
        plan.unknown.append(row.id)
        plan.write(row, verdict, state="unknown", ambiguous=times)
        return
    # A lost worker has cost the length of a lease already; a server that hangs up is given time.
    wait = wait_before_retry(delivery_id=row.id, attempts=row.attempts + 1) or LATER_WAITS
    not_before = now if verdict is _DIED else now + wait
    plan.write(row, verdict, state="deferred", ambiguous=times, not_before=not_before)


def _unfreeze_unless_ambiguous(plan: _Plan, row: AnyRow) -> None:
    if not row.ambiguous:
        plan.unfrozen.append(row.id)
