"""Encodes studies as they are sent; what readers of all countries are told of one is rendered and encoded once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from notifier.domain.digests import Card
from notifier.domain.tiers import Shape
from notifier.emails.columns import wrapped
from notifier.emails.keeping import kept
from notifier.emails.quoting import quoted
from notifier.emails.scripts import foreign, isolated
from notifier.emails.templates import Format, render_study

KEPT_SHEETS = 8_192
"""Studies kept for readers of all countries; one in all its shapes takes some ten kilobytes."""

_MOST_PLACES = 16
_SIGNS = tuple(map(chr, range(0xE010, 0xE010 + _MOST_PLACES)))
_SIGN = re.compile(f"[{_SIGNS[0]}-{_SIGNS[-1]}]")


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A study in one shape, in whole lines: encoded up to its places and after them, ``around`` what stands by each.

    In a shape without places, all of it is ``before`` them.
    """

    before: bytes
    around: tuple[str, ...] = ()
    after: bytes = b""


class Sheets(dict[tuple[Format, Shape], _Sheet | None]):
    """A study in each shape in which somebody is told of it, whatever their country; None where it has to be plain.

    ``signs`` are those that stand for its places.
    """

    __slots__ = ("_card", "_language", "_signs")

    def __init__(self, card: Card, language: str, signs: tuple[str, ...]) -> None:
        super().__init__()
        self._card = card
        self._language = language
        self._signs = signs

    def __missing__(self, key: tuple[Format, Shape]) -> _Sheet | None:
        signs = self._signs if key[1] == "card" else ()
        self[key] = made = _sheet(render_study(self._card, self._language, *key), signs)
        return made

    def encode(self, card: Card, form: Format, shape: Shape) -> tuple[bytes, ...]:
        """One of these studies with the places of its card, in quoted-printable; see `templates.render_study`.

        In pieces, of which readers of all countries share those that are large.
        """
        sheet = self[form, shape]
        if sheet is None:
            return (quoted(render_study(card, self._language, form, shape)),)
        if not sheet.around:
            return (sheet.before,)
        lines = _html_lines(sheet.around, card.where) if form == "html" else _text_lines(sheet.around, card.where)
        return sheet.before, quoted(lines), sheet.after


def sheets_of(card: Card, language: str) -> Sheets:
    """What a card is encoded from.

    Where not all places are shown, readers of each country see others, and all else is the same.
    """
    if card.more_sites > 0 and 1 < len(card.where) <= _MOST_PLACES and all(map(str.strip, card.where)):
        signs = _SIGNS[: len(card.where)]
        return _sheets(replace(card, where=signs), language, signs)
    return _sheets(card, language, ())


@kept(KEPT_SHEETS)
def _sheets(card: Card, language: str, signs: tuple[str, ...]) -> Sheets:
    return Sheets(card, language, signs)


def _sheet(text: str, signs: tuple[str, ...]) -> _Sheet | None:
    """A rendered study taken apart where these signs stand; None where its own texts have such signs, too."""
    if tuple(_SIGN.findall(text)) != signs:
        return None
    if not signs:
        return _Sheet(quoted(text))
    begin = text.rindex("\n", 0, text.index(signs[0])) + 1
    end = text.index("\n", text.index(signs[-1])) + 1
    return _Sheet(quoted(text[:begin]), tuple(_SIGN.split(text[begin:end])), quoted(text[end:]))


def _html_lines(around: Sequence[str], places: Sequence[str]) -> str:
    """Each place as the templates have it, where its sign stood."""
    marked = (f"{place}{after}" for place, after in zip(map(foreign, places), around[1:], strict=True))
    return around[0] + "".join(marked)


def _text_lines(around: Sequence[str], places: Sequence[str]) -> str:
    """Each place in a line of its own, all beginning in one column, as `columns.aligned` has them."""
    indent = around[1].removeprefix("\n")
    firsts = (around[0], *[indent] * (len(places) - 1))
    lines = (wrapped(isolated(place), first, indent) for place, first in zip(places, firsts, strict=True))
    return "\n".join(lines) + "\n"
