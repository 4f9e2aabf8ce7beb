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

KEPT_STUDIES = 8_192

_TONES = {tone: rank for rank, tone in enumerate(filters.TONES)}


class _Encoded(dict[Shape, bytes]):
    """A study in one form, encoded in each shape in which somebody is told of it."""

    def __init__(self, card: Card, sheets: Sheets, form: Format) -> None:
        super().__init__()
        self._card = card
        self._sheets = sheets
        self._form = form

    def __missing__(self, shape: Shape) -> bytes:
        self[shape] = made = self._sheets.encode(self._card, self._form, shape)
        return made


class _Sizes(dict[Shape, int]):
    """How many bytes a study takes in each shape, with what stands around it."""

    def __init__(self, html: _Encoded, language: str, own: Own) -> None:
        super().__init__()
        self._html = html
        self._language = language
        self._own = own

    def __missing__(self, shape: Shape) -> int:
        self[shape] = made = len(self._html[shape]) + size_around(self._language, shape, self._own)
        return made


class Parts:
    """A study for all its readers: in both forms, and where it stands among others (``rank``).

    ``study`` is it where a reader has no link of their own to end it.
    """

    __slots__ = ("_language", "_sizes", "html", "rank", "study", "text")

    def __init__(self, card: Card, language: str) -> None:
        sheets = sheets_of(card, language)
        self._language = language
        self._sizes: dict[Own, _Sizes] = {}
        self.html = _Encoded(card, sheets, "html")
        self.text = _Encoded(card, sheets, "txt")
        self.rank = (-card.weight, _TONES[filters.known_tone(card.tone)])
        self.study = Study(self, None, (b"", b""), self.sizes(None))

    def sizes(self, own: Own) -> _Sizes:
        """How much it takes in each shape, with links of a reader's own of such lengths."""
        if own not in self._sizes:
            self._sizes[own] = _Sizes(self.html, self._language, own)
        return self._sizes[own]


class Study(NamedTuple):
    """One study of a digest, its parts, and the texts of the reader's own link, if it has one."""

    parts: Parts
    own: Own
    texts: tuple[bytes, ...]
    sizes: _Sizes


class Studies:
    """The studies in one language; a card that is the same object as before is not compared with others."""

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
        self._seen[id(card)] = found = parts_of(card, self._language).study, card
        return found


def _ended(study: Study, card: Card, end_url: str) -> Study:
    """A study with the reader's own link that ends it."""
    own = (len(card.nct_id), len(end_url))
    return Study(study.parts, own, (card.nct_id.encode(), end_url.encode()), study.parts.sizes(own))


@kept(None)
def studies_in(language: str) -> Studies:
    """The studies in a language."""
    return Studies(language)


@kept(KEPT_STUDIES)
def parts_of(card: Card, language: str) -> Parts:
    """A study in a language, the same parts for equal cards."""
    return Parts(card, language)
