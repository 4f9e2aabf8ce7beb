"""Finds what changed about the groups of a study, what they get and what is measured."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import TypeAlias

from notifier.domain.aligning import align, as_read, fold, text_likeness, words_likeness
from notifier.domain.change_table import MEMBERS, Field, change_of
from notifier.domain.changes import FieldChange
from notifier.domain.member_names import is_name_within, without_place
from notifier.domain.trials import Arm, Intervention, Outcome, TrialFacts

Member: TypeAlias = Arm | Intervention | Outcome
Uses: TypeAlias = Mapping[str, frozenset[str]]
"""The arms that get an intervention, by its name."""

_PARTS: dict[type, tuple[str, ...]] = {
    Arm: ("label", "kind", "description", "interventions"),
    Intervention: ("name", "kind", "description", "other_names"),
    Outcome: ("measure", "time_frame", "description"),
}
_SENTENCE = 40
_LONG_ENOUGH = 30
"""A description of fewer letters does not tell what it describes."""


def compare_members(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    """What a reader would see change about arms, interventions and outcomes.

    A member is known by its name. One whose name was written anew is known by a description no other one has, or
    because the one name is within the other, or because it alone is left and is used as before.
    """
    for row in MEMBERS:
        old, new = getattr(before, row.fact), getattr(after, row.fact)
        if old != new:
            yield from _compare_lists(row, old, new, uses={**_uses_of(before), **_uses_of(after)})


def member_as_read(member: Member) -> tuple[object, ...]:
    """What a reader sees of a member, in the form in which it is compared."""
    return tuple(_part_as_read(getattr(member, part)) for part in _PARTS[type(member)])


def _compare_lists(
    row: Field, before: tuple[Member, ...], after: tuple[Member, ...], *, uses: Uses
) -> Iterator[FieldChange]:
    keys = (member_as_read, _known_by(row), _folded_name, _described(before, after), _in_all)
    related = (_is_named_within, partial(_is_used_alike, uses))
    alignment = align(before, after, keys=keys, likeness=_names_alike, related=related)
    for member in alignment.removed:
        yield change_of(row.name, _shown(member), None, key=_name(member))
    for member in alignment.added:
        yield change_of(row.name, None, _shown(member), key=_name(member))
    for old, new in alignment.pairs:
        if member_as_read(old) != member_as_read(new):
            yield change_of(row.name, _shown(old), _shown(new), key=_name(new))


def _known_by(row: Field) -> Callable[[Member], tuple[str, ...]]:
    return lambda member: tuple(fold(getattr(member, part)) for part in row.known_by)


def _name(member: Member) -> str:
    name: str = getattr(member, _PARTS[type(member)][0])
    return name


def _folded_name(member: Member) -> str:
    return fold(_name(member))


def _in_all(member: Member) -> str:
    """Name and description as one text, whichever of the two a word stands in."""
    return without_place(f"{_folded_name(member)} {_description(member)}".strip())


def _names_alike(one: Member, other: Member) -> float:
    """Alike is an edited name, one that gained or lost its ``Part 1:``, and a long sentence reworded."""
    if without_place(_folded_name(one)) == without_place(_folded_name(other)):
        return 1.0
    name, other_name = _name(one), _name(other)
    if min(len(name), len(other_name)) >= _SENTENCE:
        return words_likeness(name, other_name)
    return text_likeness(name, other_name)


def _is_named_within(one: Member, other: Member) -> bool:
    return any(is_name_within(*names) for names in product(_names_of(one), _names_of(other)))


def _names_of(member: Member) -> tuple[str, ...]:
    return (_name(member), *(member.other_names if isinstance(member, Intervention) else ()))


def _is_used_alike(uses: Uses, one: Member, other: Member) -> bool:
    """Whether a group gets what another one got, or something else of the same kind is given to the same groups."""
    if isinstance(one, Arm) and isinstance(other, Arm):
        return bool(one.interventions) and (one.kind, set(one.interventions)) == (other.kind, set(other.interventions))
    if isinstance(one, Intervention) and isinstance(other, Intervention):
        groups = uses.get(fold(one.name))
        return bool(groups) and one.kind == other.kind and groups == uses.get(fold(other.name))
    return False


def _uses_of(facts: TrialFacts) -> Uses:
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for arm in facts.arms:
        for given in arm.interventions:
            groups[fold(given.partition(": ")[2])].add(fold(arm.label))
    return {name: frozenset(labels) for name, labels in groups.items()}


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
