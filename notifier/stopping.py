"""Stopping: all sending is stopped at once and goes on again, at the operator's word."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from notifier.errors import StoreUnavailable, Undecided
from notifier.logs import without_addresses
from notifier.store import restore_store, stop_store
from notifier.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """That no mail goes out: since when, why (``paused``, ``restoring`` or ``restored``), and what was noted.

    ``undecided`` mails of a backup that was put back wait for the operator's decision.
    """

    since: datetime
    why: str
    note: str | None
    undecided: int = 0


def said(stop: Stop) -> str:
    """A stop, and what ends it, for the operator."""
    reason = "paused by notifier pause" if stop.why == stop_store.PAUSED else "a backup was put back"
    note = f": {stop.note}" if stop.note else ""
    return f"No mail goes out since {stop.since:%Y-%m-%d %H:%M} UTC ({reason}{note}). {_how_to_go_on(stop)}"


def _how_to_go_on(stop: Stop) -> str:
    if stop.why == stop_store.RESTORING:
        return "That was broken off: run notifier restored --at TIME again, with the same time."
    if not stop.undecided:
        return "To go on: notifier resume"
    return (
        f"Mails that wait for your decision: {stop.undecided:,}. Decide with notifier restored --at TIME --resend, "
        "or --drop; then: notifier resume"
    )


def list_stops(database: Database) -> Sequence[Stop]:
    """What keeps all mails back now, the oldest first; nothing where they go out."""
    with database.reading() as session:
        return [
            Stop(
                since=one.stopped_at,
                why=one.why,
                note=one.note,
                undecided=restore_store.count_undecided(session) if one.why == stop_store.RESTORED else 0,
            )
            for one in stop_store.list_open(session)
        ]


def is_stopped(database: Database) -> bool:
    """Whether no mail goes out now, for who waits for one; False where the database cannot be asked."""
    try:
        with database.reading() as session:
            return stop_store.is_stopped(session)
    except StoreUnavailable:
        return False


def pause(database: Database, *, note: str | None, now: datetime) -> bool:
    """Have no mail go out after this, letters included, but those that are in_data; False if it was so already.

    Matching and planning go on: news waits, and who has a digest waiting gets no second one. The note is read by
    programs and in logs, too, so it loses any address in it.
    """
    noted = without_addresses(note) if note else None
    with database.writing() as session:
        if any(one.why == stop_store.PAUSED for one in stop_store.list_open(session)):
            return False
        stop_store.add(session, why=stop_store.PAUSED, note=noted, now=now)
    return True


def resume(database: Database, *, now: datetime) -> bool:
    """Let mails go out again; False if they did already.

    Raises:
        Undecided: a backup was put back, and what was unfinished then is not decided.
    """
    with database.writing() as session:
        reasons = {one.why for one in stop_store.list_open(session)}
        if stop_store.RESTORING in reasons:
            raise Undecided("A backup was put back, and not all is done: run notifier restored --at TIME again.")
        if stop_store.RESTORED in reasons and restore_store.count_undecided(session):
            raise Undecided(
                "Mails that were unfinished in the backup, or due since, wait for your decision first: "
                "notifier restored --at TIME --resend, or --drop."
            )
        return stop_store.end_all(session, now=now) > 0
