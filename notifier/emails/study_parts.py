"""A study as it is sent in each shape, made once for all digests that tell it, and how much room it takes."""

from collections.abc import Sequence
from typing import NamedTuple

from notifier.domain.digests import Card, Section
from notifier.domain.tiers import Shape
from notifier.emails import filters
from notifier.emails.keeping import kept
from notifier.emails.placing import Sheets, sheets_of
from notifier.emails.shells import Own, size_around
from notifier.emails.templates import Format

KEPT_STUDIES = 12_000
"""Studies kept in a language, one for each country where it matters; one takes some two kilobytes of its own."""

_TONES = {tone: rank for rank, tone in enumerate(filters.TONES)}


class _Encoded(dict[Shape, tuple[bytes, ...]]):
    """A study in one form, encoded in each shape in which somebody is told of it; in pieces."""

    __slots__ = ("_card", "_form", "_sheets")

    def __init__(self, card: Card, sheets: Sheets, form: Format) -> None:
        super().__init__()
        self._card = card
        self._sheets = sheets
        self._form = form

    def __missing__(self, shape: Shape) -> tuple[bytes, ...]:
        self[shape] = made = self._sheets.encode(self._card, self._form, shape)
        return made


class Sizes(dict[Shape, int]):
    """How many bytes a study takes in each shape, with what stands around it."""

    __slots__ = ("_by_own", "_html", "_language", "_own")

    def __init__(self, html: _Encoded, language: str, own: Own) -> None:
        super().__init__()
        self._html = html
        self._language = language
        self._own = own
        self._by_own: dict[Own, Sizes] | None = None

    def __missing__(self, shape: Shape) -> int:
        self[shape] = made = sum(map(len, self._html[shape])) + size_around(self._language, shape, self._own)
        return made

    def with_own(self, own: Own) -> "Sizes":
        """The same with links of a reader's own of such lengths."""
        if self._by_own is None:
            self._by_own = {}
        if own not in self._by_own:
            self._by_own[own] = Sizes(self._html, self._language, own)
        return self._by_own[own]


class Study(NamedTuple):
    """One study for all its readers: in both forms, where it stands among others, and how much room it takes.

    ``texts`` are those of the reader's own link that ends it, and ``own`` their lengths, where it has one.
    """

    text: _Encoded
    html: _Encoded
    rank: tuple[int, int]
    sizes: Sizes
    own: Own = None
    texts: tuple[bytes, ...] = (b"", b"")


class Studies:
    """The studies in one language, each made once; known by its card, which must be the same object as before."""

    def __init__(self, language: str) -> None:
        self._language = language
        # By the id of a card, which no other gets while it is held here.
        self._seen: dict[int, tuple[Study, Card]] = {}

    def of(self, section: Section) -> Sequence[Study]:
        """Those of a section."""
        seen = self._seen
        shared = [(seen.get(id(card)) or self._look_up(card))[0] for card in section.cards]
        if not section.ends:
            return shared
        return [_ended(one, card, end) for one, card, end in zip(shared, section.cards, section.ends, strict=True)]

    def _look_up(self, card: Card) -> tuple[Study, Card]:
        if len(self._seen) >= KEPT_STUDIES:
            self._seen = {}
        self._seen[id(card)] = found = _study(card, self._language), card
        return found


def _study(card: Card, language: str) -> Study:
    sheets = sheets_of(card, language)
    html = _Encoded(card, sheets, "html")
    rank = (-card.weight, _TONES[filters.known_tone(card.tone)])
    return Study(_Encoded(card, sheets, "txt"), html, rank, Sizes(html, language, None))


def _ended(study: Study, card: Card, end_url: str) -> Study:
    """A study with the reader's own link that ends it."""
    own = (len(card.nct_id), len(end_url))
    texts = (card.nct_id.encode(), end_url.encode())
    return Study(study.text, study.html, study.rank, study.sizes.with_own(own), own, texts)


@kept(None)
def studies_in(language: str) -> Studies:
    """The studies in a language."""
    return Studies(language)
