"""Chooses what of a digest is told in full, in short or as a link, so that mail programs show all of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Literal, TypeAlias

Shape: TypeAlias = Literal["card", "row", "link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many bytes the HTML of a digest may take as it is sent: in all, its cards, its cards and rows together.

    Gmail cuts a mail off after about 102 kB, and with it the links to end it: https://developers.google.com/gmail/markup
    """

    mail: int = 80_000
    cards: int = 36_000
    rows: int = 60_000


ROOM = Room()


def choose_shapes(
    ranked: Sequence[int], size_of: Callable[[int, Shape], int], *, taken: int, room: Room
) -> dict[int, Shape]:
    """The shape of each study: the first ones as cards, the next as rows, the rest as links.

    Args:
        ranked: the studies, those that matter most first.
        size_of: how many bytes a study takes in a shape.
        taken: how many bytes everything else in the mail takes.
        room: what there is; where not even links fit, all are links.
    """
    links = {one: size_of(one, "link") for one in ranked}
    spare = room.mail - taken - sum(links.values())
    shapes: dict[int, Shape] = {}
    tiers: list[tuple[Shape, int]] = [("card", room.cards), ("row", room.rows)]
    used = 0
    for one in ranked:
        while tiers:
            shape, most = tiers[0]
            size = size_of(one, shape)
            extra = size - links[one]
            if extra <= spare and (used + size <= most or not used):
                shapes[one], used, spare = shape, used + size, spare - extra
                break
            del tiers[0]
        else:
            shapes[one] = "link"
    return shapes


def count_fitting(sizes: Sequence[int], *, room: int) -> int:
    """How many of these fit one after the other; at least the first, because an empty mail tells nothing."""
    totals = accumulate(sizes)
    return max(sum(1 for _ in takewhile(lambda total: total <= room, totals)), min(len(sizes), 1))
