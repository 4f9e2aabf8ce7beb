"""For whom news is news: what a reader asks a study to be like, and whether one is."""

from dataclasses import dataclass

from notifier.domain.globe import Cell


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
