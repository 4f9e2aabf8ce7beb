"""Reads the lines of who may join: how far in each stands, its bullet, and under which other line it belongs."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its bullet; ``bullet`` is the kind of it, such as ``*``, ``1.`` or ``a)``, empty for none."""

    indent: int
    bullet: str
    text: str
    after_blank: bool


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
_ROUND, _DASH = re.compile(r"[*•●·∙\uf0b7]+"), re.compile(r"[–—-]+")
_ROMAN, _LETTER, _NUMBER = re.compile(r"\b[ivx]+\b"), re.compile(r"\b[a-z]\b"), re.compile(r"\d+(?:\.\d+)*[a-z]?")
_OPENS = re.compile(r"(?::|\bas follows|\bdefined (?:as|by)|\b(?:the|of) following)\W{0,2}$", re.IGNORECASE)
_MOST_WORDS_OF_LABEL = 3
_UNORDERED = frozenset("*-o")


def lines_of(text: str) -> Iterator[Line]:
    """The lines of a text that say something, in order."""
    blank = True
    for raw in _TURN_AT_END.sub(r"\1\n\2", _TURN.sub("\n", text.replace("\t", "  "))).split("\n"):
        bare = raw.strip()
        if not bare:
            blank = True
            continue
        content = without_bullets(bare)
        if content:
            bullet = _kind(bare[: len(bare) - len(content)])
            yield Line(len(raw) - len(raw.lstrip()), bullet, content, blank)
            blank = False


def without_bullets(line: str) -> str:
    """A line without its bullet or number, or both, as in ``* 1. Adults``."""
    for _ in range(2):
        match = _BULLET.match(line)
        if match is None:
            break
        line = line[match.end() :]
    return line.strip()


def indented(lines: Sequence[Line]) -> list[Line]:
    """The lines of one list, with those further in that plainly belong to another one but are not indented.

    That is a line without a bullet right under one that has one; and under one that opens a list, as with a colon, what
    has bullets of another kind, or stands by itself between two blank lines.
    """
    deeper = [0] * len(lines)
    for at, line in enumerate(lines):
        end = _end_of_part(lines, at) if line.bullet else at + 1
        for below in range(at + 1, end):
            deeper[below] += 1
    return [replace(line, indent=line.indent + by) if by else line for line, by in zip(lines, deeper, strict=True)]


def _kind(bullet: str) -> str:
    plain = _DASH.sub("-", _ROUND.sub("*", "".join(bullet.split())))
    return _LETTER.sub("a", _ROMAN.sub("i", _NUMBER.sub("1", plain)))


def _end_of_part(lines: Sequence[Line], at: int) -> int:
    """Where that ends which belongs to a line with a bullet; one that opens the whole list keeps none of it."""
    opener, end = lines[at], at + 1
    while end < len(lines) and _goes_on(lines, end):
        end += 1
    if end == len(lines) or not _OPENS.search(opener.text) or lines[end].indent != opener.indent:
        return end
    last = _end_of_sublist(lines, at, end)
    return end if at == 0 and last == len(lines) else last


def _goes_on(lines: Sequence[Line], at: int) -> bool:
    """Whether a line goes on with the one above: it has no bullet, stands right under it, and opens no list itself."""
    line = lines[at]
    is_label = line.text.endswith(":") and at + 1 < len(lines) and bool(lines[at + 1].bullet)
    return not line.bullet and not line.after_blank and not is_label


def _end_of_sublist(lines: Sequence[Line], at: int, start: int) -> int:
    first, opener = lines[start], lines[at]
    if not first.bullet:
        return _end_of_paragraph(lines, start)
    if first.bullet != opener.bullet:
        return _end_of_other_bullets(lines, at, start)
    is_label = len(opener.text.split()) <= _MOST_WORDS_OF_LABEL
    if not first.after_blank or is_label or opener.bullet not in _UNORDERED:
        return start
    end = _end_of_block(lines, start)
    return end if end > start + 1 else start


def _end_of_paragraph(lines: Sequence[Line], start: int) -> int:
    """A paragraph counts where the list goes on after it; else it may as well be about all of the list."""
    end = _end_of_block(lines, start)
    alone = not any(line.bullet for line in lines[start:end]) and not lines[end - 1].text.endswith(":")
    return end if alone and end < len(lines) and lines[end].bullet else start


def _end_of_other_bullets(lines: Sequence[Line], at: int, start: int) -> int:
    """Bullets of the kind that comes first, and of those that open lists among them."""
    opener, kinds = lines[at], {lines[start].bullet}
    for end in range(start, len(lines)):
        line = lines[end]
        if _OPENS.search(lines[end - 1].text) and line.bullet not in {"", opener.bullet}:
            kinds.add(line.bullet)
        if line.indent <= opener.indent and line.bullet not in kinds and not _goes_on(lines, end):
            return end
        if line.indent < opener.indent:
            return end
    return len(lines)


def _end_of_block(lines: Sequence[Line], start: int) -> int:
    later = (at for at in range(start + 1, len(lines)) if lines[at].after_blank)
    return next(later, len(lines))
