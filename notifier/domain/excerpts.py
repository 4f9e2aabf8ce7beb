"""Cuts long texts down to where they differ, at word borders."""

import re
from collections import Counter
from difflib import SequenceMatcher
from itertools import takewhile

from notifier.domain.aligning import squeezed

LONGEST = 300
ELLIPSIS = "…"

_MOST_LINES = 6
_FEWEST_LINES = 2
_SHORTEST_LINE = 90
_MOST_PAIRS = 200
_REWORDED = 0.6
_SENTENCE_END = re.compile(r"[.!?][\"”’)\]]?(?=\s|$)")
_BULLET = re.compile(r"^\s*(?:[*•·–-]|\(?\d{1,2}[.)]|[a-z][.)])\s+")


def clipped(text: str, longest: int = LONGEST) -> str:
    """The beginning of a text, ended at a word border with an ellipsis where it is longer."""
    if len(text) <= longest:
        return text
    head = text[: longest - 1]
    return (head[: head.rfind(" ")] if " " in head[longest // 2 :] else head).rstrip(" ,;:") + ELLIPSIS


def first_sentences(text: str, longest: int) -> str:
    """As many whole sentences as fit; words where not even one fits."""
    if len(text) <= longest:
        return text
    ends = [match.end() for match in _SENTENCE_END.finditer(text[: longest + 1]) if match.end() <= longest]
    return text[: ends[-1]] if ends and ends[-1] >= longest // 3 else clipped(text, longest)


def around_difference(before: str, after: str, longest: int = LONGEST) -> tuple[str, str]:
    """Both texts around the place where they first differ, at most so many characters each."""
    if max(len(before), len(after)) <= longest:
        return before, after
    before, after = squeezed(before) or "", squeezed(after) or ""
    start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    border = before.rfind(" ", 0, max(0, start - longest // 5)) + 1
    lead = ELLIPSIS if border else ""
    return lead + clipped(before[border:], longest - 1), lead + clipped(after[border:], longest - 1)


def line_differences(before: str, after: str) -> tuple[str | None, str | None] | None:
    """The lines taken out and the lines put in, where both texts are lists of lines; None where they are not.

    A line that was reworded is shown around its first difference, at the same height on both sides.
    """
    old, new = _lines(before), _lines(after)
    if min(len(old), len(new)) < _FEWEST_LINES:
        return None
    common = Counter(old) & Counter(new)
    gone, come = _take_away(old, common), _take_away(new, common)
    if not gone and not come:
        return None
    each = max(_SHORTEST_LINE, LONGEST // max(1, min(max(len(gone), len(come)), _MOST_LINES)) - 1)
    pairs = _reworded(gone, come)
    shown = [around_difference(line, other, each) for line, other in pairs]
    removed = [line for line in gone if line not in {line for line, _ in pairs}]
    added = [line for line in come if line not in {line for _, line in pairs}]
    return (
        _joined([line for line, _ in shown] + [clipped(line, each) for line in removed]),
        _joined([line for _, line in shown] + [clipped(line, each) for line in added]),
    )


def _reworded(gone: list[str], come: list[str]) -> list[tuple[str, str]]:
    if len(gone) * len(come) > _MOST_PAIRS:
        return []
    pairs, left = [], list(come)
    for line in gone:
        likeness = {other: SequenceMatcher(None, line, other, autojunk=False).ratio() for other in left}
        best = max(likeness, key=likeness.__getitem__, default=None)
        if best is not None and likeness[best] >= _REWORDED:
            left.remove(best)
            pairs.append((line, best))
    return pairs


def _lines(text: str) -> list[str]:
    lines = (squeezed(_BULLET.sub("", line)) for line in text.split("\n"))
    return [line for line in lines if line]


def _take_away(lines: list[str], common: Counter[str]) -> list[str]:
    waiting, left = common.copy(), []
    for line in lines:
        if waiting[line]:
            waiting[line] -= 1
        else:
            left.append(line)
    return left


def _joined(lines: list[str]) -> str | None:
    if not lines:
        return None
    return "\n".join([*lines[:_MOST_LINES], ELLIPSIS] if len(lines) > _MOST_LINES else lines)
