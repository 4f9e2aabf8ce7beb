"""Finds the country whose places a reader wants to see first."""

from collections.abc import Iterable
from functools import cache

from babel.core import get_global

from notifier.domain.places import code_of

_NOWHERE = "ZZ"


@cache
def home_of(country: str | None, *, time_zone: str) -> str | None:
    """The ISO 3166 code of a reader's country: the one they gave, else the one of their time zone.

    None where neither tells: UTC is nowhere, and CET in many countries.
    Zones lie in countries by the CLDR's table, which Babel carries.
    """
    if country:
        return country
    if "/" not in time_zone:
        return None
    zone = get_global("zone_aliases").get(time_zone, time_zone)
    found = get_global("zone_territories").get(zone)
    return found if found and found.isalpha() and found != _NOWHERE else None


def codes_of(countries: Iterable[str | None]) -> frozenset[str]:
    """The codes of countries as the registry names them; those we do not know are left out."""
    return frozenset(code for code in map(known_code, set(countries)) if code)


@cache
def known_code(country: str | None) -> str | None:
    """The code of a country; the registry has only a few hundred names for them."""
    return code_of(country) if country else None
