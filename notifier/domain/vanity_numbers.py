"""Finds telephone numbers that are spelled as words, such as 1-800-EXAMPLE."""

import re
from collections.abc import Iterator

from notifier.domain import phone_cues

Span = tuple[int, int]

_TOLL_FREE = r"8(?:00|33|44|55|66|77|88)"
_SPELLED = re.compile(
    rf"(?P<one>\+?1[-. ]{{1,2}})?\(?(?P<area>{_TOLL_FREE}|(?<=1[-. ])[2-9]\d\d|(?<=1[-. ]\()[2-9]\d\d)"
    r"(?P<gap>\)[-. ]?|[-.]| )(?P<word>(?:[-. ]?[\dA-Za-z]){7,16})(?![\w-])"
)
# Outside North America; only where it is called a telephone number.
_SPELLED_ABROAD = re.compile(r"(?:1[38]00|13|0800|0508)[- ][A-Z]{4,12}(?!\w)")
_HINT = re.compile(r"(?:8(?:00|33|44|55|66|77|88)|1[-. ]\(?[2-9]\d\d|1[38]00|13|0508)\)?[-. ][\d-]{0,4}[A-Za-z]")
_WORD = re.compile(r"(?=[\dA-Z.-]*[A-Z]{2})(?:[-.]?[\dA-Z]){7,14}(?![\w])")
_WORDS = re.compile(r"[A-Z]{2,8}(?: [A-Z]{2,8}){1,2}(?![\w-])")
_ANY_CASE = re.compile(r"(?=[\d-]{0,4}[A-Za-z]{2})(?:-?[\dA-Za-z]){7,12}(?![\w-])")


def may_be_vanity(text: str) -> Iterator[Span]:
    """A cheap look: where one may stand; nowhere else does."""
    return (found.span() for found in _HINT.finditer(text))


def find_vanity_numbers(text: str) -> list[Span]:
    """Where they stand, in order.

    With hyphens or dots the notation tells; with spaces alone, `1 800 PATIENTS` is one only if it is called one.
    """
    if _HINT.search(text) is None:
        return []
    spans = [span for found in _SPELLED.finditer(text) if (span := _span_of(text, found))]
    abroad = (found.span() for found in _SPELLED_ABROAD.finditer(text) if _is_called(text, found.start()))
    return sorted(
        {*spans, *(span for span in abroad if not any(span[0] < end and start < span[1] for start, end in spans))}
    )


def _span_of(text: str, found: re.Match[str]) -> Span | None:
    start = found.start()
    if re.match(r"[\w.-]", text[start - 1 : start]):
        return None
    called = _is_called(text, start)
    is_tight = found["gap"].endswith(("-", ".")) and "  " not in (found["one"] or "")
    word = _WORD.match(text, found.start("word"))
    if word and (is_tight or called or (")" in found["gap"] and re.search(r"\d|-", word[0]))):
        return start, word.end()
    if called and (words := _WORDS.match(text, found.start("word"))):
        return start, words.end()
    is_mixed = called or (found["one"] is not None and is_tight)
    anyhow = _ANY_CASE.match(text, found.start("word")) if is_mixed and is_tight else None
    return (start, anyhow.end()) if anyhow else None


def _is_called(text: str, start: int) -> bool:
    return phone_cues.cue_before(text, start, 0) is not None
