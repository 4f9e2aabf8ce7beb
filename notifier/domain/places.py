"""Finds which country a name in a record means, so that it can be said in the reader's language."""

import tomllib
from importlib.resources import files

from babel import Locale

from notifier.domain.aligning import fold

_NO_COUNTRY = frozenset({"XA", "XB", "ZZ", "EU", "EZ", "UN", "QO"})


def code_of(name: str) -> str | None:
    """The ISO 3166 code of a country by any name the registry has for it; None for a name we do not know."""
    return _CODES.get(fold(name))


def split_country(place: str) -> tuple[str, str | None]:
    """A place such as ``Charité, Berlin, Germany`` and the country at its end; None where none stands there.

    Countries may have a comma of their own: ``Korea, Republic of``.
    """
    parts = place.split(", ")
    for length in (2, 1):
        country = ", ".join(parts[-length:])
        if len(parts) >= length and code_of(country):
            return ", ".join(parts[:-length]), country
    return place, None


def _read_codes() -> dict[str, str]:
    territories = Locale.parse("en").territories
    codes = {
        fold(name.replace("&", "and")): code
        for code, name in territories.items()
        if len(code) == len("DE") and code not in _NO_COUNTRY
    }
    spellings = tomllib.loads((files("notifier.domain") / "data" / "countries.toml").read_text(encoding="utf-8"))
    return codes | {fold(name): code for name, code in spellings.items()}


_CODES = _read_codes()
