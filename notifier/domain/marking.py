"""Finds which words differ between two texts, and cuts long ones down to the places where they do."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from notifier.domain.digests import Piece
from notifier.domain.excerpts import ELLIPSIS, LONGEST, clipped

_TOKEN = re.compile(r"(\d+(?:[.,]\d+)+|\w+|[^\w\s])(\s*)")
_SENTENCE_ENDS = frozenset(".!?;")

# difflib's time grows with the square of what it compares: a text beyond these is compared by sentences, or not at all.
_MOST_CELLS = 90_000
_MOST_CELLS_IN_ALL = 300_000

_FEWEST_TOKENS_BETWEEN = 3
_LEAST_IN_COMMON = 0.3
_CONTEXT = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Both sides of a text in pieces; ``cut`` where only the places that differ are there.

    ``marked`` is False where the sides have too little in common for marks to help.
    """

    before: tuple[Piece, ...]
    after: tuple[Piece, ...]
    cut: bool
    marked: bool


@dataclass(frozen=True, slots=True)
class _Token:
    key: str
    text: str
    ends: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch that both sides share, or that stands on one side for what stands on the other."""

    old: str
    new: str
    same: bool


def mark(before: str, after: str, *, longest: int = LONGEST) -> Marked:
    """Two texts with the words that differ marked; where one is longer than ``longest``, only around those words."""
    before, after = _tidy(before), _tidy(after)
    cut = max(len(before), len(after)) > longest
    runs = list(_runs(_tokens(before), _tokens(after)))
    common = sum(len(run.old) for run in runs if run.same)
    if common * 2 < _LEAST_IN_COMMON * (len(before) + len(after)):
        shared = runs[0].old if runs[0].same else ""
        sides = [(Piece(_from_difference(text, shared, longest)),) for text in (before, after)]
        return Marked(before=sides[0], after=sides[1], cut=cut, marked=False)
    if cut:
        runs = list(_around_differences(runs, longest))
    return Marked(
        before=_pieces((run.old, not run.same) for run in runs),
        after=_pieces((run.new, not run.same) for run in runs),
        cut=cut,
        marked=True,
    )


def _from_difference(text: str, shared: str, longest: int) -> str:
    """The beginning of a text, or what follows a long stretch that is shared."""
    if len(text) <= longest or len(shared) <= longest // 2:
        return clipped(text, longest)
    start = text.rfind(" ", 0, len(shared) - _CONTEXT) + 1
    return ELLIPSIS + clipped(text[start:], longest - 1)


def text_of(pieces: Iterable[Piece]) -> str:
    """The text that pieces make up."""
    return "".join(piece.text for piece in pieces)


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in unicodedata.normalize("NFC", text).split("\n"))
    return "\n".join(line for line in lines if line)


def _tokens(text: str) -> list[_Token]:
    return [_Token(word, word + space, word in _SENTENCE_ENDS or "\n" in space) for word, space in _TOKEN.findall(text)]


def _runs(old: list[_Token], new: list[_Token]) -> Iterator[_Run]:
    """Shared and differing stretches in turn; a word or two between differences counts as differing."""
    waiting: list[tuple[str, str]] = []
    blocks = list(_blocks(old, new))
    for at, (i1, i2, j1, j2, same) in enumerate(blocks):
        inside = 0 < at < len(blocks) - 1
        if not same or (inside and i2 - i1 < _FEWEST_TOKENS_BETWEEN):
            waiting.append((_text(old[i1:i2]), _text(new[j1:j2])))
            continue
        yield from _differing(waiting)
        waiting = []
        yield _Run(_text(old[i1:i2]), _text(new[j1:j2]), same=True)
    yield from _differing(waiting)


def _differing(parts: list[tuple[str, str]]) -> Iterator[_Run]:
    if parts:
        yield _Run("".join(old for old, _ in parts), "".join(new for _, new in parts), same=False)


_Block = tuple[int, int, int, int, bool]


def _blocks(old: list[_Token], new: list[_Token]) -> Iterator[_Block]:
    """Stretches of both sides, by where they begin and end, and whether they are the same."""
    keys_old, keys_new = [token.key for token in old], [token.key for token in new]
    start = _shared(keys_old, keys_new)
    end = _shared(keys_old[start:][::-1], keys_new[start:][::-1])
    last_old, last_new = len(old) - end, len(new) - end
    if start:
        yield 0, start, 0, start, True
    middle = _Stretch(old, new, (start, last_old), (start, last_new))
    yield from _merged(middle.compared())
    if end:
        yield last_old, len(old), last_new, len(new), True


def _merged(blocks: Iterable[_Block]) -> Iterator[_Block]:
    held: _Block | None = None
    for block in blocks:
        if held and held[4] == block[4]:
            held = held[0], block[1], held[2], block[3], block[4]
            continue
        if held:
            yield held
        held = block
    if held:
        yield held


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What is left of two texts to compare."""

    old: list[_Token]
    new: list[_Token]
    in_old: tuple[int, int]
    in_new: tuple[int, int]

    def compared(self) -> Iterator[_Block]:
        """Word by word where that is quick, else sentence by sentence, and word by word within those."""
        if self.cells == 0:
            if max(self.in_old[1] - self.in_old[0], self.in_new[1] - self.in_new[0]):
                yield (*self.in_old, *self.in_new, False)
        elif self.cells <= _MOST_CELLS:
            yield from self._by_words()
        else:
            yield from self._by_sentences()

    @property
    def cells(self) -> int:
        return (self.in_old[1] - self.in_old[0]) * (self.in_new[1] - self.in_new[0])

    def _by_words(self) -> Iterator[_Block]:
        (a, _), (b, _) = self.in_old, self.in_new
        keys_old = [token.key for token in self.old[slice(*self.in_old)]]
        keys_new = [token.key for token in self.new[slice(*self.in_new)]]
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, keys_old, keys_new, autojunk=False).get_opcodes():
            yield a + i1, a + i2, b + j1, b + j2, tag == "equal"

    def _by_sentences(self) -> Iterator[_Block]:
        borders_old, borders_new = _borders(self.old, self.in_old), _borders(self.new, self.in_new)
        keys_old, keys_new = _sentences(self.old, borders_old), _sentences(self.new, borders_new)
        if len(keys_old) * len(keys_new) > _MOST_CELLS:
            yield (*self.in_old, *self.in_new, False)
            return
        left = _MOST_CELLS_IN_ALL
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, keys_old, keys_new, autojunk=False).get_opcodes():
            in_old, in_new = (borders_old[i1], borders_old[i2]), (borders_new[j1], borders_new[j2])
            inner = _Stretch(self.old, self.new, in_old, in_new)
            if tag == "replace" and inner.cells <= min(left, _MOST_CELLS):
                left -= inner.cells
                yield from inner.compared()
            else:
                yield (*in_old, *in_new, tag == "equal")


def _borders(tokens: list[_Token], within: tuple[int, int]) -> list[int]:
    """Where sentences begin, and where the last one ends."""
    ends = [at + 1 for at in range(*within) if tokens[at].ends and at + 1 < within[1]]
    return [within[0], *ends, within[1]]


def _sentences(tokens: list[_Token], borders: list[int]) -> list[tuple[str, ...]]:
    return [tuple(token.key for token in tokens[start:end]) for start, end in pairwise(borders)]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many members two sequences have in common at their beginning."""
    for at, (first, second) in enumerate(zip(one, other, strict=False)):
        if first != second:
            return at
    return min(len(one), len(other))


def _text(tokens: Sequence[_Token]) -> str:
    return "".join(token.text for token in tokens)


def _around_differences(runs: list[_Run], longest: int) -> Iterator[_Run]:
    """The runs with what is shared cut down to a little on either side of each difference, as many as fit."""
    room, shown = longest - len(ELLIPSIS), _Run("", "", same=True)
    for at, run in enumerate(runs):
        if run.same:
            old, new = (_cut(text, head=at > 0, tail=at < len(runs) - 1) for text in (run.old, run.new))
            shown = _Run(_after(shown.old, old), _after(shown.new, new), same=True)
        else:
            shown = _Run(clipped(run.old, max(room, 2)), clipped(run.new, max(room, 2)), same=False)
        needed = max(len(shown.old), len(shown.new))
        last = at >= len(runs) - 2
        if not last and needed + _CONTEXT > room and at > 1:
            yield _Run(ELLIPSIS, ELLIPSIS, same=True)
            return
        yield shown
        room -= needed


def _after(text: str, following: str) -> str:
    """What follows a text, without the full stop of a sentence whose end is cut off."""
    return following.lstrip(".,;:") if text.endswith(ELLIPSIS) else following


def _cut(text: str, *, head: bool, tail: bool) -> str:
    """What stands next to the differences before and after a shared stretch."""
    if len(text) <= _CONTEXT * (head + tail) + len(ELLIPSIS) * 4:
        return text
    first = text[: text.rfind(" ", 0, _CONTEXT) + 1] if head else ""
    last = text[-_CONTEXT:].partition(" ")[2] or text[-_CONTEXT:] if tail else ""
    return f"{first}{ELLIPSIS} {last}" if tail else f"{first}{ELLIPSIS}"


def _pieces(parts: Iterable[tuple[str, bool]]) -> tuple[Piece, ...]:
    """Pieces without empty ones; the space after a marked word is not marked."""
    pieces: list[Piece] = []
    for text, marked in parts:
        word = text.rstrip() if marked else text
        space = text[len(word) :]
        for each, is_marked in ((word, marked), (space, False)):
            if not each:
                continue
            if pieces and pieces[-1].marked == is_marked:
                pieces[-1] = Piece(pieces[-1].text + each, is_marked)
            else:
                pieces.append(Piece(each, is_marked))
    return tuple(pieces)
