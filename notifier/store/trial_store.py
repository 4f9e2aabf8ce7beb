"""Writes what came of a record: a new trial, its next state, its Change; compare-and-swap, so history never forks.

Every record of a long load passes here while all other writers on SQLite wait: the statements go past the session,
which takes as long over one as the engine takes over five.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Row, Select, and_, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from notifier.domain.changes import FieldChange
from notifier.domain.traits import Traits
from notifier.store.inserting import insert_for, insert_once, offered
from notifier.store.models import Change, Match, StatePlace, StateTraits, Told, Trial, TrialAlias, TrialState
from notifier.store.portions import portions
from notifier.store.told_store import followers_of
from notifier.store.traits_store import write_traits
from notifier.store.unloaded import change_rows

MERGED = "merged"
"""The listing of a trial that went into another one, which its row names; who says so, sets that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTrial:
    """What is held of a trial: enough to compare a record with and to swap."""

    id: int
    number: str
    revision: int
    seq: int
    state_id: int
    facts_version: int
    fingerprint: bytes
    last_update_posted: str
    data_version: str
    body: bytes
    """The packed record of its state; empty where that is missing."""
    state_version: int
    listing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewState:
    """What a record comes to: the state to store and what the trial's row says of it.

    ``listing`` is the row's own word: gone, withheld or merged.
    """

    number: str
    digest: bytes
    body: bytes
    facts_version: int
    fingerprint: bytes
    title: str
    status: str | None
    first_posted: str | None
    last_update_posted: str | None
    data_version: str | None
    aliases: tuple[str, ...]
    listing: str | None
    traits: Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChange:
    """What a reader would see in it; its number is given when it is written."""

    fields: tuple[FieldChange, ...]
    weight: int
    opens: bool
    closes: bool
    first_posted: str
    baseline: bool


def is_empty(session: Session) -> bool:
    """Whether no trial is held yet."""
    return session.scalar(select(Trial.id).limit(1)) is None


def list_held(session: Session, numbers: Iterable[str]) -> dict[str, HeldTrial]:
    """What is held of these trials, by number; a number that is an alias leads to its trial."""
    wanted = list(set(numbers))
    found = {row.Trial.number: _held(row) for row in session.execute(_with_state().where(Trial.number.in_(wanted)))}
    missing = [number for number in wanted if number not in found]
    if missing:
        aliased = _with_state().join(TrialAlias, TrialAlias.trial_id == Trial.id).add_columns(TrialAlias.number)
        for row in session.execute(aliased.where(TrialAlias.number.in_(missing))):
            found[row.number] = _held(row)
    return found


def lock_trials(session: Session, numbers: Iterable[str]) -> None:
    """Keep other writers from these trials until the transaction ends; read what is held only afterwards."""
    ids = [held.id for held in list_held(session, numbers).values()]
    locked = select(Trial.id).where(Trial.id.in_(ids)).order_by(Trial.id)
    session.execute(locked.with_for_update(key_share=True))
    session.expire_all()


def list_outdated(session: Session, *, facts_version: int, limit: int) -> list[HeldTrial]:
    """Trials whose facts were read by an older version of ours."""
    chosen = _with_state().where(Trial.facts_version < facts_version).order_by(Trial.id).limit(limit)
    return [_held(row) for row in session.execute(chosen)]


def list_after(session: Session, trial_id: int, *, limit: int) -> list[HeldTrial]:
    """What is held of the next trials by id, after this one."""
    chosen = _with_state().where(Trial.id > trial_id).order_by(Trial.id).limit(limit)
    return [_held(row) for row in session.execute(chosen)]


def count_trials(session: Session) -> int:
    """How many trials are held."""
    return session.scalar(select(func.count(Trial.id))) or 0


def read_state(session: Session, trial_id: int) -> tuple[bytes, int] | None:
    """The packed record of a trial's present state and the version of ours that read it; None without one."""
    chosen = select(TrialState.body, TrialState.facts_version).join(Trial, Trial.state_id == TrialState.id)
    row = session.execute(chosen.where(Trial.id == trial_id)).one_or_none()
    return None if row is None else (row.body, row.facts_version)


def insert_trial(session: Session, state: NewState, *, source: str, now: datetime) -> int | None:
    """Write a new trial at its first Change; its id, or None where somebody else was first."""
    values = _columns(state) | {"number": state.number, "revision": 1, "seq": 1}
    row = values | {Trial.source: source, "first_seen_at": now, "last_change_at": now}
    statement = insert_for(session, Trial).values(row).on_conflict_do_nothing().returning(Trial.id)
    trial_id: int | None = session.connection().scalar(statement)
    if trial_id is None:
        return None
    _set_state(session, trial_id, _insert_state(session, trial_id, state))
    _insert_aliases(session, trial_id, state, source=source)
    return trial_id


def swap_state(
    session: Session, held: HeldTrial, state: NewState, *, changed: bool, source: str, now: datetime
) -> bool:
    """Put a trial's next state in place of the held one; False, with nothing written, where it is no longer that one.

    ``changed`` says that a reader would see a difference, so that the trial goes on to its next Change. A state under
    another number takes the trial there, and the number it had goes on leading to it.
    """
    values: dict[str, Any] = _columns(state) | {"revision": held.revision + 1}
    if changed:
        values |= {"seq": held.seq + 1, "last_change_at": now}
    if state.number != held.number:
        values["number"] = state.number
        state = replace(state, aliases=(held.number, *state.aliases))
    if not _swap(session, held, values):
        return False
    state_id = _insert_state(session, held.id, state)
    _set_state(session, held.id, state_id)
    _insert_aliases(session, held.id, state, source=source)
    if state_id != held.state_id and not changed:
        _delete_unused_state(session, held.state_id)
    return True


def _swap(session: Session, held: HeldTrial, values: dict[str, Any]) -> bool:
    swap = update(Trial).where(Trial.id == held.id, Trial.revision == held.revision).values(values)
    try:
        with session.begin_nested() if "number" in values else nullcontext():
            swapped = session.connection().execute(swap)
    except IntegrityError:
        # Somebody else took a study in under the new number meanwhile.
        return False
    return bool(swapped.rowcount)


def pass_over(session: Session, held: HeldTrial, *, facts_version: int) -> None:
    """Reread a trial no more whose state cannot be read; without its fingerprint any record that comes replaces it."""
    passed = update(Trial).where(Trial.id == held.id, Trial.revision == held.revision)
    values = {"facts_version": facts_version, "source_fingerprint": b"", "revision": held.revision + 1}
    session.execute(passed.values(values))


def set_data_versions(session: Session, versions: dict[int, str]) -> None:
    """Note, by trial id, up to which day of registry data the held states are known to stand; never an earlier one."""
    day: BindParameter[str] = bindparam("day")
    is_older = or_(Trial.data_version.is_(None), Trial.data_version < day)
    noted = update(Trial).where(Trial.id == bindparam("trial"), is_older).values(data_version=day)
    session.connection().execute(noted, [{"trial": one, "day": versions[one]} for one in sorted(versions)])


def insert_change(
    session: Session, *, trial_id: int, seq: int, from_state_id: int | None, change: NewChange, now: datetime
) -> int:
    """Write the Change that led to the trial's present state; its id."""
    trial = Trial.id == trial_id
    written = insert(Change).values(
        trial_id=trial_id,
        seq=seq,
        from_state_id=from_state_id,
        to_state_id=select(Trial.state_id).where(trial).scalar_subquery(),
        fields=msgspec.json.encode(change.fields),
        weight=change.weight,
        opens=change.opens,
        closes=change.closes,
        first_posted=change.first_posted,
        baseline=change.baseline,
        posted=select(Trial.last_update_posted).where(trial).scalar_subquery(),
        observed_at=now,
        matched_at=now if change.baseline else None,
    )
    change_id: int = session.connection().scalars(written.returning(Change.id)).one()
    return change_id


def tell_silently(session: Session, *, trial_id: int, seq: int) -> None:
    """Count those as told of a baseline Change who knew all before it, so that no later digest tells it after all.

    Who still waits for earlier news is told from where they were. A reader whose digest is just being marked as sent
    is left out and not waited for, because that transaction may be waiting for others.
    """
    waiting = exists().where(
        Match.subscriber_id == Told.subscriber_id, Match.trial_id == trial_id, Match.ended_at.is_(None)
    )
    # By who follows it, as no index leads from a trial to who was told of it.
    told_so_far = and_(Told.trial_id == trial_id, Told.seq == seq - 1)
    known = select(Told.subscriber_id).where(Told.subscriber_id.in_(followers_of(trial_id)), told_so_far, ~waiting)
    readers = session.scalars(known.with_for_update(skip_locked=True)).all()
    for some in portions(readers):
        told = update(Told).where(Told.trial_id == trial_id, Told.subscriber_id.in_(some))
        change_rows(session, told.values(seq=seq))


def read_fields(body: bytes) -> tuple[FieldChange, ...]:
    """The FieldChanges of a stored Change."""
    return msgspec.json.decode(body, type=tuple[FieldChange, ...])


def _with_state() -> Select[Trial, bytes, int]:
    """Trials with their states in one statement: between two, another writer may take a state of no Change away."""
    state = (TrialState.body, TrialState.facts_version.label("state_version"))
    return select(Trial, *state).outerjoin(TrialState, TrialState.id == Trial.state_id)


def _held(row: Row[Trial, bytes, int]) -> HeldTrial:
    trial: Trial = row.Trial
    return HeldTrial(
        id=trial.id,
        number=trial.number,
        revision=trial.revision,
        seq=trial.seq,
        state_id=trial.state_id or 0,
        facts_version=trial.facts_version,
        fingerprint=trial.source_fingerprint,
        last_update_posted=trial.last_update_posted or "",
        data_version=trial.data_version or "",
        body=row.body or b"",
        state_version=row.state_version or 0,
        listing=trial.listing,
    )


def _columns(state: NewState) -> dict[str, Any]:
    listed = (
        {"listing": state.listing} if state.listing == MERGED else {"listing": state.listing, "merged_into_id": None}
    )
    return listed | {
        "facts_version": state.facts_version,
        "source_fingerprint": state.fingerprint,
        "title": state.title,
        "status": state.status,
        "first_posted": state.first_posted,
        "last_update_posted": state.last_update_posted,
        "data_version": state.data_version,
    }


def _insert_state(session: Session, trial_id: int, state: NewState) -> int:
    """The id of this state of the trial; a trial that goes back to how it was has that state already."""
    row = {"trial_id": trial_id, "digest": state.digest, "facts_version": state.facts_version, "body": state.body}
    # The same content, so nothing is altered, unless what stood there was damaged.
    repaired = {"body": offered("body"), "facts_version": offered("facts_version")}
    kept = (
        insert_for(session, TrialState)
        .values(row)
        .on_conflict_do_update(index_elements=["trial_id", "digest"], set_=repaired)
    )
    state_id: int = session.connection().scalars(kept.returning(TrialState.id)).one()
    write_traits(session, state_id, state.traits)
    return state_id


def _set_state(session: Session, trial_id: int, state_id: int) -> None:
    session.connection().execute(update(Trial).where(Trial.id == trial_id).values(state_id=state_id))


def _insert_aliases(session: Session, trial_id: int, state: NewState, *, source: str) -> None:
    rows = [{"source": source, "number": alias, "trial_id": trial_id} for alias in state.aliases]
    insert_once(session, TrialAlias, rows)


def _delete_unused_state(session: Session, state_id: int) -> None:
    used = exists().where(or_(Change.from_state_id == state_id, Change.to_state_id == state_id))
    if session.scalar(select(TrialState.id).where(TrialState.id == state_id, ~used)) is None:
        return
    for of_state in (StatePlace.state_id, StateTraits.state_id, TrialState.id):
        session.execute(delete(of_state.class_).where(of_state == state_id))
