"""Knows towns by the names people write, so that a reader can name one and only a coarse cell of the globe is kept.

The towns are those of GeoNames (https://www.geonames.org/, CC BY 4.0), as bin/towns wrote them down.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from notifier.domain.aligning import fold
from notifier.domain.globe import Cell
from notifier.domain.places import code_of
from notifier.domain.vocabulary import DEFAULT_LANGUAGE, LANGUAGES, language_of
from notifier.errors import UnknownTown

MOST_CHOICES = 6
LONGEST_NAME = 120
_FAR_LARGER = 10
"""So many times more people make the largest town of a name the one that is meant."""
_NEAREST = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A town: ``region`` is a state as ``Illinois/IL``, or ``~`` and the large town that is nearest, or empty."""

    name: str
    country: str
    region: str
    people: int
    cell: Cell


def find_town(text: str, *, language: str = DEFAULT_LANGUAGE) -> Town:
    """The town somebody means by "Leipzig", "Leipzig, Germany" or "Springfield, IL".

    Of several towns of one name it is the largest if that is ten times as large as the next, or of a country that is
    named with it.

    Raises:
        UnknownTown: none is known by that name, or several are; it names those in ``language`` to choose from.
    """
    name, *parts = (part.strip() for part in text[:LONGEST_NAME].split(","))
    parts = [part for part in parts if part]
    towns = [town for town in _towns_called(fold(name)) if all(_lies_in(town, part) for part in parts)]
    if not towns:
        raise UnknownTown(
            "We do not know this town. Check the spelling, or name a larger town nearby, such as: Leipzig, Germany."
        )
    if len(parts) == 1:
        towns = [town for town in towns if not town.region.startswith(_NEAREST)] or towns
    if len(towns) > 1 and towns[0].people < _FAR_LARGER * towns[1].people:
        labels = dict.fromkeys(town_in_words(town, language=language) for town in towns)
        if len(labels) > 1:
            raise UnknownTown("Several towns have this name. Choose one.", tuple(labels)[:MOST_CHOICES])
    return towns[0]


def town_in_words(town: Town, *, language: str = DEFAULT_LANGUAGE) -> str:
    """A town so that it is not taken for another: ``Springfield, Illinois, United States``."""
    speech = language_of(language)
    region = town.region.partition("/")[0]
    if region.startswith(_NEAREST):
        region = speech.sentence("near_town", town=_name_in(speech.code, region.removeprefix(_NEAREST), town.country))
    name = _name_in(speech.code, town.name, town.country)
    return ", ".join(part for part in (name, region, speech.territory(town.country)) if part)


@cache
def largest_town_in(cell: Cell) -> Town | None:
    """The largest town of a coarse cell; None where there is none, as on the sea."""
    table = _table()
    at = table.find(f"\t{cell.x},{cell.y},{cell.z}\n".encode())
    return _town_at(table, at) if at >= 0 else None


def _towns_called(key: str) -> Iterator[Town]:
    """All towns of a name, the largest first; an empty name is no town's."""
    table, sought = _table(), f"|{key}|".encode()
    at = table.find(sought) if key else -1
    while at >= 0:
        yield _town_at(table, at)
        at = table.find(sought, table.index(b"\n", at))


def _town_at(table: bytes, at: int) -> Town:
    line = table[table.rindex(b"\n", 0, at) + 1 : table.index(b"\n", at)].decode()
    _keys, name, country, region, people, place = line.split("\t")
    x, y, z = (int(axis) for axis in place.split(","))
    return Town(name=name, country=country, region=region, people=int(people), cell=Cell(x, y, z))


def _lies_in(town: Town, part: str) -> bool:
    """Whether what stands after a town's name is its country or its region, in any language we have words for."""
    key = fold(part)
    if key in _country_keys(town.country) or code_of(part) == town.country:
        return True
    if town.region.startswith(_NEAREST):
        nearest = town.region.removeprefix(_NEAREST)
        return any(key.endswith(fold(_name_in(code, nearest, town.country))) for code in LANGUAGES)
    return key.replace(" ", "") in {fold(one).replace(" ", "") for one in town.region.split("/") if one}


def _name_in(language: str, name: str, country: str) -> str:
    """What a town is called in a language, where that is not its name in the table."""
    return _own_names(language).get(country, {}).get(name, name)


@cache
def _own_names(language: str) -> dict[str, dict[str, str]]:
    file = files("notifier.domain") / "data" / f"towns.{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


@cache
def _country_keys(code: str) -> frozenset[str]:
    names = (speech.territory(code) for speech in LANGUAGES.values())
    usual = {"US": ("usa", "u s a", "us"), "GB": ("uk", "u k", "gb")}
    return frozenset(map(fold, names)) | frozenset(usual.get(code, (code.casefold(),)))


@cache
def _table() -> bytes:
    """The table as it lies on disk, 3.7 MB: a search through all of it takes 2 ms, so no index is kept."""
    return (files("notifier.domain") / "data" / "towns.tsv").read_bytes()
