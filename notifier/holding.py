"""Holding: one same change in many studies waits for the operator, who releases it to its readers or drops it."""

from collections.abc import Collection
from datetime import datetime

from notifier.domain.breaking import DROPPED, RELEASED, Threshold
from notifier.errors import InvalidRequest
from notifier.store import held_store
from notifier.store.database import Database
from notifier.store.held_store import HeldNews

MATCHES = 5_000
"""Matches ended in one transaction, so that it stays well under 200 ms."""
SIGNATURES = 2_000


def list_held(database: Database) -> list[HeldNews]:
    """What the breaker ever held, the newest first."""
    with database.reading() as session:
        return held_store.list_news(session)


def release(database: Database, ids: Collection[int], *, now: datetime) -> None:
    """Let these through: who waits for them is told with their next digest.

    Raises:
        InvalidRequest: there is none with one of these numbers; nothing is decided then.
    """
    _decide(database, ids, state=RELEASED, now=now)


def drop(database: Database, ids: Collection[int], *, now: datetime) -> int:
    """Tell nobody of these, now or later; how many Matches that ended.

    Raises:
        InvalidRequest: there is none with one of these numbers; nothing is decided then.
    """
    _decide(database, ids, state=DROPPED, now=now)
    return sum(_end_dropped(database, one, now=now) for one in sorted(set(ids)))


def forget_signatures(*, database: Database, threshold: Threshold, now: datetime) -> int:
    """Delete some of the notes by which studies are counted and that count no longer; how many. A sweep calls it."""
    with database.reading() as session:
        old = held_store.list_old_signatures(session, before=threshold.since(now), limit=SIGNATURES)
    if old:
        with database.writing() as session:
            held_store.delete_signatures(session, old)
    return len(old)


def _decide(database: Database, ids: Collection[int], *, state: str, now: datetime) -> None:
    with database.writing() as session:
        unknown = set(ids) - held_store.decide(session, ids, state=state, now=now)
        if unknown:
            raise InvalidRequest(
                f"Nothing is held under {', '.join(map(str, sorted(unknown)))}. See: notifier held list"
            )


def _end_dropped(database: Database, held_id: int, *, now: datetime) -> int:
    ended, more = 0, MATCHES
    while more == MATCHES:
        with database.writing() as session:
            more = held_store.end_dropped(session, held_id, now=now, limit=MATCHES)
        ended += more
    return ended
