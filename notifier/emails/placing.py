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

KEPT_SHEETS = 4_096
"""Shapes of studies; a full set of one study takes some ten kilobytes."""

_FIRST_SIGN, _MOST_PLACES = 0xE010, 16
_SIGN = re.compile(f"[{chr(_FIRST_SIGN)}-{chr(_FIRST_SIGN + _MOST_PLACES - 1)}]")


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A study in one shape, in whole lines: encoded up to its places and after them, ``around`` what stands by each.

    In a shape without places, all of it is ``before`` them.
    """

    before: bytes
    around: tuple[str, ...] = ()
    after: bytes = b""


def encoded_study(card: Card, language: str, form: Format, shape: Shape) -> bytes:
    """A study in one shape as all its readers get it, in quoted-printable; see `templates.render_study`.

    Where not all places are shown, readers of each country see others, and all else is the same.
    """
    sheet = _sheet(_with_signs(card), language, form, shape) if _is_many(card) else None
    if sheet is None:
        return quoted(render_study(card, language, form, shape))
    if not sheet.around:
        return sheet.before
    lines = _html_lines(sheet.around, card.where) if form == "html" else _text_lines(sheet.around, card.where)
    return b"".join((sheet.before, quoted(lines), sheet.after))


def _is_many(card: Card) -> bool:
    return card.more_sites > 0 and 1 < len(card.where) <= _MOST_PLACES and all(map(str.strip, card.where))


@kept(KEPT_SHEETS)
def _with_signs(card: Card) -> Card:
    return replace(card, where=tuple(map(chr, range(_FIRST_SIGN, _FIRST_SIGN + len(card.where)))))


@kept(KEPT_SHEETS)
def _sheet(card: Card, language: str, form: Format, shape: Shape) -> _Sheet | None:
    """A study with signs for its places; None where its own texts have such signs in them, too."""
    text = render_study(card, language, form, shape)
    found = tuple(_SIGN.findall(text))
    if not found:
        return _Sheet(quoted(text))
    if found != card.where:
        return None
    begin = text.rindex("\n", 0, text.index(card.where[0])) + 1
    end = text.index("\n", text.index(card.where[-1])) + 1
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
