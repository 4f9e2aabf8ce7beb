"""Joins a digest, as it is sent, from parts that were rendered and encoded before: frame, sections and studies.

What it gives is byte for byte what `templates.render_digest` gives, which renders and encodes the whole mail.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from notifier.domain.digests import Card, Digest, Section
from notifier.domain.languages import spoken
from notifier.domain.tiers import ROOM, Room, Shape, choose_shapes, count_fitting
from notifier.emails import filters
from notifier.emails.framing import FORMS, Closing, Opening, closing_of, has_signs, opening_of
from notifier.emails.keeping import kept
from notifier.emails.placing import sheets_of
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
)

KEPT_STUDIES = 8_192
KEPT_SECTIONS = 4_096

_STUDY, _NUMBER, _OWN_END, _END = "\ue001\n", "\ue002", "\ue003", "\ue004"
# What a gap may be filled with, see `mould`.
_FILLING = re.compile(r"(?:[-A-Za-z0-9._~:/]*[-A-Za-z0-9_]\n)*")
_TIERS: tuple[Shape, ...] = ("card", "row", "link")
_TONES = {tone: rank for rank, tone in enumerate(filters.TONES)}

Own = tuple[int, int] | None
"""How long the number of a study and the reader's own link that ends it are, where there is one."""


@dataclass(frozen=True, slots=True)
class _Shell:
    """What stands before the studies of a section, and after them where the reader's own link ends it."""

    heads: dict[Format, bytes]
    ends: dict[Format, Mould]
    size: int


@dataclass(frozen=True, slots=True)
class _Between:
    """What stands around the studies of any section: before the first, between each shape and the next, at the end."""

    first: bytes
    after: dict[tuple[Shape, Shape], Mould]
    last: Mould


class _Parts(dict[tuple[Format, Shape], bytes]):
    """A study as it is sent, in each shape in which somebody is told of it.

    ``rank`` says where it stands among others, ``sizes`` how much it takes in each shape with what is around it, and
    ``study`` is it where a reader has no link of their own to end it.
    """

    def __init__(self, card: Card, language: str) -> None:
        super().__init__()
        self._card = card
        self._language = language
        self._sheets = sheets_of(card, language)
        self._sizes: dict[Own, _Sizes] = {}
        self.rank = (-card.weight, _TONES[filters.known_tone(card.tone)])
        self.study = _Study(self, None, (b"", b""), self.sizes(None))

    def __missing__(self, key: tuple[Format, Shape]) -> bytes:
        self[key] = made = self._sheets.encode(self._card, *key)
        return made

    def sizes(self, own: Own) -> "_Sizes":
        """How much it takes in each shape, with links of a reader's own of such lengths."""
        if own not in self._sizes:
            self._sizes[own] = _Sizes(self, self._language, own)
        return self._sizes[own]


class _Sizes(dict[Shape, int]):
    """How many bytes a study takes in each shape, with what stands around it."""

    def __init__(self, parts: _Parts, language: str, own: Own) -> None:
        super().__init__()
        self._parts = parts
        self._language = language
        self._own = own

    def __missing__(self, shape: Shape) -> int:
        self[shape] = made = len(self._parts["html", shape]) + _size_around(self._language, shape, self._own)
        return made


class _Study(NamedTuple):
    """One study of a digest, its parts, and the texts of the reader's own link, if it has one."""

    parts: _Parts
    own: Own
    texts: tuple[bytes, ...]
    sizes: _Sizes


Told = Sequence[tuple[Shape, Sequence[_Study]]]
"""The studies of a section by their shapes: cards first, then rows, then links."""


class _Block(NamedTuple):
    """A section: what stands around its studies, the reader's own link that ends it, and its studies."""

    shell: _Shell
    end: bytes
    studies: Sequence[_Study]

    def size(self, language: str, tiers: tuple[Shape, ...]) -> int:
        """What it takes beside its studies, told in these shapes."""
        return self.shell.size + _size_of_tiers(language, tiers, bool(self.end))

    def most(self, language: str) -> int:
        """The same before shapes are chosen, with the lines that lead to rows and links where it has several."""
        return self.size(language, _TIERS if len(self.studies) > 1 else ("link",))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The parts that a digest is joined from, and in which shape each study is told."""

    opening: Opening
    closing: Closing
    blocks: Sequence[_Block]
    told: Sequence[Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """A digest of which is known in which shape each study is told; ``size`` is that of its HTML as it is sent.

    ``as_links`` is how much it would take if no study was more than a link.
    """

    digest: Digest
    size: int
    as_links: int
    plan: _Plan | None
    whole: QuotedMail | None = None
    """The mail itself where it could not be joined from parts."""


def shape_digest(digest: Digest, *, room: Room = ROOM) -> Shaped:
    """Choose in which shape each study is told, as `render_digest` does; where it cannot be joined, by it."""
    opening, closing = opening_of(digest), closing_of(digest)
    blocks = _blocks_of(digest)
    if opening is None or closing is None or blocks is None or not _has_our_links(digest):
        whole = render_digest(digest, room=room).as_sent()
        return Shaped(digest=digest, size=len(whole.html), as_links=len(whole.html), plan=None, whole=whole)
    language = spoken(digest.language)
    studies = [study for block in blocks for study in block.studies]
    sizes = [study.sizes for study in studies]
    frame = opening.size + closing.size
    taken = frame + sum([block.most(language) for block in blocks])
    as_links = taken + sum([one["link"] for one in sizes])
    ranks = [study.parts.rank for study in studies]
    ranked = sorted(range(len(studies)), key=ranks.__getitem__)
    while True:
        shapes = choose_shapes(ranked, lambda at, shape: sizes[at][shape], taken=taken, room=room)
        told = list(_told(blocks, shapes))
        size = frame + sum([sizes[at][shape] for at, shape in shapes.items()])
        size += sum([block.size(language, _tiers_of(some)) for block, some in zip(blocks, told, strict=True)])
        if size <= room.mail or set(shapes.values()) == {"link"}:
            plan = _Plan(opening=opening, closing=closing, blocks=blocks, told=told)
            return Shaped(digest=digest, size=size, as_links=as_links, plan=plan)
        taken += size - room.mail


def join_digest(shaped: Shaped) -> QuotedMail:
    """The mail of a digest: its parts, the reader's own links in their gaps."""
    if shaped.plan is None:
        assert shaped.whole is not None
        return shaped.whole
    plan, digest = shaped.plan, shaped.digest
    language = spoken(digest.language)
    links = (digest.preferences_url.encode(), digest.unsubscribe_url.encode())
    made: dict[Format, bytes] = {}
    for form in FORMS:
        parts = [*plan.opening.parts[form]]
        for block, told in zip(plan.blocks, plan.told, strict=True):
            _join_section(parts, block, told, form, language)
        parts.append(plan.closing.moulds[form].fill(links))
        made[form] = b"".join(parts)
    return QuotedMail(subject=plan.opening.subject, text=made["txt"], html=made["html"])


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
    opening, closing, blocks = opening_of(digest), closing_of(digest), _blocks_of(digest)
    if opening is None or closing is None or blocks is None:
        return len(numbers)
    found = {
        card.nct_id: (study.sizes, at)
        for at, (section, block) in enumerate(zip(digest.sections, blocks, strict=True))
        for card, study in zip(section.cards, block.studies, strict=True)
    }
    begun: set[int] = set()
    sizes, more_as_cards = [opening.size + closing.size], 0
    for number in numbers:
        study, at = found[number]
        shell = 0 if at in begun else blocks[at].most(language)
        begun.add(at)
        sizes.append(study["link"] + shell)
        more_as_cards += study["card"] - study["link"]
    kept_for_cards = min(room.cards // 2, more_as_cards)
    return count_fitting([sizes[0] + sizes[1], *sizes[2:]], room=room.mail - kept_for_cards)


def _has_our_links(digest: Digest) -> bool:
    """Whether the links of a digest can be put into what was encoded without them; those of ours can."""
    links = [digest.preferences_url, digest.unsubscribe_url]
    for section in digest.sections:
        links += (section.end_url,) if section.end_url else ()
        links += (*section.ends, *(card.nct_id for card in section.cards)) if section.ends else ()
    return _FILLING.fullmatch("\n".join((*links, ""))) is not None


def _blocks_of(digest: Digest) -> list[_Block] | None:
    """The sections of a digest; None where the words of one cannot be joined."""
    language = spoken(digest.language)
    blocks = []
    for section in digest.sections:
        end = (section.end_url or "").encode()
        shell = _shell(language, section.heading, section.reason, len(end))
        if shell is None:
            return None
        blocks.append(_Block(shell, end, _studies_of(section, language)))
    return blocks


def _studies_of(section: Section, language: str) -> list[_Study]:
    if not section.ends:
        return [_parts_of(card, language).study for card in section.cards]
    found = []
    for card, end in zip(section.cards, section.ends, strict=True):
        parts, own = _parts_of(card, language), (len(card.nct_id), len(end))
        found.append(_Study(parts, own, (card.nct_id.encode(), end.encode()), parts.sizes(own)))
    return found


@kept(KEPT_STUDIES)
def _parts_of(card: Card, language: str) -> _Parts:
    return _Parts(card, language)


def _told(blocks: Sequence[_Block], shapes: Mapping[int, Shape]) -> Iterator[Told]:
    """Section by section what is told, cards first, then rows, then links."""
    done = 0
    for block in blocks:
        by_shape: dict[Shape, list[_Study]] = {}
        for at, study in enumerate(block.studies, start=done):
            by_shape.setdefault(shapes[at], []).append(study)
        done += len(block.studies)
        yield [(tier, by_shape[tier]) for tier in _TIERS if tier in by_shape]


def _tiers_of(told: Told) -> tuple[Shape, ...]:
    return tuple([tier for tier, _studies in told])


def _join_section(parts: list[bytes], block: _Block, told: Told, form: Format, language: str) -> None:
    tiers, has_end = _tiers_of(told), bool(block.end)
    parts.append(block.shell.heads[form])
    if block.studies[0].own is None:
        runs, last = _around_runs(form, language, tiers, has_end)
        for (before, between), (shape, studies) in zip(runs, told, strict=True):
            parts += (before, between.join([study.parts[form, shape] for study in studies]))
        parts.append(last)
    else:
        _join_own(parts, told, form, language, has_end)
    parts.append(block.shell.ends[form].fill((block.end,)))


def _join_own(parts: list[bytes], told: Told, form: Format, language: str, has_end: bool) -> None:
    """Studies that are followed one by one, each with the link that ends it."""
    tiers = _tiers_of(told)
    listed = [(shape, study) for shape, studies in told for study in studies]
    parts.append(_between(form, language, tiers, listed[0][1].own, has_end).first)
    for at, (shape, study) in enumerate(listed, start=1):
        between = _between(form, language, tiers, study.own, has_end)
        after = between.after[shape, listed[at][0]] if at < len(listed) else between.last
        parts += (study.parts[form, shape], after.fill(study.texts))


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
def _shell(language: str, heading: str, reason: str, end_length: int) -> _Shell | None:
    """What stands around any studies under these words; None where they cannot be joined."""
    if has_signs(heading, reason):
        return None
    heads: dict[Format, bytes] = {}
    ends: dict[Format, Mould] = {}
    for form in FORMS:
        head, _studies, end = _taken_apart(form, language, heading, reason, ("card",), None, end_length > 0)
        heads[form], ends[form] = quoted(head), mould(end, {_END: end_length})
    return _Shell(heads, ends, len(heads["html"]) + ends["html"].size)


@kept(None)
def _around_runs(
    form: Format, language: str, tiers: tuple[Shape, ...], has_end: bool
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """For each shape in a section what stands before its studies and between two of them; and what stands at the end.

    Of studies that have no link of the reader's own.
    """
    around = _between(form, language, tiers, None, has_end)
    before = [around.first, *(around.after[pair].fill(()) for pair in pairwise(tiers))]
    between = [around.after[tier, tier].fill(()) for tier in tiers]
    return list(zip(before, between, strict=True)), around.last.fill(())


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
    sizes = []
    for digest in (replace(hollow_digest(language), rolled_over=99_999), hollow_digest(language)):
        closing = closing_of(digest)
        assert closing is not None
        sizes.append(closing.size)
    return sizes[0] - sizes[1] + 8
