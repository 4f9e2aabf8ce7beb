"""Matching: each Change meets the subscriptions it concerns, in one set-based statement a batch."""

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

log = structlog.get_logger(__name__)


def match_changes(*, database: Database, now: datetime, wait: bool = False) -> int:
    """Match every Change that waits, batch by batch; how many Matches that made.

    What somebody else is matching is left to them, unless told to ``wait`` until it is done.

    Claim, Matches and mark are one transaction, so a batch is matched wholly or not at all, whoever dies. A Change that
    concerns very many is matched in portions of their subscriptions, of which the same is true; the next one goes on
    where it was left. One that cannot be matched, by a bug of ours, waits alone, and is tried again the next time.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    made = 0
    broken: set[int] = set()
    while True:
        with database.reading() as session:
            batches = match_store.list_unmatched(session, limit=CHANGES, matches=MATCHES, but=broken)
        done = [_match_or_leave(batch, broken, database=database, now=now, wait=wait) for batch in batches]
        if all(one is None for one in done) and not (batches and wait):
            # Nothing is left, or somebody else has it: what they leave behind, the sweep finds.
            return made
        made += sum(one or 0 for one in done)


def _match_or_leave(batch: Batch, broken: set[int], *, database: Database, now: datetime, wait: bool) -> int | None:
    """Match a batch; where that breaks, one by one, so that only what is broken is left, and noted as such."""
    try:
        return _match_batch(batch, database=database, now=now, wait=wait)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # a poison Change may raise anything
        if len(batch.change_ids) == 1:
            broken.update(batch.change_ids)
            log.error("matching.broken", change=batch.change_ids[0], error=type(error).__name__)  # noqa: TRY400
            return 0
    alone = [Batch(change_ids=[one]) for one in batch.change_ids]
    return sum(_match_or_leave(one, broken, database=database, now=now, wait=wait) or 0 for one in alone)


def settle_changes(*, database: Database, now: datetime) -> int:
    """Match every Change that there is by now, and wait for those that others are matching; how many Matches that made.

    What is tied to a trial afterwards makes no Match about them.
    """
    made = 0
    with database.reading() as session:
        newest = match_store.newest_change(session)
    while True:
        with database.reading() as session:
            batches = match_store.list_unmatched(session, limit=CHANGES, matches=MATCHES, newest=newest)
        if not batches:
            return made
        made += sum(_match_batch(batch, database=database, now=now, wait=True) or 0 for batch in batches)


def _match_batch(batch: Batch, *, database: Database, now: datetime, wait: bool = False) -> int | None:
    """Match a batch, each portion in a transaction of its own; how many Matches that made, None if nothing was left."""
    made = None
    for upto in (*batch.bounds, None):
        with database.writing() as session:
            portion = match_store.claim_portion(session, batch.change_ids, upto=upto, wait=wait)
            if portion is None:
                return made
            made = (made or 0) + (0 if portion.is_done else _match(session, portion, now=now))
    return made


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
