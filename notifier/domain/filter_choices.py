"""Reads what somebody chooses to filter by, from a form, a program or the command line."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from math import isfinite

from notifier.domain.aligning import fold
from notifier.domain.globe import coarse_cell_of, square_of
from notifier.domain.places import code_of
from notifier.domain.reader_filters import Near, ReaderFilter
from notifier.domain.towns import find_town, largest_town_in, town_in_words
from notifier.domain.traits import ASKED_PHASES
from notifier.domain.vocabulary import DEFAULT_LANGUAGE, LANGUAGES, language_of
from notifier.errors import WrongChoice

DISTANCES = (25, 50, 100, 200, 500)
"""How far away a place may be, in kilometres."""
USUAL_DISTANCE = 100
OLDEST = 120
MOST_COUNTRIES = 60
SEXES = ("FEMALE", "MALE")
_NO_COUNTRY = frozenset({"EU", "EZ", "UN", "QO", "ZZ", "XA", "XB", "CQ", "AC", "CP", "DG", "EA", "IC", "TA"})
"""What the Unicode CLDR has two letters for although no study names it as a country."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterChoice:
    """A filter as somebody says it; what is empty asks for nothing.

    ``town`` or ``point`` (north and east, in degrees) is where they are, ``age`` how old who would join is today.
    """

    only_recruiting: bool = False
    countries: tuple[str, ...] = ()
    town: str = field(default="", repr=False)
    point: tuple[float, float] | None = field(default=None, repr=False)
    within_km: int = USUAL_DISTANCE
    phases: tuple[int, ...] = ()
    sex: str = ""
    age: int | None = None


def read_filter(choice: FilterChoice, *, year: int, language: str = DEFAULT_LANGUAGE) -> ReaderFilter:
    """The filter somebody means; their place is made coarse and their age a year of birth at once.

    Args:
        choice: what they say.
        year: the year it is.
        language: for the names of towns to choose from.

    Raises:
        WrongChoice: one of them cannot be read; it names which.
        UnknownTown: the town is not known, or several are of that name.
    """
    return ReaderFilter(
        only_recruiting=choice.only_recruiting,
        countries=read_countries(choice.countries),
        near=read_near(choice, language=language),
        phases=read_phases(choice.phases),
        sex=read_sex(choice.sex),
        born_year=read_age(choice.age, year=year),
    )


def read_countries(names: Iterable[str]) -> frozenset[str]:
    """Countries by their ISO 3166 codes or their names in a language we have words for, as codes.

    Raises:
        WrongChoice: one is not known, or these are too many.
    """
    codes = {name: read_country(name) for name in names}
    if len(codes) > MOST_COUNTRIES:
        raise WrongChoice("countries", "These are too many countries. Leave all out if any country will do.")
    return frozenset(codes.values())


def read_country(name: str, *, field: str = "countries") -> str:
    """One country by its code or name, as its code.

    Raises:
        WrongChoice: it is not known.
    """
    text = name.strip()
    code = text.upper() if text.upper() in _country_codes() else code_of(text) or _by_name(text)
    if code is None:
        raise WrongChoice(field, "We do not know this country. Choose one from the list.")
    return code


def read_near(choice: FilterChoice, *, language: str = DEFAULT_LANGUAGE) -> Near | None:
    """Where somebody is and how far away a study may be; None if they do not say.

    Raises:
        WrongChoice: there is no such distance or point, or both a town and a point.
        UnknownTown: the town is not known, or several are of that name.
    """
    if not choice.town.strip() and choice.point is None:
        return None
    if choice.within_km not in DISTANCES:
        raise WrongChoice("within_km", f"The distance must be one of: {', '.join(map(str, DISTANCES))}.")
    within = square_of(choice.within_km)
    if choice.point is None:
        return Near(cell=find_town(choice.town, language=language).cell, within=within)
    north, east = choice.point
    if choice.town.strip() or not (isfinite(north) and isfinite(east)) or abs(north) > 90 or abs(east) > 180:
        raise WrongChoice("near", "Name a town, or a point by its latitude and longitude in degrees.")
    return Near(cell=coarse_cell_of(north, east), within=within)


def read_phases(phases: Iterable[int]) -> frozenset[str]:
    """Phases from 1 to 4, as the registry names them; 1 stands for the early one, too.

    Raises:
        WrongChoice: there is no such phase.
    """
    numbers = set(phases)
    if numbers - set(range(1, len(ASKED_PHASES) + 1)):
        raise WrongChoice("phases", "A phase must be 1, 2, 3 or 4.")
    return frozenset(ASKED_PHASES[number - 1] for number in numbers)


def read_sex(sex: str) -> str | None:
    """FEMALE or MALE, however they are written; None if left empty.

    Raises:
        WrongChoice: it is something else.
    """
    if not sex:
        return None
    if sex.upper() not in SEXES:
        raise WrongChoice("sex", "The sex must be female or male, or left out.")
    return sex.upper()


def read_age(age: int | None, *, year: int) -> int | None:
    """The year in which somebody was born who is that old; kept in place of the age, which would grow stale.

    Raises:
        WrongChoice: nobody is that old.
    """
    if age is None:
        return None
    if not 0 <= age <= OLDEST:
        raise WrongChoice("age", "The age must be a number of years from 0 to 120.")
    return year - age


def choice_of(wanted: ReaderFilter, *, year: int, language: str = DEFAULT_LANGUAGE) -> FilterChoice:
    """A filter as somebody would say it again; read anew in the same year, it is the same filter.

    Of their place only a coarse cell was kept: the largest town there stands for it.
    """
    town = largest_town_in(wanted.near.cell) if wanted.near else None
    return FilterChoice(
        town=town_in_words(town, language=language) if town else "",
        only_recruiting=wanted.only_recruiting,
        countries=tuple(sorted(wanted.countries)),
        within_km=distance_of(wanted.near) if wanted.near else USUAL_DISTANCE,
        phases=tuple(number for number, phase in enumerate(ASKED_PHASES, 1) if phase in wanted.phases),
        sex=wanted.sex or "",
        age=year - wanted.born_year if wanted.born_year is not None else None,
    )


def distance_of(near: Near) -> int:
    """How far away a place may be, in kilometres, as it was chosen."""
    return min(DISTANCES, key=lambda distance: abs(square_of(distance) - near.within))


def list_countries(language: str) -> list[tuple[str, str]]:
    """The countries to choose from, as codes and names, in the order of the names."""
    speech = language_of(language)
    return sorted(((code, speech.territory(code)) for code in _country_codes()), key=lambda one: fold(one[1]))


@cache
def _country_codes() -> frozenset[str]:
    codes: Iterable[str] = LANGUAGES[DEFAULT_LANGUAGE].locale.territories
    return frozenset(code for code in codes if len(code) == len("DE") and code.isalpha()) - _NO_COUNTRY


def _by_name(name: str) -> str | None:
    sought = fold(name)
    names = ((code, speech.territory(code)) for speech in LANGUAGES.values() for code in _country_codes())
    return next((code for code, known in names if fold(known) == sought), None)
