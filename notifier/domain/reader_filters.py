"""For whom news is news: what a reader asks a study to be like, and whether one is."""

from collections.abc import Iterator
from dataclasses import dataclass

from notifier.domain.globe import Cell
from notifier.domain.traits import Place, Traits, bits_of

RECRUITING, PLACE, OPEN_PLACE, PHASE, SEX, AGE = "recruiting", "place", "open_place", "phase", "sex", "age"
"""What of a filter a study may fail to meet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Within so many squared cells (`globe.square_of`) of a coarse cell."""

    cell: Cell
    within: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderFilter:
    """What a study of a condition must be like; each that is empty asks for nothing.

    ``countries``: ISO 3166 codes, one of which must have a place. ``phases``: as `traits.PHASES` names them, one of
    which it must have. ``sex``: FEMALE or MALE, who must be let in. ``born_year`` of who would join: their age must be
    let in; kept as a year, because an age would grow stale.
    """

    only_recruiting: bool = False
    countries: frozenset[str] = frozenset()
    near: Near | None = None
    phases: frozenset[str] = frozenset()
    sex: str | None = None
    born_year: int | None = None


NO_FILTER = ReaderFilter()


def fits(wanted: ReaderFilter, traits: Traits | None, *, year: int) -> bool:
    """Whether a study is as a reader asked; the statement that matches says the same, and a test holds them together.

    * A study of which nothing is known (None) fits, so that nothing is lost.
    * Only recruiting: people can join it, and the registry shows it.
    * Countries: it has a place in one of them. Near: it has a place within the distance. Both: one and the same place
      is both. With only recruiting, that very place must be open. A study without places meets neither.
    * Phases: it has one of them. A study that gives no phase meets none.
    * Sex: it does not let in the other one only.
    * Born in a year: who was is that many years old in ``year``, or one less; any age within these will do.

    Args:
        wanted: the filter.
        traits: the study, at one moment.
        year: the year it is.
    """
    return next(misfits(wanted, traits, year=year), None) is None


def misfits(wanted: ReaderFilter, traits: Traits | None, *, year: int) -> Iterator[str]:
    """What of a filter a study does not meet, in the order in which a reader is told."""
    if traits is None:
        return
    if wanted.only_recruiting and not traits.is_recruiting:
        yield RECRUITING
    elif _asks_for_place(wanted) and not any(_is_there(wanted, place) for place in traits.places):
        yield OPEN_PLACE if wanted.only_recruiting else PLACE
    phases = bits_of(wanted.phases)
    if phases and not phases & traits.phases:
        yield PHASE
    if wanted.sex and traits.sex not in (None, wanted.sex):
        yield SEX
    if wanted.born_year is not None and not _is_let_in(wanted.born_year, traits, year):
        yield AGE


def _asks_for_place(wanted: ReaderFilter) -> bool:
    return bool(wanted.countries) or wanted.near is not None


def _is_there(wanted: ReaderFilter, place: Place) -> bool:
    if wanted.only_recruiting and not place.is_open:
        return False
    if wanted.countries and place.country not in wanted.countries:
        return False
    if wanted.near is None:
        return True
    return place.cell is not None and wanted.near.cell.square_to(place.cell) <= wanted.near.within


def _is_let_in(born_year: int, traits: Traits, year: int) -> bool:
    """Whether somebody born then is let in at any time of the year: at its beginning their last birthday is to come."""
    youngest, oldest = (year - born_year - 1) * 12, (year - born_year) * 12 + 11
    return traits.youngest_months <= oldest and traits.oldest_months >= youngest
