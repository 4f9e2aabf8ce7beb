"""Retiring: a study that the registry shows no longer, or under another number, ends, and its readers are told once."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from notifier.delisting import READERS_AT_ONCE, delist, merge
from notifier.errors import StoreUnavailable, UnknownTrial, WrongSuccessor
from notifier.registries.listings import GONE
from notifier.store import retire_store, trial_lookup, trial_store
from notifier.store.conflicts import unless_conflict
from notifier.store.database import Database
from notifier.store.models import Trial
from notifier.store.trial_store import MERGED

TRIES = 4
_GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """How a study is listed now: ``gone``, or ``merged`` into the number named; ``changed`` if it was not before."""

    number: str
    listing: str
    merged_into: str | None
    changed: bool


def retire_study(*, database: Database, number: str, merged_into: str | None = None, now: datetime) -> Retired:
    """End a study that the registry shows no longer, or goes on showing under another number; twice is fine.

    A record of it that comes later brings it back. One that is merged is not gone: its readers follow the other one.

    Args:
        database: where studies are held.
        number: the study; of one held under another number there is nothing to end.
        merged_into: the number under which it goes on, of a study that is held.
        now: when this is.

    Raises:
        UnknownTrial: no study of this number is held.
        WrongSuccessor: nor one of the other number, or that is the very same study.
        StoreUnavailable: the database cannot be written just now.
    """
    for _ in range(TRIES):
        retired = unless_conflict(partial(_write, database, number.strip().upper(), merged_into=merged_into, now=now))
        if retired is not None:
            return retired
    raise StoreUnavailable("What is held of this study cannot be read, or others write it again and again.")


def settle_merged(*, database: Database, now: datetime) -> int:
    """Have all readers of merged studies follow the other one, and end what they were told the end of; how many."""
    while _move(database) == READERS_AT_ONCE:
        pass
    ended = 0
    while some := _end(database, now=now):
        ended += some
    return ended


def _write(database: Database, number: str, *, merged_into: str | None, now: datetime) -> Retired | None:
    """End a study in one transaction; None where it could not be written as it stood."""
    with database.writing() as session:
        trial_store.lock_trials(session, [number, *([merged_into.strip().upper()] if merged_into else [])])
        trial = trial_lookup.find_trial(session, number)
        if trial is None:
            raise UnknownTrial(
                "This study is not among those listed here. Check the number: it looks like NCT01234567."
            )
        into = _successor(session, number, merged_into) if merged_into else None
        held = trial_store.list_held(session, [number])[number]
        if into and held.number == number:
            changed = merge(session, held, number=into.number, into=into.id, now=now)
            if not changed and held.listing != MERGED:
                return None
            return Retired(number=number, listing=MERGED, merged_into=into.number, changed=changed)
        if trial.number != number:
            # It is shown under another number already.
            return Retired(number=number, listing=MERGED, merged_into=trial.number, changed=False)
        changed = delist(session, held, listing=GONE, now=now)
        if not changed and held.listing != _GONE:
            return None
        return Retired(number=number, listing=_GONE, merged_into=None, changed=changed)


def _successor(session: Session, number: str, other: str) -> Trial:
    trial = trial_lookup.find_trial(session, other)
    if trial is None:
        raise WrongSuccessor("The other study is not among those listed here. Take its record in first.")
    if trial.number == number:
        raise WrongSuccessor("A study cannot go on under its own number, nor under one that leads to it.")
    return trial


def _move(database: Database) -> int:
    with database.reading() as session:
        waits = retire_store.is_anybody_stranded(session)
    if not waits:
        return 0
    with database.writing() as session:
        return retire_store.move_readers(session, limit=READERS_AT_ONCE)


def _end(database: Database, *, now: datetime) -> int:
    with database.reading() as session:
        waits = retire_store.is_anybody_settled(session)
    if not waits:
        return 0
    with database.writing() as session:
        return retire_store.end_moved(session, limit=READERS_AT_ONCE, now=now)
