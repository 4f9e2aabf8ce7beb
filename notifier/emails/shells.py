"""What stands around the studies of a section: the words above them, what is between them, and the link that ends it.

It is cut from what the template of a section gives for studies that are nothing but signs.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from notifier.domain.tiers import TIERS, Shape
from notifier.emails.columns import wrapped
from notifier.emails.framing import FORMS, has_signs
from notifier.emails.keeping import kept
from notifier.emails.quoting import Fragment, Mould, mould, quoted
from notifier.emails.scripts import foreign
from notifier.emails.templates import SEAM, Format, ToldSection, ToldStudy, render_section

KEPT_SHELLS = 8_192
KEPT_HEADINGS = 4_096
KEPT_BETWEEN = 4_096

_STUDY, _NUMBER, _OWN_END, _END, _REASON = "\ue001\n", "\ue002", "\ue003", "\ue004", "\ue008"

Own = tuple[int, int] | None
"""How long the number of a study and the reader's own link that ends it are, where there is one."""


@dataclass(frozen=True, slots=True)
class Between:
    """What stands around the studies of any section: before the first, between each shape and the next, at the end."""

    first: bytes
    after: dict[tuple[Shape, Shape], Mould]
    last: Mould


class Run(NamedTuple):
    """What stands before the studies of one shape and between two of them, in both forms."""

    text_before: bytes
    text_between: bytes
    html_before: bytes
    html_between: bytes


class Around:
    """What stands around the studies of any section in a language, with or without a link that ends it.

    ``shapes``, wherever they are asked for, are those in which a section tells its studies, in the order of `TIERS`.
    """

    def __init__(self, language: str, *, has_end: bool) -> None:
        self._language = language
        self._has_end = has_end
        self._sizes: dict[tuple[Shape, ...], int] = {}
        self._runs: dict[tuple[Shape, ...], tuple[list[Run], bytes, bytes]] = {}

    def between(self, form: Format, shapes: tuple[Shape, ...], own: Own) -> Between:
        """What stands around studies with a link of the reader's own each, or without."""
        return _between(form, self._language, shapes, own, self._has_end)

    def size(self, shapes: tuple[Shape, ...]) -> int:
        """What stands around the studies in the HTML, without what stands around each."""
        if shapes not in self._sizes:
            between = self.between("html", shapes, None)
            sizes = sum(one.size for one in between.after.values())
            each = 2 * sum(between.after[shape, shape].size for shape in shapes)
            self._sizes[shapes] = len(between.first) + sizes + between.last.size - each
        return self._sizes[shapes]

    def runs(self, shapes: tuple[Shape, ...]) -> tuple[list[Run], bytes, bytes]:
        """For studies without a link of the reader's own: what stands by each shape, and at the end of either form."""
        if shapes not in self._runs:
            text, html = (self.between(form, shapes, None) for form in FORMS)
            told = [(*one, *other) for one, other in zip(_runs(text, shapes), _runs(html, shapes), strict=True)]
            self._runs[shapes] = [Run(*one) for one in told], text.last.fill(()), html.last.fill(())
        return self._runs[shapes]


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands before the studies of a section, and after them where the reader's own link ends it.

    ``size`` is that of its HTML, and ``around`` what comes between it and the studies.
    """

    text_head: bytes
    html_head: bytes
    text_end: Mould
    html_end: Mould
    size: int
    around: Around


class _Words(NamedTuple):
    """What stands before and after the studies of a section."""

    head: str
    end: str


@kept(KEPT_SHELLS)
def shell_of(language: str, heading: str, reason: str, end_length: int) -> Shell | None:
    """What stands around any studies under these words; None where they cannot be joined."""
    if has_signs(heading, reason) or not reason.strip():
        return None
    words, ends = _words(language, heading, end_length > 0), _ends(language, heading, end_length)
    text_head = quoted(words["txt"].head.replace(_REASON, wrapped(reason)))
    html_head = quoted(words["html"].head.replace(_REASON, foreign(reason)))
    size = len(html_head) + ends["html"].size
    return Shell(text_head, html_head, ends["txt"], ends["html"], size, around_of(language, end_length > 0))


@kept(None)
def around_of(language: str, has_end: bool) -> Around:
    """What stands around studies in a language."""
    return Around(language, has_end=has_end)


@kept(None)
def size_around(language: str, shape: Shape, own: Own) -> int:
    """What stands around one study of a section in the HTML, as much as around the next."""
    return around_of(language, False).between("html", (shape,), own).after[shape, shape].size


@kept(KEPT_HEADINGS)
def _words(language: str, heading: str, has_end: bool) -> dict[Format, _Words]:
    """What stands under a heading; for the reason, which many readers have each in their own way, stands a sign."""
    section = _section(heading, _REASON, ("card",), None, has_end)
    return {
        form: _Words(head, end) for form in FORMS for head, _studies, end in [_taken_apart(form, language, section)]
    }


@kept(KEPT_HEADINGS)
def _ends(language: str, heading: str, end_length: int) -> dict[Format, Mould]:
    """What ends a section, with a gap for a link of this length."""
    words = _words(language, heading, end_length > 0)
    return {form: mould(words[form].end, {_END: end_length}) for form in FORMS}


def _runs(around: Between, shapes: tuple[Shape, ...]) -> list[tuple[bytes, bytes]]:
    """For each shape what stands before its studies and between two of them."""
    before = [around.first, *(around.after[pair].fill(()) for pair in pairwise(shapes))]
    return [(one, around.after[shape, shape].fill(())) for one, shape in zip(before, shapes, strict=True)]


@kept(KEPT_BETWEEN)
def _between(form: Format, language: str, shapes: tuple[Shape, ...], own: Own, has_end: bool) -> Between:
    _head, studies, _end = _taken_apart(form, language, _section("", "", shapes, own, has_end))
    first, *pieces = studies.split(_STUDY)
    number, own_end = own or (0, 0)
    after = [mould(piece, {_NUMBER: number, _OWN_END: own_end}) for piece in pieces]
    order = [shape for shape in shapes for _ in range(2)]
    return Between(quoted(first), dict(zip(pairwise(order), after[:-1], strict=True)), after[-1])


def _section(heading: str, reason: str, shapes: tuple[Shape, ...], own: Own, has_end: bool) -> ToldSection:
    """A section with two studies in each of these shapes, of which nothing but signs is told."""
    told = ToldStudy(fragment=Fragment(_STUDY, b""), number=_NUMBER, end_url=_OWN_END if own else None)
    cards, rows, links = ((told, told) if shape in shapes else () for shape in TIERS)
    end_url = _END if has_end else None
    return ToldSection(heading=heading, reason=reason, end_url=end_url, cards=cards, rows=rows, links=links)


def _taken_apart(form: Format, language: str, section: ToldSection) -> tuple[str, str, str]:
    """What stands before the studies of a section, with them, and after them."""
    _before, *parts, _after = render_section(form, language, section).split(SEAM)
    if form == "txt":
        # Here the studies begin with the first of them.
        head = parts[0].partition(_STUDY)[0]
        parts[:1] = [head, parts[0].removeprefix(head)]
    end = parts.pop() if section.end_url else ""
    return parts[0], "".join(parts[1:]), end
