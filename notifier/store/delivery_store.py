"""The last look before a mail goes out: what is admitted to in_data, and Deliveries that end without a mail."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    Update,
    and_,
    bindparam,
    case,
    exists,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from notifier.domain.deliveries import (
    QUIET,
    TELLING,
    UNASKED,
    CannotCompose,
    Composed,
    NothingToSay,
    wait_before_retry,
)
from notifier.store.delivery_contents import (
    AnyRow,
    end_free_matches,
    end_frozen_matches,
    end_matches,
    end_urgent_matches,
    lock_owners,
    lock_readers_of,
    release,
    unfreeze,
)
from notifier.store.freezing import add_spans, take_matches
from notifier.store.given import Value, among, as_rows, given, is_sqlite, moment_writer, of_given
from notifier.store.lease_store import LEASE, put_back_stopped, update_ids
from notifier.store.models import Delivery, PendingRequest, Subscriber, Subscription, Suppression
from notifier.store.pause_store import PAUSED
from notifier.store.quiet_store import waits_for
from notifier.store.stop_store import any_open
from notifier.store.table_base import UtcDateTime


def _open_one(target: Any) -> ColumnElement[bool]:
    mine = Subscription.subscriber_id == Delivery.subscriber_id
    return exists().where(mine, Subscription.ended_at.is_(None), target.is_not(None))


_GIVEN_BACK: dict[str, Any] = {"lease_token": None, "leased_until": None}

_ADDRESS = case((Delivery.subscriber_id.is_not(None), Subscriber.address_index), else_=PendingRequest.address_index)
_HELD = (
    select(
        Delivery.id,
        Delivery.kind,
        Delivery.state,
        Delivery.subscriber_id,
        Delivery.message_id,
        _ADDRESS.label("address_index"),
        exists().where(Suppression.address_index == _ADDRESS).label("is_suppressed"),
        # Asked twice so that both partial indexes serve.
        or_(_open_one(Subscription.trial_id), _open_one(Subscription.condition_id)).label("follows"),
        and_(Delivery.kind == QUIET, waits_for(Delivery.subscriber_id)).label("is_busy"),
        any_open().label("is_stopped"),
    )
    .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
    .outerjoin(PendingRequest, PendingRequest.id == Delivery.request_id)
    .where(among(Delivery.id, "ids"), Delivery.lease_token == bindparam("token"))
    .where(Delivery.leased_until > bindparam("now"))
    .order_by(Delivery.id)
    .with_for_update(of=Delivery)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Which mails may go out now, and which were sent back (``changed``) or ended (``cancelled``) instead."""

    admitted: frozenset[int] = frozenset()
    changed: frozenset[int] = frozenset()
    cancelled: frozenset[int] = frozenset()


def enter_data(  # noqa: PLR0913  # the lease, the mails, two clocks, and what is locked
    session: Session,
    *,
    token: str,
    mails: Sequence[Composed],
    now: datetime,
    real: datetime | None = None,
    lease: timedelta = LEASE,
    readers: Mapping[int, AnyRow] | None = None,
) -> Admission:
    """Put mails in_data and freeze them; only what is admitted may be sent, and only after the commit.

    A mail is admitted if its lease holds, nobody suppressed its address, its reader still has a subscription open
    (none, for a goodbye) and wants what they wanted when it was composed, and its Matches are still to be told (for a
    quiet note: none wait). What changed goes back to be composed again; what nobody wants any more is cancelled, and so
    is what a pause keeps back, whose Matches wait on. A lost lease is somebody else's business; leases run by the
    ``real`` time where ``now`` is a time that was set. While all sending is stopped, everything goes back.
    ``readers`` is what `lock_readers_of` gave, if this transaction locked the readers of these mails already.
    """
    if not mails:
        return Admission()
    subscribers = readers if readers is not None else lock_readers_of(session, mails)
    rows = _list_held(session, token=token, ids=[mail.delivery_id for mail in mails], now=real or now)
    if any(row.is_stopped for row in rows.values()):
        put_back_stopped(session, token=token, ids=list(rows))
        return Admission(changed=frozenset(rows))
    held = [mail for mail in mails if mail.delivery_id in rows]
    reasons = _reasons_to_cancel(rows)
    resting = _resting_until(rows, subscribers, now=now, but=reasons)
    wanted = [mail for mail in held if mail.delivery_id not in reasons and mail.delivery_id not in resting]
    admitted = _take_what_is_free(session, [mail for mail in wanted if _is_current(mail, subscribers)], rows)
    changed = {mail.delivery_id for mail in wanted} - {mail.delivery_id for mail in admitted}
    _admit(session, admitted, now=now, until=(real or now) + lease)
    add_spans(session, admitted, frozen={id_ for id_, row in rows.items() if row.message_id is not None})
    _send_back(session, sorted(changed))
    _cancel(session, [mail for mail in held if mail.delivery_id in reasons], reasons, now=now)
    given_up = _rest(session, rows, resting)
    return Admission(
        admitted=frozenset(mail.delivery_id for mail in admitted),
        changed=frozenset(changed),
        cancelled=frozenset(reasons) | given_up,
    )


def cancel_silent(session: Session, *, token: str, silent: Sequence[NothingToSay], now: datetime) -> list[int]:
    """End Deliveries that have nothing to say, with the Matches that came to nothing; the ids ended."""
    rows = _list_leased(session, token=token, ids=[one.delivery_id for one in silent])
    for one in silent:
        if one.delivery_id in rows:
            end_matches(session, one.match_ids, ended_as="collapsed", now=now)
            _end(session, one.delivery_id, state="cancelled", reason=one.reason)
    unfreeze(session, list(rows))
    return list(rows)


def fail_uncomposed(session: Session, *, token: str, broken: Sequence[CannotCompose], now: datetime) -> dict[int, str]:
    """Put off Deliveries whose mail cannot be made, as long as any other mail is tried; the new state of each.

    What breaks a mail is mostly a bug of ours that will be mended, so it must not silence anybody. After four days of
    tries a Delivery fails and its Matches are dropped: those it carries, or, if it carried none yet, all that it would.
    """
    rows = _list_leased(session, token=token, ids=[one.delivery_id for one in broken])
    states = {}
    for one in broken:
        if one.delivery_id in rows:
            states[one.delivery_id] = _fail(session, rows[one.delivery_id], reason=one.reason[:200], now=now)
    return states


def _fail(session: Session, row: AnyRow, *, reason: str, now: datetime) -> str:
    wait = wait_before_retry(delivery_id=row.id, attempts=row.attempts + 1)
    values: dict[str, Any] = {"state": "deferred", "reason": reason, "attempts": row.attempts + 1}
    if wait is not None:
        values["not_before"] = now + wait
    else:
        values["state"] = "failed"
        end_frozen_matches(session, [row.id], ended_as="dropped", now=now)
        if row.message_id is None and row.kind in TELLING:
            end_free = end_urgent_matches if row.kind == "urgent" else end_free_matches
            end_free(session, [row.subscriber_id], ended_as="dropped", now=now)
    update_ids(session, update(Delivery).where(Delivery.id == row.id).values(**values, **_GIVEN_BACK))
    return str(values["state"])


def _list_held(session: Session, *, token: str, ids: Sequence[int], now: datetime) -> dict[int, AnyRow]:
    """Those of these Deliveries whose lease holds, locked, with what decides whether they are wanted."""
    rows = session.connection().execute(_HELD, {"ids": ids, "token": token, "now": now})
    # Not asked of PostgreSQL, which would look through the index of all that was leased lately.
    return {row.id: row for row in rows.all() if row.state == "leased"}


def _list_leased(session: Session, *, token: str, ids: Sequence[int]) -> dict[int, AnyRow]:
    columns = (Delivery.id, Delivery.kind, Delivery.subscriber_id, Delivery.attempts, Delivery.message_id)
    mine = and_(Delivery.id.in_(ids), Delivery.lease_token == token, Delivery.state == "leased")
    lock_owners(session, mine)
    chosen = select(*columns).where(mine).order_by(Delivery.id)
    return {row.id: row for row in session.execute(chosen.with_for_update())}


def _reasons_to_cancel(rows: Mapping[int, AnyRow]) -> dict[int, str]:
    """Why some of these Deliveries are wanted no more."""
    reasons = {}
    for id_, row in rows.items():
        if row.is_suppressed:
            reasons[id_] = "suppressed"
        elif row.address_index is None:
            reasons[id_] = "ended"
        elif reason := _unwanted(row.kind, follows=row.follows, busy=row.is_busy):
            reasons[id_] = reason
    return reasons


def _unwanted(kind: str, *, follows: bool, busy: bool) -> str | None:
    """Why a mail of this kind is wanted no more by who follows something or not, and has news waiting or not."""
    if kind == "goodbye":
        return "came back" if follows else None
    if kind in UNASKED and not follows:
        return "ended"
    return "news came" if kind == "quiet" and busy else None


def _resting_until(
    rows: Mapping[int, AnyRow], subscribers: Mapping[int, AnyRow], *, now: datetime, but: Collection[int]
) -> dict[int, datetime]:
    """Of these Deliveries, those that their readers' pauses keep back, and until when."""
    found = {}
    for id_, row in rows.items():
        reader = subscribers.get(row.subscriber_id) if row.kind in UNASKED and id_ not in but else None
        if reader is not None and reader.paused_until is not None and reader.paused_until > now:
            found[id_] = reader.paused_until
    return found


def _rest(session: Session, rows: Mapping[int, AnyRow], resting: Mapping[int, datetime]) -> frozenset[int]:
    """Give up what a later mail can tell; what may have arrived already rests, to be sent the same again."""
    given_up = [id_ for id_ in resting if rows[id_].message_id is None]
    for id_ in given_up:
        _end(session, id_, state="cancelled", reason=PAUSED)
    for id_ in resting.keys() - set(given_up):
        later = update(Delivery).where(Delivery.id == id_)
        update_ids(session, later.values(state="deferred", reason=PAUSED, not_before=resting[id_], **_GIVEN_BACK))
    return frozenset(given_up)


def _is_current(mail: Composed, subscribers: Mapping[int, AnyRow]) -> bool:
    if mail.subscriber_id is None:
        return True
    reader = subscribers.get(mail.subscriber_id)
    return reader is not None and reader.revision == mail.revision


def _take_what_is_free(session: Session, mails: Sequence[Composed], rows: Mapping[int, AnyRow]) -> Sequence[Composed]:
    """Those of which everything they tell is still to be told, and by nobody else, not even by one of the others.

    They carry it from now on; the others, what they carried before.
    """
    first: dict[int, int] = {}
    doubled = {
        mail.delivery_id
        for mail in mails
        for match_id in mail.match_ids + mail.collapsed_ids
        if first.setdefault(match_id, mail.delivery_id) != mail.delivery_id
    }
    missing = take_matches(session, {match_id: id_ for match_id, id_ in first.items() if id_ not in doubled})
    release(session, [id_ for id_ in missing if rows[id_].message_id is None])
    return [mail for mail in mails if mail.delivery_id not in missing | doubled]


def _admit(session: Session, mails: Sequence[Composed], *, now: datetime, until: datetime) -> None:
    if not mails:
        return
    written = moment_writer(session)
    rows: list[dict[str, Value]] = [
        {
            "id": mail.delivery_id,
            "message_id": mail.message_id,
            "dated_at": written(mail.dated_at),
            "language": mail.language,
        }
        for mail in mails
    ]
    values = {"mail": as_rows(rows), "now": now, "until": until, "ids": [mail.delivery_id for mail in mails]}
    session.connection().execute(_admitting(on_sqlite=is_sqlite(session)), values)


@cache
def _admitting(*, on_sqlite: bool) -> Update:
    kinds: dict[str, Any] = {"id": BigInteger(), "message_id": Text(), "dated_at": UtcDateTime(), "language": Text()}
    mail = given("mail", on_sqlite=on_sqlite, **kinds)
    frozen = {name: mail.c[name] for name in ("message_id", "dated_at", "language")}
    begun: dict[str, Any] = {
        "state": "in_data",
        "reason": None,
        "in_data_at": bindparam("now"),
        "leased_until": bindparam("until"),
    }
    return update(Delivery).where(*of_given(Delivery.id, mail, on_sqlite=on_sqlite)).values(**begun, **frozen)


def _send_back(session: Session, ids: Sequence[int]) -> None:
    if ids:
        back = update(Delivery).where(Delivery.id.in_(ids))
        update_ids(session, back.values(state="waiting", reason="changed", **_GIVEN_BACK))


def _cancel(session: Session, mails: Sequence[Composed], reasons: Mapping[int, str], *, now: datetime) -> None:
    for mail in mails:
        reason = reasons[mail.delivery_id]
        ended_as = "dropped" if reason == "suppressed" else "ended"
        end_matches(session, mail.match_ids + mail.collapsed_ids, ended_as=ended_as, now=now)
        end_frozen_matches(session, [mail.delivery_id], ended_as=ended_as, now=now)
        _end(session, mail.delivery_id, state="cancelled", reason=reason)
    unfreeze(session, [mail.delivery_id for mail in mails])


def _end(session: Session, delivery_id: int, *, state: str, reason: str) -> None:
    ended = update(Delivery).where(Delivery.id == delivery_id)
    update_ids(session, ended.values(state=state, reason=reason, **_GIVEN_BACK))
