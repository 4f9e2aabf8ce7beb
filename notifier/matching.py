"""Matching: each Change meets the subscriptions it concerns, in one set-based statement a batch."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.orm import Session

from notifier.errors import StoreUnavailable
from notifier.store import held_store, match_store
from notifier.store.database import Database
from notifier.store.lock_order import hold
from notifier.store.match_store import Batch, Portion

CHANGES = 100
"""How many Changes are looked at together."""
MATCHES = 5_000
"""How many Matches one transaction writes at most, so that it stays well under 200 ms."""

NAMED = 5
"""So many of the Changes that cannot be matched are named to the operator."""

Then = Callable[[], object]

log = structlog.get_logger(__name__)


def match_changes(*, database: Database, now: datetime, wait: bool = False, then: Then | None = None) -> int:
    """Match every Change that waits, batch by batch; how many Matches that made.

    What somebody else is matching is left to them, unless told to ``wait`` until it is done. ``then`` is
    called after each transaction that made Matches, for what cannot wait for the last of them.

    Claim, Matches and mark are one transaction, so a batch is matched wholly or not at all, whoever dies. A Change that
    concerns very many is matched in portions of their subscriptions, of which the same is true; the next one goes on
    where it was left. One that cannot be matched, by a bug of ours, waits alone, and is tried again later.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    return _match_all(database=database, now=now, wait=wait, newest=None, then=then)


def settle_changes(*, database: Database, now: datetime) -> int:
    """Match every Change that there is by now, and wait for those that others are matching; how many Matches that made.

    What is tied to a trial afterwards makes no Match about them. Those that cannot be matched are left, as by
    `match_changes`.
    """
    with database.reading() as session:
        newest = match_store.newest_change(session)
    return _match_all(database=database, now=now, wait=True, newest=newest)


def list_broken(database: Database) -> list[str]:
    """What to tell the operator about Changes that could not be matched; nothing where there are none.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    with database.reading() as session:
        broken = match_store.list_broken(session)
    if not broken:
        return []
    named = ", ".join(map(str, broken[:NAMED]))
    return [
        f"Changes that cannot be matched, so nobody hears of them: {len(broken):,} ({named}). "
        "They are tried again every quarter of an hour. The log has what broke, by its kind, as matching.broken."
    ]


def _match_all(*, database: Database, now: datetime, wait: bool, newest: int | None, then: Then | None = None) -> int:
    made = 0
    while True:
        with database.reading() as session:
            batches = match_store.list_unmatched(session, limit=CHANGES, matches=MATCHES, newest=newest, now=now)
        done = [_match_or_leave(batch, database=database, now=now, wait=wait, then=then) for batch in batches]
        if all(one is None for one in done) and not (batches and wait):
            # Nothing is left, or somebody else has it: what they leave behind, the sweep finds.
            return made
        made += sum(one or 0 for one in done)


def _match_or_leave(batch: Batch, *, database: Database, now: datetime, wait: bool, then: Then | None) -> int | None:
    """Match a batch, each portion in a transaction of its own; how many Matches that made, None if nothing was left.

    Where that breaks, one by one, so that only what is broken is left, and noted as such.
    """
    made = None
    for upto in (*batch.bounds, None):
        try:
            new = _match_portion(batch.change_ids, upto=upto, database=database, now=now, wait=wait)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # a poison Change may raise anything
            return (made or 0) + _leave(batch, error, database=database, now=now, wait=wait, then=then)
        if new is None:
            return made
        made = (made or 0) + new
        # Not tried with them: what breaks here is no fault of these Changes.
        if new and then:
            then()
    return made


def _leave(batch: Batch, error: Exception, *, database: Database, now: datetime, wait: bool, then: Then | None) -> int:
    if len(batch.change_ids) == 1:
        _put_off(batch.change_ids[0], error, database=database, now=now)
        return 0
    alone = [Batch(change_ids=[one]) for one in batch.change_ids]
    return sum(_match_or_leave(one, database=database, now=now, wait=wait, then=then) or 0 for one in alone)


def _put_off(change_id: int, error: Exception, *, database: Database, now: datetime) -> None:
    with database.writing() as session:
        is_new = match_store.put_off(session, change_id, now=now)
    if is_new:
        log.error("matching.broken", change=change_id, error=type(error).__name__)


def _match_portion(
    change_ids: Sequence[int], *, upto: int | None, database: Database, now: datetime, wait: bool
) -> int | None:
    with database.writing() as session:
        portion = match_store.claim_portion(session, change_ids, upto=upto, wait=wait)
        if portion is None:
            return None
        return 0 if portion.is_done else _match(session, portion, now=now)


def _match(session: Session, portion: Portion, *, now: datetime) -> int:
    """Match a portion that is claimed by this transaction; how many Matches that made.

    Where two readers are joined in the same moment, all is done again: to give what was written to the other one would
    be to lock readers out of order.
    """
    return hold(session, partial(_match_once, session, portion, now=now))


def _match_once(session: Session, portion: Portion, *, now: datetime) -> int | None:
    """None where a Match came to be somebody's who is another reader by now."""
    made = match_store.insert_matches(session, portion, now=now)
    match_store.mark_matched(session, portion, now=now)
    held_store.end_matches_of_dropped(session, portion.change_ids, now=now)
    # Whoever leaves from now on waits until these are committed, and ends them.
    return made if match_store.end_orphans(session, portion, now=now) else None
