"""Finds what changed about who may join, one criterion at a time."""

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache

from notifier.domain.aligning import ALIKE, align, as_read, same_text, words_likeness
from notifier.domain.change_table import change_of
from notifier.domain.changes import FieldChange
from notifier.domain.criteria import EXCLUSION, INCLUSION, split_criteria

OUTSIDE = "outside"
"""The key of a change to what stands outside both lists; without it ``eligibility`` is the whole text."""

_LONGEST_SPELLED = 80
_NESTED = re.compile(r"\n- ")
_JOINS = " ,;.:)"
_JOINED = (", and", "; and", ",and", ";and")


def compare_criteria(before: str | None, after: str | None) -> Iterator[FieldChange]:
    """What a reader would see change about who may join, apart from ages and sex.

    One change for each criterion added, removed or reworded, in its list; numbers, bullets and order do not count. They
    come in the order of the newer text, those removed in that of the older one. A criterion that moved from one list to
    the other was removed and added. Where either text cannot be split into criteria, one change of the whole text.
    """
    if same_text(before, after):
        return
    old, new = split_criteria(before), split_criteria(after)
    if old is None or new is None:
        yield change_of("eligibility", before, after)
        return
    yield from _compare_list(INCLUSION, old.inclusion, new.inclusion)
    yield from _compare_list(EXCLUSION, old.exclusion, new.exclusion)
    if criterion_as_read(old.rest or "") != criterion_as_read(new.rest or ""):
        yield change_of("eligibility", old.rest, new.rest, key=OUTSIDE)


@lru_cache(maxsize=20_000)
def criterion_as_read(text: str) -> str:
    """A criterion as it is compared: without bullets, case, and the signs that only join it to the next one."""
    plain = as_read(_NESTED.sub(" ", text)) or ""
    bare = plain.rstrip(_JOINS)
    return bare[: -len("and")].rstrip(_JOINS) if bare.endswith(_JOINED) else bare


def criteria_likeness(one: str, other: str) -> float:
    """How alike two criteria are, as `align` wants it: by their spelling where they are short, else by their words."""
    first, second = sorted((criterion_as_read(one), criterion_as_read(other)))
    if len(second) <= _LONGEST_SPELLED and _spelled_alike(first, second):
        return 1.0
    return words_likeness(first, second)


def _compare_list(field: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[FieldChange]:
    common = Counter(before) & Counter(after)
    old, new = (tuple((Counter(criteria) - common).elements()) for criteria in (before, after))
    alignment = align(old, new, keys=(criterion_as_read,), likeness=criteria_likeness)
    reworded = [pair for pair in alignment.pairs if criterion_as_read(pair[0]) != criterion_as_read(pair[1])]
    found = [
        *((before.index(gone), change_of(field, gone, None, key=gone)) for gone in alignment.removed),
        *((after.index(new), change_of(field, None, new, key=new)) for new in alignment.added),
        *((after.index(new), change_of(field, old, new, key=new)) for old, new in reworded),
    ]
    yield from (change for _, change in sorted(found, key=lambda one: one[0]))


def _spelled_alike(first: str, second: str) -> bool:
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE
