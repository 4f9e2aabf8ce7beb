"""What filters look at in a study: whether people can join, phases, ages, sex, and where it has places."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, isfinite

from notifier.domain.globe import Cell, cell_of
from notifier.domain.places import code_of
from notifier.domain.trials import OPEN_STATUSES, Site, TrialFacts

PHASES = {"EARLY_PHASE1": 1, "PHASE1": 1, "PHASE2": 2, "PHASE3": 4, "PHASE4": 8}
"""The registry's words for phases, each with its bit; who asks for phase 1 asks for the early one, too."""
ASKED_PHASES = ("PHASE1", "PHASE2", "PHASE3", "PHASE4")
"""The phases that a reader can ask for."""
OLDEST_MONTHS = 200 * 12
"""The oldest age there is, for studies that give none."""

_SEXES = frozenset({"FEMALE", "MALE"})
_AGE = re.compile(r"(\d{1,6})\s*(year|month|week|day|hour|minute)s?", re.IGNORECASE)
_MONTHS = {"year": 12.0, "month": 1.0, "week": 7 / 30.4375, "day": 1 / 30.4375, "hour": 0.0, "minute": 0.0}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study has places, all that are in one cell of the globe and stand the same as one."""

    country: str | None
    cell: Cell | None
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """A study as filters see it.

    ``phases`` are bits of `PHASES`, 0 where the study has none. ``sex`` is FEMALE or MALE where only they may join.
    ``youngest_months`` and ``oldest_months`` are 0 and `OLDEST_MONTHS` where the study does not say.
    """

    is_recruiting: bool = False
    phases: int = 0
    sex: str | None = None
    youngest_months: int = 0
    oldest_months: int = OLDEST_MONTHS
    places: frozenset[Place] = frozenset()


def traits_of(facts: TrialFacts) -> Traits:
    """What filters look at in a study.

    It recruits if people can join and the registry shows it. A place is open if its own status says so, or if it has
    none and the study recruits.
    """
    is_recruiting = facts.status in OPEN_STATUSES and facts.listing is None
    places = (_place_of(site, is_recruiting=is_recruiting) for site in facts.sites)
    return Traits(
        is_recruiting=is_recruiting,
        phases=bits_of(facts.phases),
        sex=facts.sex if facts.sex in _SEXES else None,
        youngest_months=int(_months_of(facts.minimum_age, 0)),
        oldest_months=ceil(_months_of(facts.maximum_age, OLDEST_MONTHS)),
        places=frozenset(place for place in places if place.country or place.cell),
    )


def bits_of(phases: Iterable[str]) -> int:
    """Phases as bits; words that are no phase, such as NA, have none."""
    bits = 0
    for phase in phases:
        bits |= PHASES.get(phase, 0)
    return bits


def phases_of(bits: int) -> frozenset[str]:
    """The phases that a reader can ask for, from bits."""
    return frozenset(phase for phase in ASKED_PHASES if bits & PHASES[phase])


def _place_of(site: Site, *, is_recruiting: bool) -> Place:
    is_open = site.status in OPEN_STATUSES if site.status else is_recruiting
    return Place(code_of(site.country) if site.country else None, _cell_of(site), is_open)


def _cell_of(site: Site) -> Cell | None:
    north, east = site.latitude, site.longitude
    if north is None or east is None or not (isfinite(north) and isfinite(east)):
        return None
    return cell_of(north, east) if abs(north) <= 90 and abs(east) <= 180 else None


def _months_of(age: str | None, missing: int) -> float:
    """An age such as ``18 Years`` in months; what is no age counts as not given."""
    match = _AGE.fullmatch((age or "").strip())
    if match is None:
        return missing
    return min(int(match.group(1)) * _MONTHS[match.group(2).lower()], OLDEST_MONTHS)
