"""The breaker: one same change in many studies is the registry's doing and no news, until somebody decides it is."""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from notifier.domain.aligning import squeezed
from notifier.domain.change_table import SHARED
from notifier.domain.changes import FieldChange, Value, Weight

HELD, RELEASED, DROPPED = "held", "released", "dropped"
SIGNATURE_BYTES = 16

Parts: TypeAlias = frozenset[tuple[str, str]]
"""A value as texts with the names of what they are; a text alone, and a member of a list, have no name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """In how many studies within how many days one same change trips the breaker."""

    studies: int = 20
    days: int = 3

    def since(self, now: datetime) -> datetime:
        """From when on studies count."""
        return now - timedelta(days=self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """What many studies may share: of one fact, what went and what came in its place; never which study or site."""

    field: str
    went: Parts
    came: Parts

    @property
    def signature(self) -> bytes:
        """The same for the same rename, whatever study it is seen in."""
        text = json.dumps([self.field, sorted(self.went), sorted(self.came)], ensure_ascii=False)
        return hashlib.sha256(text.encode()).digest()[:SIGNATURE_BYTES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A rename that came in many studies, and what was decided on it."""

    id: int
    rename: Rename
    state: str
    tripped_at: datetime
    decided_at: datetime | None

    def leaves_out(self, moment: datetime | None) -> bool:
        """Whether mails leave it out: now, or at the ``moment`` for which a mail was first made."""
        if moment is None:
            return self.state != RELEASED
        is_released = self.state == RELEASED and self.decided_at is not None and self.decided_at <= moment
        return self.tripped_at <= moment and not is_released


def rename_of(change: FieldChange) -> Rename | None:
    """What a change may share with those of other studies; None for what is this study's own.

    Only what came in the place of something is a rename. Which fields may be shared stands in the table of changes.
    What is never mailed alone needs no breaker.
    """
    if change.field not in SHARED or change.weight <= Weight.HOUSEKEEPING:
        return None
    before, after = parts_of(change.before), parts_of(change.after)
    went, came = before - after, after - before
    return Rename(field=change.field, went=went, came=came) if went and came else None


def is_nothing_else(fields: Iterable[FieldChange], signatures: Collection[bytes]) -> bool:
    """Whether all that a reader would see of a Change are renames with these signatures."""
    renames = [rename_of(change) for change in fields if change.weight > Weight.HOUSEKEEPING]
    return bool(renames) and all(rename is not None and rename.signature in signatures for rename in renames)


def without(changes: Sequence[FieldChange], renames: Iterable[Rename]) -> tuple[FieldChange, ...]:
    """The changes as they are to somebody who knows these renames; what comes to nothing is gone."""
    left = list(changes)
    for rename in renames:
        left = [rest for change in left if (rest := _without(change, rename)) is not None]
    return tuple(left)


def with_missed(
    told: Sequence[FieldChange], since: Sequence[FieldChange], renames: Iterable[Rename]
) -> tuple[FieldChange, ...]:
    """What is told, and of what changed ``since`` some earlier state these renames, heaviest first.

    Args:
        told: what changed since the reader was last told.
        since: what changed since before the renames, to the same state; a rename that no longer holds is not in it.
        renames: those that mails left out meanwhile.
    """
    joined = list(told)
    for rename in renames:
        for change in since:
            if _includes(change, rename):
                _add(joined, change, rename)
    return tuple(sorted(joined, key=lambda change: -change.weight))


def parts_of(value: Value) -> Parts:
    """A value as texts with names; nothing for numbers, yes and no, which studies do not share."""
    return frozenset((name, squeezed(text) or "") for name, text in _named(value))


def _named(value: Value) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield "", value
    elif isinstance(value, list):
        yield from (("", text) for text in value)
    elif isinstance(value, dict):
        yield from ((name, text) for name, text in value.items() if text is not None)


def _includes(change: FieldChange, rename: Rename) -> bool:
    if change.field != rename.field:
        return False
    before, after = parts_of(change.before), parts_of(change.after)
    return rename.went <= before - after and rename.came <= after - before


def _without(change: FieldChange, rename: Rename) -> FieldChange | None:
    if not _includes(change, rename):
        return change
    known = _exchanged(change.before, rename.went, rename.came)
    return None if parts_of(known) == parts_of(change.after) else replace(change, before=known)


def _add(joined: list[FieldChange], change: FieldChange, rename: Rename) -> None:
    """Put a rename into what is told of the same thing already, or beside it."""
    for place, present in enumerate(joined):
        if (present.field, present.key) == (change.field, change.key):
            if rename.came <= parts_of(present.before):
                joined[place] = replace(present, before=_exchanged(present.before, rename.came, rename.went))
            return
    joined.append(replace(change, before=_exchanged(change.after, rename.came, rename.went)))


def _exchanged(value: Value, out: Parts, into: Parts) -> Value:
    """The value with some of its parts in the place of others."""
    if isinstance(value, list):
        kept = [text for text in value if ("", squeezed(text)) not in out]
        return kept + sorted(text for _name, text in into)
    if isinstance(value, dict):
        return {**value, **{name: None for name, _text in out}, **dict(into)}
    return next(text for _name, text in into)
