"""The reviewed table of what is compared and what it weighs, from ``data/changes.toml``."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TypeAlias

from notifier.domain.changes import FieldChange, Value, Weight

Turn: TypeAlias = tuple[str | None, str | None]

NOTHING = "-"
_TABLE = tomllib.loads((files("notifier.domain") / "data" / "changes.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One kind of change: our name, the registry's path, the weight, and its place in the table.

    ``fact`` is the attribute of the facts it is read from, ``known_by`` what tells members of a list apart;
    ``shared``: one same change of it in many studies is no news of any of them. ``is_name``: it names an organisation.
    """

    name: str
    path: str
    weight: Weight
    rank: int
    fact: str
    known_by: tuple[str, ...] = ()
    shared: bool = False
    is_name: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A move of a field from one word to another; an empty side fits everything, ``-`` is nothing given."""

    field: str
    before: frozenset[str]
    after: frozenset[str]
    weight: Weight


def _fields(group: str, rank: int) -> tuple[Field, ...]:
    return tuple(
        Field(
            name=row["field"],
            path=row["path"],
            weight=Weight[row["weight"]],
            rank=rank + number,
            fact=row.get("fact", row["field"]),
            known_by=tuple(row.get("known_by", ())),
            shared=row.get("shared", False),
            is_name=row.get("compared_as") == "name",
        )
        for number, row in enumerate(_TABLE[group])
    )


OTHERS = {field.name: field for field in _fields("others", 0)}
FACTS = _fields("facts", 100)
MEMBERS = _fields("members", 200)
PLANNED = _fields("planned", 300)
SETS = _fields("sets", 400)
FIELDS = {field.name: field for field in (*OTHERS.values(), *FACTS, *MEMBERS, *PLANNED, *SETS)}
"""Every kind of change there is, by name."""

SHARED = frozenset(field.name for field in FIELDS.values() if field.shared)
"""Fields in which one same change in many studies is the registry's doing, such as a country renamed."""

TRANSITIONS = tuple(
    Transition(
        field=row["field"],
        before=frozenset(row.get("from", ())),
        after=frozenset(row.get("to", ())),
        weight=Weight[row["weight"]],
    )
    for row in _TABLE["transitions"]
)


def weight_of(field: str, before: Value, after: Value) -> Weight:
    """What a change of a field weighs: by the first of its transitions that fits, else what the field weighs."""
    for transition in TRANSITIONS:
        if transition.field == field and _fits(transition.before, before) and _fits(transition.after, after):
            return transition.weight
    return FIELDS[field].weight


def _fits(words: frozenset[str], side: Value) -> bool:
    word = NOTHING if side is None else side
    return not words or (isinstance(word, str) and word in words)


def change_of(field: str, before: Value, after: Value, *, key: str = "", turn: Turn | None = None) -> FieldChange:
    """A FieldChange with the path and the weight that the table gives it.

    ``turn`` is from what to what it went in the words of the table, where they are not the values themselves.
    """
    weight = weight_of(field, *(turn or (before, after)))
    return FieldChange(field=field, path=FIELDS[field].path, before=before, after=after, weight=weight, key=key)
