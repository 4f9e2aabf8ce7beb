"""Joins a digest, as it is sent, from parts that were rendered and encoded before: frame, sections and studies.

What it gives is byte for byte what `templates.render_digest` gives, which renders and encodes the whole mail.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import count, pairwise
from operator import attrgetter
from typing import Any

from notifier.domain.digests import Card, Digest, Section
from notifier.domain.languages import spoken
from notifier.domain.tiers import ROOM, Room, Shape, choose_shapes, count_fitting
from notifier.emails import filters
from notifier.emails.keeping import kept
from notifier.emails.quoting import Fragment, Mould, mould, quoted
from notifier.emails.templates import (
    SEAM,
    Format,
    QuotedMail,
    ToldSection,
    ToldStudy,
    hollow_digest,
    render_digest,
    render_seams,
    render_study,
    render_subject,
)

KEPT_STUDIES = 8_192
KEPT_SECTIONS = 4_096
KEPT_FRAMES = 1_024

_STUDY, _NUMBER, _OWN_END, _END = "\ue001\n", "\ue002", "\ue003", "\ue004"
_PREFERENCES, _UNSUBSCRIBE = "\ue005", "\ue006"
_OWN = frozenset({"sections", "preferences_url", "unsubscribe_url", "one_click_url"})
_SHARED = tuple(field.name for field in fields(Digest) if field.name not in _OWN)
_shared_of = attrgetter(*_SHARED)
# What a gap may be filled with, see `mould`.
_FILLING = re.compile(r"(?:[-A-Za-z0-9._~:/]*[-A-Za-z0-9_]\n)*")
_SIGNS = re.compile(f"[{SEAM}-{_UNSUBSCRIBE}]")
_FORMS: tuple[Format, Format] = ("txt", "html")
_TIERS: tuple[Shape, ...] = ("card", "row", "link")
_TONES = {tone: rank for rank, tone in enumerate(filters.TONES)}

Own = tuple[int, int] | None
"""How long the number of a study and the reader's own link that ends it are, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """A digest without its sections, for all readers who are told as much at the same time of day."""

    subject: str
    heads: dict[Format, bytes]
    tails: dict[Format, Mould]
    size: int


@dataclass(frozen=True, slots=True)
class _Shell:
    """What stands before the studies of a section, and after them where the reader's own link ends it."""

    head: bytes
    end: Mould


@dataclass(frozen=True, slots=True)
class _Between:
    """What stands around the studies of any section: before the first, between each shape and the next, at the end."""

    first: bytes
    after: dict[tuple[Shape, Shape], Mould]
    last: Mould


@dataclass(frozen=True, slots=True)
class _Study:
    """One study of a digest, its parts, and the texts of the reader's own link, if it has one."""

    card: Card
    parts: "_Parts"
    own: Own
    texts: tuple[bytes, ...]


class _Parts(dict[tuple[Format, Shape], bytes]):
    """A study as it is sent, in each shape in which somebody is told of it."""

    def __init__(self, card: Card, language: str) -> None:
        super().__init__()
        self._card = card
        self._language = language

    def __missing__(self, key: tuple[Format, Shape]) -> bytes:
        self[key] = made = quoted(render_study(self._card, self._language, *key))
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """A digest of which is known in which shape each study is told; ``size`` is that of its HTML as it is sent.

    ``as_links`` is how much it would take if no study was more than a link.
    """

    digest: Digest
    sections: Sequence[Sequence[tuple[Shape, _Study]]]
    size: int
    as_links: int
    whole: QuotedMail | None = None
    """The mail itself where it could not be joined from parts."""


def can_join(digest: Digest) -> bool:
    """Whether the links of a digest can be put into what was encoded without them; those of ours can."""
    links = [digest.preferences_url, digest.unsubscribe_url]
    words = [digest.site_name, digest.postal_address, *digest.about]
    for section in digest.sections:
        words += (section.heading, section.reason)
        links += (section.end_url,) if section.end_url else ()
        links += (*section.ends, *(card.nct_id for card in section.cards)) if section.ends else ()
    return _FILLING.fullmatch("\n".join((*links, ""))) is not None and _SIGNS.search("".join(words)) is None


def shape_digest(digest: Digest, *, room: Room = ROOM) -> Shaped:
    """Choose in which shape each study is told, as `render_digest` does; where its links are unlike ours, by it."""
    if not can_join(digest):
        whole = render_digest(digest, room=room).as_sent()
        return Shaped(digest=digest, sections=(), size=len(whole.html), as_links=len(whole.html), whole=whole)
    language = spoken(digest.language)
    sections = [_studies_of(section, language) for section in digest.sections]
    studies = [study for section in sections for study in section]
    lengths = {study.own for study in studies}
    around = {(shape, own): _size_around(language, shape, own) for own in lengths for shape in _TIERS}

    def size_of(at: int, shape: Shape) -> int:
        study = studies[at]
        return len(study.parts["html", shape]) + around[shape, study.own]

    frame = _frame_of(digest).size
    taken = frame + sum(_most_around(section, language) for section in digest.sections)
    as_links = taken + sum(size_of(at, "link") for at in range(len(studies)))
    ranked = _ranked([study.card for study in studies])
    while True:
        shapes = choose_shapes(ranked, size_of, taken=taken, room=room)
        told = list(_told(sections, shapes))
        size = frame + sum(size_of(at, shape) for at, shape in shapes.items())
        size += sum(_around(one, some, language) for one, some in zip(digest.sections, told, strict=True))
        if size <= room.mail or set(shapes.values()) == {"link"}:
            return Shaped(digest=digest, sections=told, size=size, as_links=as_links)
        taken += size - room.mail


def join_digest(shaped: Shaped) -> QuotedMail:
    """The mail of a digest: its parts, the reader's own links in their gaps."""
    if shaped.whole is not None:
        return shaped.whole
    digest = shaped.digest
    frame = _frame_of(digest)
    links = (digest.preferences_url.encode(), digest.unsubscribe_url.encode())
    parts: dict[Format, list[bytes]] = {form: [frame.heads[form]] for form in _FORMS}
    for section, told in zip(digest.sections, shaped.sections, strict=True):
        for form in _FORMS:
            _join_section(parts[form], section, told, form, spoken(digest.language))
    text, html = (b"".join([*parts[form], frame.tails[form].fill(links)]) for form in _FORMS)
    return QuotedMail(subject=frame.subject, text=text, html=html)


def surely_tells_all(shaped: Shaped, *, room: Room) -> bool:
    """Whether one mail has room for all of a digest, seen at a glance; `count_told` looks closer."""
    if shaped.size <= room.mail // 2:
        return True
    most = shaped.as_links + _most_of_rolled_over(spoken(shaped.digest.language))
    return shaped.size <= room.mail and most <= room.mail - room.cards // 2


def count_told(digest: Digest, numbers: Sequence[str], *, room: Room = ROOM) -> int:
    """How many of a digest's studies one mail can tell, at least as links, if they are taken in this order.

    Half of the room for cards is kept for cards: a mail of nothing but links would not say what matters most.

    Args:
        digest: with all of them.
        numbers: the registry numbers of its studies, those first that must come first.
        room: what there is for the HTML.
    """
    language = spoken(digest.language)
    found = {one.card.nct_id: (one, section) for section in digest.sections for one in _studies_of(section, language)}
    begun: set[int] = set()
    sizes, more_as_cards = [_frame_of(digest).size], 0
    for number in numbers:
        study, section = found[number]
        shell = 0 if id(section) in begun else _most_around(section, language)
        begun.add(id(section))
        link, card = (
            len(study.parts["html", shape]) + _size_around(language, shape, study.own) for shape in ("link", "card")
        )
        sizes.append(link + shell)
        more_as_cards += card - link
    kept_for_cards = min(room.cards // 2, more_as_cards)
    return count_fitting([sizes[0] + sizes[1], *sizes[2:]], room=room.mail - kept_for_cards)


def _join_section(
    parts: list[bytes], section: Section, told: Sequence[tuple[Shape, _Study]], form: Format, language: str
) -> None:
    end = (section.end_url or "").encode()
    shell = _shell(form, language, section.heading, section.reason, len(end))
    tiers, own = _tiers_of(told), told[0][1].own
    between = _between(form, language, tiers, own, bool(end))
    parts += (shell.head, between.first)
    for at, (shape, study) in enumerate(told, start=1):
        if study.own != own:
            own = study.own
            between = _between(form, language, tiers, own, bool(end))
        after = between.after[shape, told[at][0]] if at < len(told) else between.last
        parts += (study.parts[form, shape], after.fill(study.texts))
    parts.append(shell.end.fill((end,)))


def _studies_of(section: Section, language: str) -> list[_Study]:
    if not section.ends:
        return [_Study(card, _parts_of(card, language), None, (b"", b"")) for card in section.cards]
    return [
        _Study(
            card,
            _parts_of(card, language),
            (len(card.nct_id), len(end)),
            (card.nct_id.encode(), end.encode()),
        )
        for card, end in zip(section.cards, section.ends, strict=True)
    ]


@kept(KEPT_STUDIES)
def _parts_of(card: Card, language: str) -> _Parts:
    return _Parts(card, language)


def _ranked(cards: Sequence[Card]) -> list[int]:
    """The studies by where they stand in the digest, those that matter most first."""
    return sorted(range(len(cards)), key=lambda at: (-cards[at].weight, _TONES[filters.known_tone(cards[at].tone)], at))


def _told(sections: Sequence[Sequence[_Study]], shapes: Mapping[int, Shape]) -> Iterator[list[tuple[Shape, _Study]]]:
    """Section by section what is told, cards first, then rows, then links."""
    at = count()
    for section in sections:
        told = [(shapes[next(at)], study) for study in section]
        yield sorted(told, key=lambda one: _TIERS.index(one[0]))


def _tiers_of(told: Sequence[tuple[Shape, _Study]]) -> tuple[Shape, ...]:
    return tuple(dict.fromkeys(shape for shape, _ in told))


def _most_around(section: Section, language: str) -> int:
    """What a section takes beside its studies, with the lines that lead to rows and links where it has several."""
    tiers = ("link",) if len(section.cards) == 1 else _TIERS
    return _size_of_shell(section, language, tiers)


def _around(section: Section, told: Sequence[tuple[Shape, _Study]], language: str) -> int:
    """The same for studies that are told in these shapes."""
    return _size_of_shell(section, language, _tiers_of(told))


def _size_of_shell(section: Section, language: str, tiers: tuple[Shape, ...]) -> int:
    shell = _shell("html", language, section.heading, section.reason, len(section.end_url or ""))
    return len(shell.head) + shell.end.size + _size_of_tiers(language, tiers, bool(section.end_url))


@kept(None)
def _size_of_tiers(language: str, tiers: tuple[Shape, ...], has_end: bool) -> int:
    """What stands around the studies of a section without what stands around each."""
    between = _between("html", language, tiers, None, has_end)
    sizes = sum(one.size for one in between.after.values())
    return len(between.first) + sizes + between.last.size - 2 * sum(between.after[tier, tier].size for tier in tiers)


@kept(None)
def _size_around(language: str, shape: Shape, own: Own) -> int:
    """What stands around one study of a section, as much as around the next."""
    return _between("html", language, (shape,), own, False).after[shape, shape].size


@kept(KEPT_SECTIONS)
def _shell(form: Format, language: str, heading: str, reason: str, end_length: int) -> _Shell:
    head, _studies, end = _taken_apart(form, language, heading, reason, ("card",), None, end_length > 0)
    return _Shell(quoted(head), mould(end, {_END: end_length}))


@kept(KEPT_SECTIONS)
def _between(form: Format, language: str, tiers: tuple[Shape, ...], own: Own, has_end: bool) -> _Between:
    _head, studies, _end = _taken_apart(form, language, "", "", tiers, own, has_end)
    first, *pieces = studies.split(_STUDY)
    number, own_end = own or (0, 0)
    after = [mould(piece, {_NUMBER: number, _OWN_END: own_end}) for piece in pieces]
    order = [tier for tier in tiers for _ in range(2)]
    return _Between(quoted(first), dict(zip(pairwise(order), after[:-1], strict=True)), after[-1])


def _taken_apart(  # noqa: PLR0913, PLR0917 - all that it depends on
    form: Format, language: str, heading: str, reason: str, tiers: tuple[Shape, ...], own: Own, has_end: bool
) -> tuple[str, str, str]:
    """A section with two studies in each of these shapes: what stands before them, with them, and after them."""
    told = ToldStudy(fragment=Fragment(_STUDY, b""), number=_NUMBER, end_url=_OWN_END if own else None)
    section = ToldSection(
        heading=heading,
        reason=reason,
        end_url=_END if has_end else None,
        cards=(told, told) if "card" in tiers else (),
        rows=(told, told) if "row" in tiers else (),
        links=(told, told) if "link" in tiers else (),
    )
    _before, *parts, _after = render_seams(form, hollow_digest(language), sections=(section,)).split(SEAM)
    if form == "txt":
        # Here the studies begin with the first of them.
        head = parts[0].partition(_STUDY)[0]
        parts[:1] = [head, parts[0].removeprefix(head)]
    end = parts.pop() if has_end else ""
    return parts[0], "".join(parts[1:]), end


@kept(None)
def _most_of_rolled_over(language: str) -> int:
    """What the sentence on studies that did not fit may take, with the end of another broken line."""
    without = hollow_digest(language)
    return _frame_of(replace(without, rolled_over=99_999)).size - _frame_of(without).size + 8


def _frame_of(digest: Digest) -> _Frame:
    return _frame(_shared_of(digest), len(digest.preferences_url), len(digest.unsubscribe_url))


@kept(KEPT_FRAMES)
def _frame(shared: tuple[Any, ...], preferences: int, unsubscribe: int) -> _Frame:
    digest = Digest(
        **dict(zip(_SHARED, shared, strict=True)),
        sections=(),
        preferences_url=_PREFERENCES,
        unsubscribe_url=_UNSUBSCRIBE,
        one_click_url="",
    )
    subject = render_subject("digest", digest)
    heads: dict[Format, bytes] = {}
    tails: dict[Format, Mould] = {}
    for form in _FORMS:
        head, *tail = render_seams(form, digest, subject=subject).split(SEAM)
        heads[form] = quoted(head)
        tails[form] = mould("".join(tail), {_PREFERENCES: preferences, _UNSUBSCRIBE: unsubscribe})
    return _Frame(subject=subject, heads=heads, tails=tails, size=len(heads["html"]) + tails["html"].size)
