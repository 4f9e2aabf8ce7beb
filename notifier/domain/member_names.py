"""Tells whether two names of groups, treatments or measures are one name, shorter here and longer there."""

import re

from notifier.domain.aligning import fold

_STEP = r"(?:arm|cohort|part|group|phase|stage)"
_PLACE_IN_PLAN = re.compile(rf"^(?:{_STEP} \w{{1,3}} )+(?=\w)")
_ONLY_A_PLACE = re.compile(rf"(?:{_STEP} \w{{1,3}} ?)+")
_OTHER_THING = frozenset({"and", "control", "no", "not", "placebo", "plus", "sham", "with", "without"})
_FEWEST_LETTERS = 3


def without_place(folded: str) -> str:
    """A folded name without its ``Part 1:`` or ``Arm A, cohort 2``."""
    return _PLACE_IN_PLAN.sub("", folded)


def is_name_within(one: str, other: str) -> bool:
    """Whether a name stands whole within another one, as ``CAR NK cells`` in ``anti-CD19 CAR NK cells``.

    What comes with a placebo, or together with something else, is another thing.
    """
    shorter, longer = sorted((fold(one), fold(other)), key=lambda name: (len(name), name))
    if len(shorter) < _FEWEST_LETTERS or f" {shorter} " not in f" {longer} ":
        return False
    more = f" {longer} ".replace(f" {shorter} ", " ", 1).split()
    return _ONLY_A_PLACE.fullmatch(shorter) is not None or _OTHER_THING.isdisjoint(more)
