"""What a Change is made of: fields, each with its registry path, before, after and weight."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

Value: TypeAlias = str | int | bool | dict[str, str | None] | list[str] | None
"""One side of a FieldChange: a text, a number, yes or no, a list, or a few named texts (a site, an outcome)."""


class Weight(IntEnum):
    """How much a change matters to a reader; a stop never ranks below an edit."""

    HOUSEKEEPING = 0
    CONTACTS = 10
    WORDING = 20
    SIZE_AND_DATES = 30
    MEASURES = 40
    ELIGIBILITY = 50
    RESULTS = 60
    SITE = 70
    RECRUITING = 80
    SAFETY_STOP = 90


IMPORTANT = Weight.ELIGIBILITY
"""From here up is important to anybody: stops, recruiting, sites, results, who may join."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One fact that changed.

    ``field`` is our name for the fact, ``path`` the registry's; ``key`` tells which member of a list
    (a site by facility and city, an outcome by its measure) and is empty for single facts. ``before`` is None for
    what was added, ``after`` is None for what was removed.
    """

    field: str
    path: str
    before: Value
    after: Value
    weight: Weight
    key: str = ""


FIRST_SEEN = "first_seen"
"""The field of the one FieldChange that a study's first appearance consists of."""


def heaviest(changes: tuple[FieldChange, ...]) -> Weight:
    """The weight of a Change: that of its heaviest field."""
    return max((change.weight for change in changes), default=Weight.HOUSEKEEPING)
