"""Splits who may join into single criteria: those to meet, those that keep people out, and what stands beside both.

Registrants write the two lists in many shapes: with bullets, numbers or as paragraphs, nested, in several parts. What
is indented below a criterion belongs to it, as does what plainly is a part of it without that; numbers and bullets are
dropped, because they move with every edit.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from notifier.domain.criteria_lines import Line, indented, lines_of, without_bullets

INCLUSION = "inclusion"
EXCLUSION = "exclusion"
LISTS = frozenset({INCLUSION, EXCLUSION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Single criteria in the order of the record; ``rest`` is what stands outside both lists."""

    inclusion: tuple[str, ...] = ()
    exclusion: tuple[str, ...] = ()
    rest: str | None = None


@dataclass(frozen=True, slots=True)
class _Heading:
    side: str
    label: str | None
    content: str


_SIDE = r"(?P<{0}>non[- ]?inclusion|exclusions?|inclusions?)"
_CRITERIA = r"criteri(?:a|on|as|um)"
_OPENING = re.compile(
    rf"(?P<before>(?:[^\s:.;,]+ ){{0,8}}?){_SIDE.format('side')}(?P<joined>(?: ?(?:/|&|and) ?exclusions?)?)"
    rf" ?(?:{_CRITERIA}\b)?(?P<after>[^:.;]{{0,90}}?) ?(?P<colon>[:：.•]|$)(?P<content>.*)",
    re.IGNORECASE | re.DOTALL,
)
_PLAIN_WORD = re.compile(
    r"key|main|major|general|principal|primary|basic|core|abbreviated|full|the|patients?|subjects?|participants?|study"
    r"|selected|minimum|important|criteria|and|for|of|all|other|[-–•]"
)
_SENTENCE = re.compile(
    r"\b(?:not|may|apply|meets?|met|meeting|fulfil\w*|must|have|has|does|who|if|on|at|during|before|after|until|"
    r"satisf\w+|per|see|refer|an|in|by|any other)\b",
    re.IGNORECASE,
)
_ELIGIBLE = re.compile(r"\b(?:are|were|is|be|is considered)? ?eligible\b|\b(?:to|can) participate\b", re.IGNORECASE)
_INELIGIBLE = re.compile(r"\bineligible\b|\bnot (?:be )?eligible\b|\b(?:be|are|were) excluded\b", re.IGNORECASE)
_LIST_OF_ALL = re.compile(
    r"\b(?:all|any|each|none|following)\b.*\bcriteria\b.*:$|\bfollowing\b.{0,20}:$", re.IGNORECASE
)
_MOST_WORDS = 14
_MOST_WORDS_BESIDE = 8


@lru_cache(maxsize=512)
def split_criteria(text: str | None) -> Criteria | None:
    """The criteria of a text, un-escaped and with its indentation; None where it names neither list."""
    if not text:
        return None
    lines = tuple(lines_of(text))
    headings = _headings(lines)
    if not headings:
        return None
    first = min(headings)
    parts: dict[str, list[str]] = {INCLUSION: [], EXCLUSION: []}
    for start, end in _spans(sorted(headings), len(lines)):
        heading = headings[start]
        own = [Line(lines[start].indent, "", heading.content, True)] if heading.content else []
        label = [heading.label] if heading.label else []
        parts[heading.side] += [*label, *_items([*own, *indented(lines[start + 1 : end])])]
    before = _items(indented(lines[:first]))
    if before and not any(heading.side == INCLUSION for heading in headings.values()):
        parts[INCLUSION], before = before, []
    return Criteria(
        inclusion=tuple(parts[INCLUSION]), exclusion=tuple(parts[EXCLUSION]), rest="\n".join(before) or None
    )


def _headings(lines: Sequence[Line]) -> dict[int, _Heading]:
    found = {at: heading for at, line in enumerate(lines) if (heading := _heading(line))}
    outer = {heading.side for at, heading in found.items() if lines[at].indent == 0}
    found = {at: heading for at, heading in found.items() if lines[at].indent == 0 or heading.side not in outer}
    sides = {heading.side for heading in found.values()}
    for at, line in enumerate(lines):
        heading = _spoken_heading(line)
        if heading and heading.side not in sides and at not in found:
            found[at] = heading
    return found


def _heading(line: Line) -> _Heading | None:
    """What a line opens: ``Key Inclusion Criteria:`` and the like, perhaps with the first criterion behind it."""
    match = _OPENING.fullmatch(line.text.strip("*_# "))
    if match is None:
        return None
    title = line.text[: match.end("after")].strip("*_# ")
    has_colon = match["colon"] in {":", "："}
    content = match["content"].strip("*_ ")
    if content and not has_colon and not _is_plain(match["before"], match["after"]):
        return None
    criteria = re.search(_CRITERIA, title, re.IGNORECASE)
    words = len(title.split())
    if words > _MOST_WORDS or match["joined"] or (not criteria and (words > 2 or not (has_colon or words == 1))):
        return None
    if (line.bullet or not has_colon) and not _is_title(match["before"], match["after"]):
        return None
    if _SENTENCE.search(match["before"]) or (not has_colon and _SENTENCE.search(match["after"])):
        return None
    side = INCLUSION if match["side"].lower().startswith("inclusion") else EXCLUSION
    return _Heading(side, None if _is_plain(match["before"], match["after"]) else f"{title}:", without_bullets(content))


def _is_title(before: str, after: str) -> bool:
    """Whether a line without a colon names a list, rather than being a criterion that speaks of one."""
    if not before or _is_plain(before):
        return True
    return before[:1].isupper() and len(before.split()) + len(after.split()) <= _MOST_WORDS_BESIDE


def _is_plain(*parts: str) -> bool:
    words = " ".join(parts).casefold().replace("(", " ").replace(")", " ").split()
    return all(map(_PLAIN_WORD.fullmatch, words))


def _spoken_heading(line: Line) -> _Heading | None:
    """A sentence that opens a list, such as ``Women were ineligible if they:``."""
    if line.bullet or line.indent or not line.text.endswith(":") or len(line.text) > 200:
        return None
    if _INELIGIBLE.search(line.text):
        return _Heading(EXCLUSION, None, "")
    return _Heading(INCLUSION, None, "") if _ELIGIBLE.search(line.text) else None


def _spans(starts: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    return zip(starts, [*starts[1:], end], strict=True)


def _items(lines: Iterable[Line]) -> list[str]:
    """The criteria of one list: each outermost bullet or paragraph, with all that is indented below it."""
    lines = list(lines)
    outermost = min((line.indent for line in lines if line.bullet), default=0)
    groups: list[list[Line]] = []
    for line in lines:
        if groups and _belongs(line, groups[-1], outermost):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [item for group in groups for item in _criteria_of(group)]


def _belongs(line: Line, group: Sequence[Line], outermost: int) -> bool:
    if line.indent > max(outermost, group[0].indent if group[0].bullet else outermost):
        return True
    continues = not line.bullet and not line.after_blank
    return continues and (line.text[:1].islower() or (line.indent > 0 and bool(group[-1].bullet)))


def _criteria_of(group: Sequence[Line]) -> list[str]:
    """One criterion; but where its first line only opens the list, as in ``All of the following:``, each below it."""
    head, below = group[0], group[1:]
    if len(below) > 1 and head.text.endswith(":") and _LIST_OF_ALL.search(head.text) and below[0].bullet:
        return [head.text, *_items(below)]
    return ["".join((head.text, *(f"\n- {line.text}" if line.bullet else f" {line.text}" for line in below)))]
