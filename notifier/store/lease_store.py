"""Leases on Deliveries: who may send what, and until when."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import BigInteger, Integer, Text, Update, bindparam, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from notifier.domain.deliveries import Claimed, NotBefore
from notifier.store.given import Value, among, as_rows, given, is_sqlite, moment_writer, of_given
from notifier.store.models import Delivery
from notifier.store.stop_store import STOPPED, is_stopped
from notifier.store.table_base import UtcDateTime

LEASE = timedelta(seconds=90)

# Written out, so that both engines see that the partial indexes apply.
_IS_OPEN = text("deliveries.state IN ('waiting', 'deferred')")
IS_HELD = text("deliveries.state IN ('leased', 'in_data')")
"""Said along with the one state that is meant, wherever many rows are looked through."""

FREED_AT_ONCE = 1_000

LANES = (0, 1)
"""Mails somebody waits for, and digests."""

_DUE = (
    select(Delivery.id)
    .where(_IS_OPEN, Delivery.lane == bindparam("lane"), Delivery.not_before <= bindparam("now"))
    .order_by(Delivery.not_before, Delivery.id)
    .limit(bindparam("at_most", type_=Integer()))
    .with_for_update(skip_locked=True)
)
_CLAIMED = (
    update(Delivery)
    .where(among(Delivery.id, "ids"))
    .values(state="leased", lease_token=bindparam("token"), leased_until=bindparam("until"))
    .returning(
        Delivery.id, Delivery.kind, Delivery.subscriber_id, Delivery.request_id, Delivery.message_id,
        Delivery.dated_at, Delivery.language, Delivery.attempts, Delivery.ambiguous,
    )
)  # fmt: skip


def claim(
    session: Session,
    *,
    now: datetime,
    limit: int,
    token: str,
    until: datetime | None = None,
    lane: int | None = None,
) -> list[Claimed]:
    """Lease what is due, mails somebody waits for first, then the longest waiting; skips what another one claims.

    Nobody else gets what is returned until the lease runs out, is given back, or the Delivery ends. While all sending
    is stopped, nothing is. With a ``lane``, only its mails.
    """
    if is_stopped(session):
        return []
    ids = _lock_due(session, lanes=LANES if lane is None else (lane,), now=now, limit=limit)
    if not ids:
        return []
    held = {"ids": ids, "token": token, "until": until or now + LEASE}
    found = session.connection().execute(_CLAIMED, held)
    names = tuple(found.keys())
    claimed = {row.id: Claimed(**dict(zip(names, row, strict=True)), token=token) for row in found.all()}
    return [claimed[id_] for id_ in ids]


def _lock_due(session: Session, *, lanes: Sequence[int], now: datetime, limit: int) -> list[int]:
    """Lane by lane: what is not due yet in the first one is not looked through for what is due in the second."""
    ids: list[int] = []
    for lane in lanes:
        if len(ids) < limit:
            due = {"lane": lane, "now": now, "at_most": limit - len(ids)}
            ids += session.connection().execute(_DUE, due).scalars()
    return ids


def is_due(session: Session, *, lane: int, now: datetime) -> bool:
    """Whether a mail of a lane could be claimed."""
    due = select(Delivery.id).where(_IS_OPEN, Delivery.lane == lane, Delivery.not_before <= now).limit(1)
    return session.scalar(due) is not None


def renew(session: Session, *, token: str, now: datetime, lease: timedelta = LEASE) -> int:
    """Hold on to everything under a token; how many that are. None left means that the lease was lost."""
    mine = update(Delivery).where(IS_HELD, Delivery.lease_token == token)
    return len(update_ids(session, mine.values(leased_until=now + lease)))


def put_back(session: Session, *, token: str, now: datetime) -> int:
    """Give back what was claimed and not begun, due at once; how many."""
    mine = update(Delivery).where(IS_HELD, Delivery.state == "leased", Delivery.lease_token == token)
    return len(update_ids(session, mine.values(state="waiting", not_before=now, lease_token=None, leased_until=None)))


def put_back_stopped(session: Session, *, token: str, ids: Sequence[int]) -> None:
    """Give back what was claimed and may not begin, as all sending is stopped; due as it was, and counts as no try."""
    mine = update(Delivery).where(Delivery.id.in_(ids), Delivery.state == "leased", Delivery.lease_token == token)
    update_ids(session, mine.values(state="waiting", reason=STOPPED, lease_token=None, leased_until=None))


def put_off(session: Session, *, token: str, until: datetime, reason: str, ids: Sequence[int] | None = None) -> int:
    """Give back what was claimed and not begun, or some of it, to be looked at again at a time; counts as no try."""
    mine = update(Delivery).where(IS_HELD, Delivery.state == "leased", Delivery.lease_token == token)
    chosen = mine if ids is None else mine.where(Delivery.id.in_(ids))
    rest = {"state": "deferred", "not_before": until, "reason": reason[:200]}
    return len(update_ids(session, chosen.values(**rest, lease_token=None, leased_until=None)))


def put_off_each(session: Session, *, token: str, rests: Mapping[int, NotBefore]) -> int:
    """As `put_off`, each of these to its own time and for its own reason; how many."""
    if not rests:
        return 0
    written, on_sqlite = moment_writer(session), is_sqlite(session)
    rows: list[dict[str, Value]] = [
        {"id": id_, "not_before": written(rest.until), "reason": rest.reason[:200]}
        for id_, rest in sorted(rests.items())
    ]
    mine = {"rest": as_rows(rows), "ids": list(rests), "token": token}
    return len(session.connection().execute(_resting(on_sqlite=on_sqlite), mine).all())


@cache
def _resting(*, on_sqlite: bool) -> ReturningUpdate[tuple[int]]:
    rest = given("rest", on_sqlite=on_sqlite, id=BigInteger(), not_before=UtcDateTime(), reason=Text())
    mine = update(Delivery).where(*of_given(Delivery.id, rest, on_sqlite=on_sqlite))
    held = mine.where(Delivery.state == "leased", Delivery.lease_token == bindparam("token"))
    new = {"state": "deferred", "not_before": rest.c.not_before, "reason": rest.c.reason}
    return held.values(**new, lease_token=None, leased_until=None).returning(Delivery.id)


def return_lost(session: Session, *, now: datetime) -> int:
    """Free some of what was claimed by somebody who no longer renews, and had not begun; how many."""
    lost = select(Delivery.id).where(IS_HELD, Delivery.state == "leased", Delivery.leased_until < now)
    ids = session.scalars(lost.limit(FREED_AT_ONCE).with_for_update(skip_locked=True)).all()
    freed = {"state": "waiting", "reason": "lease lost", "lease_token": None, "leased_until": None}
    return len(update_ids(session, update(Delivery).where(Delivery.id.in_(ids)).values(**freed))) if ids else 0


def update_ids(session: Session, statement: Update) -> list[int]:
    """Run an UPDATE of deliveries; the ids of the rows it changed."""
    done = session.scalars(statement.returning(Delivery.id), execution_options={"synchronize_session": False})
    return list(done.all())
