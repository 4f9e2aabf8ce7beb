"""Chooses what of a digest is told in full, in short or as a link, so that mail programs show all of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Literal, TypeAlias

Shape: TypeAlias = Literal["card", "row", "link"]
TIERS: tuple[Shape, ...] = ("card", "row", "link")


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
    ranked: Sequence[int], sizes: Sequence[Mapping[Shape, int]], *, taken: int, room: Room
) -> list[Shape]:
    """The shape of each study: the first ones as cards, the next as rows, the rest as links.

    Args:
        ranked: where the studies stand, those that matter most first.
        sizes: how many bytes each study takes in each shape; those of cards and rows are not asked for needlessly.
        taken: how many bytes everything else in the mail takes.
        room: what there is; where not even links fit, all are links.
    """
    spare = room.mail - taken - sum([one["link"] for one in sizes])
    shapes: list[Shape] = ["link"] * len(sizes)
    left = iter(ranked)
    one = next(left, None)
    used = 0
    tiers: tuple[tuple[Shape, int], ...] = (("card", room.cards), ("row", room.rows))
    for shape, most in tiers:
        while one is not None:
            size = sizes[one][shape]
            extra = size - sizes[one]["link"]
            if extra > spare or (used and used + size > most):
                break
            shapes[one], used, spare = shape, used + size, spare - extra
            one = next(left, None)
    return shapes


def count_fitting(sizes: Sequence[int], *, room: int) -> int:
    """How many of these fit one after the other; at least the first, because an empty mail tells nothing."""
    totals = accumulate(sizes)
    return max(sum(1 for _ in takewhile(lambda total: total <= room, totals)), min(len(sizes), 1))
