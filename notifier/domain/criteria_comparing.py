"""Finds what changed about who may join, one criterion at a time."""

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache

from notifier.domain.aligning import ALIKE, align, as_read, fold, same_text
from notifier.domain.change_table import change_of
from notifier.domain.changes import FieldChange
from notifier.domain.criteria import EXCLUSION, INCLUSION, split_criteria

OUTSIDE = "outside"
"""The key of a change to what stands outside both lists; without it ``eligibility`` is the whole text."""

_SAME_SHARE = 0.6
_WHOLE_SHARE = 0.9
_FEWEST_WORDS = 4
_LONGEST_SPELLED = 80
_NESTED = re.compile(r"\n- ")
_GLUE = re.compile(r"[\s,;.:]*(?:[,;] ?and)?[\s,;.:]*$")
_SMALL_WORD = re.compile(
    r"an?|and|any|are|as|at|be|by|for|from|ha[sd]|have|history|in|is|known|must|not?|o[nfr]|one|patients?|participants?"
    r"|subjects?|prior|tha[nt]|the|to|who|will|with|within"
)
_SMALL = 0.3
_NUMBER = 0.5


def compare_criteria(before: str | None, after: str | None) -> Iterator[FieldChange]:
    """What a reader would see change about who may join, apart from ages and sex.

    One change for each criterion added, removed or reworded, in its list; numbers, bullets and order do not count. One
    that moved from one list to the other was removed and added. Where either text cannot be split into criteria, one
    change of the whole text.
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
    return _GLUE.sub("", (as_read(_NESTED.sub(" ", text)) or "").casefold())


def criteria_likeness(one: str, other: str) -> float:
    """How alike two criteria are, as `align` wants it: by the words they share, of which small words count little.

    A criterion that took in more words is still itself. Numbers count half: another age or dose is the same criterion.
    """
    first, second = sorted((criterion_as_read(one), criterion_as_read(other)))
    if len(second) <= _LONGEST_SPELLED and _spelled_alike(first, second):
        return 1.0
    words, others = _words(first), _words(second)
    shared = _weigh(words & others)
    total = _weigh(words) + _weigh(others)
    if not total:
        return 0.0
    share = 2 * shared / total
    if share >= _SAME_SHARE:
        return ALIKE + (1 - ALIKE) * (share - _SAME_SHARE) / (1 - _SAME_SHARE)
    fewer = min(words, others, key=_weigh)
    is_longer_now = _weigh(fewer) >= _FEWEST_WORDS and shared >= _WHOLE_SHARE * _weigh(fewer)
    return ALIKE if is_longer_now else 0.0


def _compare_list(field: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[FieldChange]:
    alignment = align(before, after, keys=(criterion_as_read,), likeness=criteria_likeness)
    for criterion in alignment.removed:
        yield change_of(field, criterion, None, key=criterion)
    for criterion in alignment.added:
        yield change_of(field, None, criterion, key=criterion)
    for old, new in alignment.pairs:
        if criterion_as_read(old) != criterion_as_read(new):
            yield change_of(field, old, new, key=new)


def _spelled_alike(first: str, second: str) -> bool:
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE


@lru_cache(maxsize=20_000)
def _words(text: str) -> Counter[str]:
    return Counter(fold(text).split())


def _weigh(words: Counter[str]) -> float:
    return sum(_weight(word) * count for word, count in words.items())


@lru_cache(maxsize=20_000)
def _weight(word: str) -> float:
    if any(sign.isdigit() for sign in word):
        return _NUMBER
    return _SMALL if _SMALL_WORD.fullmatch(word) else 1.0
