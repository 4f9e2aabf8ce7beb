"""Finds what changed about the groups of a study, what they get and what is measured."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from notifier.domain.aligning import align, as_read, fold, text_likeness, words_likeness
from notifier.domain.change_table import MEMBERS, Field, change_of
from notifier.domain.changes import FieldChange
from notifier.domain.trials import Arm, Intervention, Outcome, TrialFacts

Member: TypeAlias = Arm | Intervention | Outcome

_PARTS: dict[type, tuple[str, ...]] = {
    Arm: ("label", "kind", "description", "interventions"),
    Intervention: ("name", "kind", "description", "other_names"),
    Outcome: ("measure", "time_frame", "description"),
}
_PLACE_IN_PLAN = re.compile(r"^(?:(?:arm|cohort|part|group|phase|stage) \w{1,3} )+(?=\w)")
_SENTENCE = 40
_LONG_ENOUGH = 30
"""A description of fewer letters does not tell what it describes."""


def compare_members(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    """What a reader would see change about arms, interventions and outcomes.

    A member is known by its name; one whose name was written anew, by a description no other one has.
    """
    for row in MEMBERS:
        old, new = getattr(before, row.fact), getattr(after, row.fact)
        if old != new:
            yield from _compare_lists(row, old, new)


def member_as_read(member: Member) -> tuple[object, ...]:
    """What a reader sees of a member, in the form in which it is compared."""
    return tuple(_part_as_read(getattr(member, part)) for part in _PARTS[type(member)])


def _compare_lists(row: Field, before: tuple[Member, ...], after: tuple[Member, ...]) -> Iterator[FieldChange]:
    name = row.known_by[-1]

    def known_by(member: Member) -> tuple[str, ...]:
        return tuple(fold(getattr(member, part)) for part in row.known_by)

    def named(member: Member) -> str:
        return fold(getattr(member, name))

    def likeness(one: Member, other: Member) -> float:
        return _names_alike(getattr(one, name), getattr(other, name))

    described = _described(before, after)
    alignment = align(before, after, keys=(member_as_read, known_by, named, described), likeness=likeness)
    for member in alignment.removed:
        yield change_of(row.name, _shown(member), None, key=getattr(member, name))
    for member in alignment.added:
        yield change_of(row.name, None, _shown(member), key=getattr(member, name))
    for old, new in alignment.pairs:
        if member_as_read(old) != member_as_read(new):
            yield change_of(row.name, _shown(old), _shown(new), key=getattr(new, name))


def _names_alike(one: str, other: str) -> float:
    """Alike is an edited name, one that gained or lost its ``Part 1:``, and a long sentence reworded."""
    if _PLACE_IN_PLAN.sub("", fold(one)) == _PLACE_IN_PLAN.sub("", fold(other)):
        return 1.0
    if min(len(one), len(other)) >= _SENTENCE:
        return words_likeness(one, other)
    return text_likeness(one, other)


def _described(*sides: Iterable[Member]) -> Callable[[Member], str | None]:
    """The key that is a member's description, where it is long enough and no other member of its list has the same."""
    counted = [Counter(_description(member) for member in members) for members in sides]

    def key(member: Member) -> str | None:
        description = _description(member)
        is_its_own = len(description) >= _LONG_ENOUGH and all(counts[description] <= 1 for counts in counted)
        return description if is_its_own else None

    return key


def _description(member: Member) -> str:
    return fold(member.description)


def _part_as_read(part: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
    return tuple(sorted({as_read(text) or "" for text in part})) if isinstance(part, tuple) else as_read(part)


def _shown(member: Member) -> dict[str, str | None]:
    shown: dict[str, str | None] = {}
    for part in _PARTS[type(member)]:
        value = getattr(member, part)
        shown[part] = "; ".join(sorted(value)) or None if isinstance(value, tuple) else value
    return shown
