"""Matching: each Change meets the subscriptions it concerns, in one set-based statement a batch."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from notifier.store import held_store, match_store
from notifier.store.database import Database
from notifier.store.lock_order import hold

CHANGES = 100
MATCHES = 10_000
"""About how many Matches one transaction writes, so that it stays well under 200 ms."""


def match_changes(*, database: Database, now: datetime) -> int:
    """Match every Change that waits, batch by batch; how many Matches that made.

    Claim, Matches and mark are one transaction, so a batch is matched wholly or not at all, whoever dies.
    """
    made = 0
    while True:
        with database.reading() as session:
            waiting = match_store.list_unmatched(session, limit=CHANGES, matches=MATCHES)
        if not waiting:
            return made
        with database.writing() as session:
            claimed = match_store.claim_changes(session, waiting)
            if claimed:
                made += _match(session, claimed, now=now)
        if not claimed:
            # Somebody else has them: what they leave behind, the sweep finds.
            return made


def settle_changes(*, database: Database, now: datetime) -> int:
    """Match every Change that there is by now, and wait for those that others are matching; how many Matches that made.

    What is tied to a trial afterwards makes no Match about them.
    """
    with database.reading() as session:
        newest = match_store.newest_change(session)
    made = match_changes(database=database, now=now)
    while True:
        with database.writing() as session:
            waiting = match_store.wait_for_changes(session, newest, limit=CHANGES)
            if not waiting:
                return made
            made += _match(session, waiting, now=now)


def _match(session: Session, claimed: Sequence[int], *, now: datetime) -> int:
    """Match Changes that are claimed by this transaction; how many Matches that made.

    Where two readers are joined in the same moment, all is done again: to give what was written to the other one would
    be to lock readers out of order.
    """
    return hold(session, partial(_match_once, session, claimed, now=now))


def _match_once(session: Session, claimed: Sequence[int], *, now: datetime) -> int | None:
    """None where a Match came to be somebody's who is another reader by now."""
    made = match_store.insert_matches(session, claimed, now=now)
    match_store.mark_matched(session, claimed, now=now)
    held_store.end_matches_of_dropped(session, claimed, now=now)
    # Whoever leaves from now on waits until these are committed, and ends them.
    match_store.end_orphans(session, claimed, now=now)
    return None if match_store.has_strays(session, claimed) else made
