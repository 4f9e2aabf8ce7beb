"""Turns the country names of a record's sites into the regions whose national telephone numbers to expect."""

import re
from collections.abc import Iterable
from functools import cache

from babel import Locale
from phonenumbers import SUPPORTED_REGIONS

_NOT_LETTERS = re.compile(r"[\W_]+")

# The registry's own spellings, where they are not Babel's; from the country names in ClinicalTrials.gov records.
_REGISTRY_SPELLINGS = {
    "Bahamas, The": "BS",
    "Bolivia, Plurinational State of": "BO",
    "Brunei Darussalam": "BN",
    "Burma": "MM",
    "Cape Verde": "CV",
    "Congo": "CG",
    "Congo, The Democratic Republic of the": "CD",
    "Czech Republic": "CZ",
    "Democratic Republic of the Congo": "CD",
    "Federated States of Micronesia": "FM",
    "Former Serbia and Montenegro": "RS",
    "Gambia, The": "GM",
    "Great Britain": "GB",
    "Holland": "NL",
    "Hong Kong": "HK",
    "Iran, Islamic Republic of": "IR",
    "Ivory Coast": "CI",
    "Korea": "KR",
    "Korea, Democratic People's Republic of": "KP",
    "Korea, Republic of": "KR",
    "Lao People's Democratic Republic": "LA",
    "Libyan Arab Jamahiriya": "LY",
    "Macau": "MO",
    "Macedonia": "MK",
    "Macedonia, The Former Yugoslav Republic of": "MK",
    "Moldova, Republic of": "MD",
    "Myanmar": "MM",
    "Palestine": "PS",
    "Palestinian Territories, Occupied": "PS",
    "Palestinian Territory, occupied": "PS",
    "Republic of Korea": "KR",
    "Republic of Moldova": "MD",
    "Reunion": "RE",
    "Russian Federation": "RU",
    "Slovak Republic": "SK",
    "Swaziland": "SZ",
    "Syrian Arab Republic": "SY",
    "Taiwan, Province of China": "TW",
    "Tanzania, United Republic of": "TZ",
    "The Gambia": "GM",
    "Turkey": "TR",
    "Turkey (Türkiye)": "TR",
    "Türkiye": "TR",
    "U.S. Virgin Islands": "VI",
    "UK": "GB",
    "USA": "US",
    "United States of America": "US",
    "Venezuela, Bolivarian Republic of": "VE",
    "Viet Nam": "VN",
    "Virgin Islands (U.S.)": "VI",
}


def dialling_regions(countries: Iterable[str]) -> tuple[str, ...]:
    """ISO codes of the countries, sorted, each once; a name nobody knows is left out."""
    codes = {_codes_by_name().get(_key(country)) for country in countries}
    return tuple(sorted(code for code in codes if code))


def _key(name: str) -> str:
    return _NOT_LETTERS.sub(" ", name.replace("&", "and")).strip().casefold()


@cache
def _codes_by_name() -> dict[str, str]:
    names = {_key(name): code for code, name in Locale("en").territories.items() if code in SUPPORTED_REGIONS}
    codes = {_key(code): code for code in SUPPORTED_REGIONS}
    return codes | names | {_key(name): code for name, code in _REGISTRY_SPELLINGS.items()}
