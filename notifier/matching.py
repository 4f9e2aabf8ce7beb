"""Matching: each Change meets the subscriptions it concerns, in one set-based statement a batch."""

from datetime import datetime

from notifier.store import match_store
from notifier.store.database import Database

BATCH = 100


def match_changes(*, database: Database, now: datetime) -> int:
    """Match every Change that waits, batch by batch; how many Matches that made.

    Claim, Matches and mark are one transaction, so a batch is matched wholly or not at all, whoever dies.
    """
    made = 0
    while True:
        with database.writing() as session:
            change_ids = match_store.claim_changes(session, limit=BATCH)
            if not change_ids:
                return made
            made += match_store.insert_matches(session, change_ids, now=now)
            match_store.mark_matched(session, change_ids, now=now)
