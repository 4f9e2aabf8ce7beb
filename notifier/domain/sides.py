"""The two sides of a change as they are said, with the words marked that differ."""

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.domain.digests import Piece
from notifier.domain.excerpts import LONGEST
from notifier.domain.marking import mark, text_of
from notifier.domain.vocabulary import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """How it was, how it is now, and one more sentence; the marks are the same two texts in pieces."""

    before: str | None = None
    after: str | None = None
    note: str | None = None
    before_marks: tuple[Piece, ...] = ()
    after_marks: tuple[Piece, ...] = ()


def text_sides(before: str, after: str, speech: Language, *, longest: int = LONGEST) -> Sides:
    """Both versions of a text with what differs marked; long ones only where they differ, which is said."""
    found = mark(before, after, longest=longest)
    return sides_of(
        found.before,
        found.after,
        note=speech.sentence("only_differences") if found.cut else None,
    )


def sides_of(before: Sequence[Piece], after: Sequence[Piece], *, note: str | None = None) -> Sides:
    """Sides made of pieces; without marks where nothing is marked, None where a side is empty."""
    marked = any(piece.marked for piece in (*before, *after))
    return Sides(
        before=text_of(before) or None,
        after=text_of(after) or None,
        note=note,
        before_marks=tuple(before) if marked and before else (),
        after_marks=tuple(after) if marked and after else (),
    )


def joined(lines: Sequence[Sequence[Piece]]) -> tuple[Piece, ...]:
    """Lines of pieces, one below the other."""
    pieces: list[Piece] = []
    for line in lines:
        if pieces and line:
            pieces.append(Piece("\n"))
        pieces.extend(line)
    return tuple(pieces)
