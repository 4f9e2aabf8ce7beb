"""Decides in which shape a digest tells each study, and how many it has room for, by the sizes of its parts alone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from notifier.domain.digests import Digest
from notifier.domain.languages import spoken
from notifier.domain.tiers import ROOM, TIERS, Room, Shape, choose_shapes, count_fitting
from notifier.emails.framing import Closing, Opening, closing_of, opening_of
from notifier.emails.keeping import kept
from notifier.emails.shells import Shell, shell_of
from notifier.emails.study_parts import Study, studies_in
from notifier.emails.templates import QuotedMail, hollow_digest, render_digest

# What a gap may be filled with, see `quoting.mould`.
_FILLING = re.compile(r"(?:[-A-Za-z0-9._~:/]*[-A-Za-z0-9_]\n)*")


class _Block(NamedTuple):
    """A section: what stands around its studies, the reader's own link that ends it, and its studies."""

    shell: Shell
    end: bytes
    studies: Sequence[Study]

    def most(self) -> int:
        """What it takes beside its studies, with the lines that lead to rows and links where it has several."""
        return self.shell.size + self.shell.around.size(TIERS if len(self.studies) > 1 else ("link",))


class ToldBlock(NamedTuple):
    """A section of which is known in which shape each study is told: those it has, and its studies by them."""

    shell: Shell
    end: bytes
    shapes: tuple[Shape, ...]
    studies: Sequence[Sequence[Study]]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the sections of a digest."""

    opening: Opening
    closing: Closing

    @property
    def size(self) -> int:
        """How much that takes in the HTML."""
        return self.opening.size + self.closing.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """A digest of which is known in which shape each study is told; ``size`` is that of its HTML as it is sent.

    ``as_links`` is how much it would take if no study was more than a link. ``whole`` is the mail itself where it
    could not be joined from parts; it has no ``frame`` then.
    """

    digest: Digest
    size: int
    as_links: int
    frame: Frame | None = None
    blocks: Sequence[ToldBlock] = ()
    whole: QuotedMail | None = None


def shape_digest(digest: Digest, *, room: Room = ROOM) -> Shaped:
    """Choose in which shape each study is told, as `render_digest` does; where it cannot be joined, by it."""
    frame, blocks = _frame_of(digest), _blocks_of(digest)
    if frame is None or blocks is None or not _has_our_links(digest):
        whole = render_digest(digest, room=room).as_sent()
        return Shaped(digest=digest, size=len(whole.html), as_links=len(whole.html), whole=whole)
    studies = [study for block in blocks for study in block.studies]
    sizes = [study.sizes for study in studies]
    taken = frame.size + sum([block.most() for block in blocks])
    as_links = taken + sum([one["link"] for one in sizes])
    ranks = [study.rank for study in studies]
    ranked = sorted(range(len(studies)), key=ranks.__getitem__)
    while True:
        shapes = choose_shapes(ranked, sizes, taken=taken, room=room)
        told = list(_told(blocks, shapes))
        size = frame.size + sum([one[shape] for one, shape in zip(sizes, shapes, strict=True)])
        size += sum([block.shell.size + block.shell.around.size(block.shapes) for block in told])
        if size <= room.mail or set(shapes) == {"link"}:
            return Shaped(digest=digest, size=size, as_links=as_links, frame=frame, blocks=told)
        taken += size - room.mail


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
    frame, blocks = _frame_of(digest), _blocks_of(digest)
    if frame is None or blocks is None:
        return len(numbers)
    found = {
        card.nct_id: (study.sizes, at)
        for at, (section, block) in enumerate(zip(digest.sections, blocks, strict=True))
        for card, study in zip(section.cards, block.studies, strict=True)
    }
    begun: set[int] = set()
    sizes, more_as_cards = [frame.size], 0
    for number in numbers:
        study, at = found[number]
        shell = 0 if at in begun else blocks[at].most()
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


def _frame_of(digest: Digest) -> Frame | None:
    """What stands around the sections; None where it cannot be joined."""
    opening, closing = opening_of(digest), closing_of(digest)
    return None if opening is None or closing is None else Frame(opening, closing)


def _blocks_of(digest: Digest) -> list[_Block] | None:
    """The sections of a digest; None where the words of one cannot be joined."""
    language = spoken(digest.language)
    studies = studies_in(language)
    blocks = []
    for section in digest.sections:
        end = (section.end_url or "").encode()
        shell = shell_of(language, section.heading, section.reason, len(end))
        if shell is None:
            return None
        blocks.append(_Block(shell, end, studies.of(section)))
    return blocks


def _told(blocks: Sequence[_Block], shapes: Sequence[Shape]) -> Iterator[ToldBlock]:
    """Section by section what is told, cards first, then rows, then links."""
    left = iter(shapes)
    for shell, end, studies in blocks:
        by_shape: dict[Shape, list[Study]] = {}
        for study, shape in zip(studies, left):  # noqa: B905 - the shapes go on in the next section
            by_shape.setdefault(shape, []).append(study)
        told = tuple([shape for shape in TIERS if shape in by_shape])
        yield ToldBlock(shell, end, told, [by_shape[shape] for shape in told])


@kept(None)
def _most_of_rolled_over(language: str) -> int:
    """What the sentence on studies that did not fit may take, with the end of another broken line."""
    sizes = []
    for digest in (replace(hollow_digest(language), rolled_over=99_999), hollow_digest(language)):
        closing = closing_of(digest)
        assert closing is not None
        sizes.append(closing.size)
    return sizes[0] - sizes[1] + 8
