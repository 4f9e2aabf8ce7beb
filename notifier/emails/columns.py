"""Lays plain text out in lines of 72 columns, in which a wide character takes two."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from unicodedata import category, east_asian_width

COLUMNS = 72
WIDEST_LABEL = 18
"""A longer label would leave too little room beside it."""
KEPT_TEXTS = 1_024
"""How many laid out texts are kept: most of a mail's are the same for every reader."""

# Marks above or below a letter, and what only tells in which order letters stand.
_WITHOUT_WIDTH = frozenset({"Mn", "Me", "Cf"})
# Chinese and Japanese break between any two characters, but no line begins with what closes or ends with what opens.
_CLOSING, _OPENING = "、。，．！？：；）」』】》〉…ー々", "（「『【《〈"
_ALONE = f"[{_OPENING}]*[\u2e80-\u2fdf\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60][{_CLOSING}]*"
# A dot between two things stays with the first.
_UNIT = re.compile(f"(?:{_ALONE}|(?:(?!{_ALONE})\\S)+)(?: ·)?")
# Letters of the alphabets of Europe's west, with dashes and quotation marks: each takes a column, and words are what
# stands between spaces. Not among them is the dot that stays with what is before it.
_PLAIN = re.compile("[\x00-\xac\xae-\xb6\xb8-\u02ff\u2010-\u2027]*")
_WORD = re.compile(r"\S+(?: ·(?!\S))?")


def width_of(text: str) -> int:
    """How many columns a text takes."""
    if text.isascii() or _PLAIN.fullmatch(text):
        return len(text)
    return sum(2 if east_asian_width(one) in "WF" else category(one) not in _WITHOUT_WIDTH for one in text)


@lru_cache(maxsize=KEPT_TEXTS)
def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Plain text in lines of at most 72 columns, ``first`` before the first line and ``rest`` before the others.

    A word that is longer by itself, such as an address on the web, stays whole.
    """
    lines: list[str] = []
    for paragraph in filter(None, map(str.strip, text.splitlines())):
        lines += _filled(paragraph, rest if lines else first, rest)
    return "\n".join(lines)


def underlined(text: str, mark: str) -> str:
    """A heading in lines of at most 72 columns, with a line of marks below it that is as long."""
    heading = wrapped(text)
    return f"{heading}\n{mark * max(map(width_of, heading.splitlines()), default=0)}"


def aligned(pairs: Iterable[tuple[str, Iterable[str]]]) -> str:
    """Labels with their texts beside them, all texts beginning in one column, each text on a line of its own."""
    rows = [(f"{label}:", tuple(texts)) for label, texts in pairs]
    beside = min(max((width_of(label) for label, _ in rows), default=0), WIDEST_LABEL) + 2
    return "\n".join(line for label, texts in rows for line in _beside(label, texts, beside))


def _beside(label: str, texts: Iterable[str], beside: int) -> Iterator[str]:
    first, indent = label + " " * max(2, beside - width_of(label)), " " * beside
    for text in texts:
        yield wrapped(text, first, indent)
        first = indent


def _filled(paragraph: str, first: str, rest: str) -> list[str]:
    if paragraph.isascii() or _PLAIN.fullmatch(paragraph):
        return list(_filled_plainly(paragraph.split(), first, rest))
    lines: list[str] = []
    begun, line, taken = False, first, width_of(first)
    for space, unit in _units(paragraph):
        wide = width_of(space + unit)
        if begun and taken + wide > COLUMNS:
            lines.append(line)
            begun, line, taken = False, rest, width_of(rest)
        line += space + unit if begun else unit
        taken += wide
        begun = True
    return [*lines, line]


def _filled_plainly(words: Sequence[str], first: str, rest: str) -> Iterator[str]:
    """The same for words of which each letter takes a column."""
    line, taken, after = first + words[0], width_of(first) + len(words[0]) + 1, width_of(rest)
    for word in words[1:]:
        taken += len(word) + 1
        if taken > COLUMNS:
            yield line
            line, taken = rest + word, after + len(word) + 1
        else:
            line += f" {word}"
    yield line


def _units(paragraph: str) -> Iterator[tuple[str, str]]:
    """What must stay together, each with the space before it."""
    for word in _WORD.findall(paragraph):
        for place, unit in enumerate(_UNIT.findall(word)):
            yield (" " if place == 0 else ""), unit
