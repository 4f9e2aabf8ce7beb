"""Splits who may join into single criteria: those to meet, those that keep people out, and what stands beside both.

Registrants write the two lists in many shapes: with bullets, numbers or as paragraphs, nested, in several parts. What
is indented below a criterion belongs to it; numbers and bullets are dropped, because they move with every edit.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

INCLUSION = "inclusion"
EXCLUSION = "exclusion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Single criteria in the order of the record; ``rest`` is what stands outside both lists."""

    inclusion: tuple[str, ...] = ()
    exclusion: tuple[str, ...] = ()
    rest: str | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    indent: int
    bullet: bool
    text: str
    after_blank: bool


@dataclass(frozen=True, slots=True)
class _Heading:
    side: str
    label: str | None
    content: str


_BULLET = re.compile(
    r"(?:[*•●▪◦·‣○■□➢►∙\uf0b7–—-]+(?=[^\d\s]|\s)"
    r"|[(（]?\d{1,3}[a-z]?[.)）、](?=\D)"
    r"|\d{1,2}(?:\.\d{1,2}){1,3}[.)]?\s(?=[A-Z])"
    r"|[(（]?(?:[a-z]|[ivx]{1,4})[.)）](?=\s)"
    r"|[(（]\d{1,3}[)）]"
    r"|o\s(?=[A-Z]))\s*"
)
_TURN = re.compile(
    r"(?<=[.;:)\]!?]) +(?=(?:Key |Main )?(?:In|Ex)clusion [Cc]riteria ?:|(?:INCLUSION|EXCLUSION) CRITERIA\b)"
)
_TURN_AT_END = re.compile(r"^(\s*(?:[*•]|\d{1,3}[.)]) .{10,400}?) ((?:In|Ex)clusion Criteria ?:?)$", re.MULTILINE)
"""A heading that slipped into the line before it."""
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
    lines = tuple(_lines(text))
    headings = _headings(lines)
    if not headings:
        return None
    first = min(headings)
    parts: dict[str, list[str]] = {INCLUSION: [], EXCLUSION: []}
    for start, end in _spans(sorted(headings), len(lines)):
        heading = headings[start]
        own = [_Line(lines[start].indent, False, heading.content, True)] if heading.content else []
        label = [heading.label] if heading.label else []
        parts[heading.side] += [*label, *_items([*own, *lines[start + 1 : end]])]
    before = _items(lines[:first])
    if before and not any(heading.side == INCLUSION for heading in headings.values()):
        parts[INCLUSION], before = before, []
    return Criteria(
        inclusion=tuple(parts[INCLUSION]), exclusion=tuple(parts[EXCLUSION]), rest="\n".join(before) or None
    )


def _lines(text: str) -> Iterator[_Line]:
    blank = True
    for raw in _TURN_AT_END.sub(r"\1\n\2", _TURN.sub("\n", text.replace("\t", "  "))).split("\n"):
        bare = raw.strip()
        if not bare:
            blank = True
            continue
        content = _without_bullets(bare)
        if content:
            indent = len(raw) - len(raw.lstrip())
            yield _Line(indent, content != bare, content, blank)
            blank = False


def _without_bullets(line: str) -> str:
    """A line without its bullet or number, or both, as in ``* 1. Adults``."""
    for _ in range(2):
        match = _BULLET.match(line)
        if match is None:
            break
        line = line[match.end() :]
    return line.strip()


def _headings(lines: Sequence[_Line]) -> dict[int, _Heading]:
    found = {at: heading for at, line in enumerate(lines) if (heading := _heading(line))}
    outer = {heading.side for at, heading in found.items() if lines[at].indent == 0}
    found = {at: heading for at, heading in found.items() if lines[at].indent == 0 or heading.side not in outer}
    sides = {heading.side for heading in found.values()}
    for at, line in enumerate(lines):
        heading = _spoken_heading(line)
        if heading and heading.side not in sides and at not in found:
            found[at] = heading
    return found


def _heading(line: _Line) -> _Heading | None:
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
    return _Heading(
        side, None if _is_plain(match["before"], match["after"]) else f"{title}:", _without_bullets(content)
    )


def _is_title(before: str, after: str) -> bool:
    """Whether a line without a colon names a list, rather than being a criterion that speaks of one."""
    if not before or _is_plain(before):
        return True
    return before[:1].isupper() and len(before.split()) + len(after.split()) <= _MOST_WORDS_BESIDE


def _is_plain(*parts: str) -> bool:
    words = " ".join(parts).casefold().replace("(", " ").replace(")", " ").split()
    return all(map(_PLAIN_WORD.fullmatch, words))


def _spoken_heading(line: _Line) -> _Heading | None:
    """A sentence that opens a list, such as ``Women were ineligible if they:``."""
    if line.bullet or line.indent or not line.text.endswith(":") or len(line.text) > 200:
        return None
    if _INELIGIBLE.search(line.text):
        return _Heading(EXCLUSION, None, "")
    return _Heading(INCLUSION, None, "") if _ELIGIBLE.search(line.text) else None


def _spans(starts: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    return zip(starts, [*starts[1:], end], strict=True)


def _items(lines: Iterable[_Line]) -> list[str]:
    """The criteria of one list: each outermost bullet or paragraph, with all that is indented below it."""
    lines = list(lines)
    outermost = min((line.indent for line in lines if line.bullet), default=0)
    groups: list[list[_Line]] = []
    for line in lines:
        if groups and _belongs(line, groups[-1], outermost):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [item for group in groups for item in _criteria_of(group)]


def _belongs(line: _Line, group: Sequence[_Line], outermost: int) -> bool:
    if line.indent > max(outermost, group[0].indent if group[0].bullet else outermost):
        return True
    continues = not line.bullet and not line.after_blank
    return continues and (line.text[:1].islower() or (line.indent > 0 and group[-1].bullet))


def _criteria_of(group: Sequence[_Line]) -> list[str]:
    """One criterion; but where its first line only opens the list, as in ``All of the following:``, each below it."""
    head, below = group[0], group[1:]
    if len(below) > 1 and head.text.endswith(":") and _LIST_OF_ALL.search(head.text) and below[0].bullet:
        return [head.text, *_items(below)]
    return ["".join((head.text, *(f"\n- {line.text}" if line.bullet else f" {line.text}" for line in below)))]
