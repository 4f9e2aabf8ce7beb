"""Reads a vocabulary from a table: tab-separated, its first line names the columns."""

import re
from collections.abc import Iterator, Mapping
from typing import IO

from notifier.domain.concepts import MESH, Concept, today
from notifier.errors import InvalidVocabulary
from notifier.registries.vocabulary_lines import Found, numbered_lines

_CODE = ("descriptor_id", "code", "id")
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "code": _CODE,
    "name": ("name",),
    "trees": ("tree_numbers",),
    "names": ("synonyms", "names"),
    "parents": ("broader", "parents"),
}
_NEEDED = ("code", "name")
_MESH_CODE = re.compile(rb"\n[DC]\d{6,}\t")


def name_in(start: bytes) -> str | None:
    """``mesh`` where the codes are MeSH's; a table says nothing else of where it is from."""
    return MESH if start.startswith(b"descriptor_id\t") and _MESH_CODE.search(start) else None


def read_concepts(stream: IO[bytes], place: str) -> Iterator[Found]:
    """The rows of a stream; several values in one cell are parted by ``|``.

    Raises:
        InvalidVocabulary: a needed column is missing, or a row lacks its code or name.
    """
    columns: dict[str, int] = {}
    for number, line in numbered_lines(stream, place):
        cells = line.split("\t")
        if not columns:
            columns = _columns(cells, place)
        elif line.strip():
            yield _concept(cells, columns, f"{place} line {number}")
    if not columns:
        raise InvalidVocabulary(place, "is empty")


def _columns(header: list[str], place: str) -> dict[str, int]:
    named = {name.strip().lower(): at for at, name in enumerate(header)}
    found = {what: next((named[name] for name in names if name in named), -1) for what, names in _COLUMNS.items()}
    missing = [" or ".join(_COLUMNS[what]) for what in _NEEDED if found[what] < 0]
    if missing:
        raise InvalidVocabulary(f"{place} line 1", f"lacks the column {', and '.join(missing)}")
    return {what: at for what, at in found.items() if at >= 0}


def _concept(cells: list[str], columns: Mapping[str, int], place: str) -> Concept:
    def several(what: str) -> tuple[str, ...]:
        at = columns.get(what, len(cells))
        values = cells[at].split("|") if at < len(cells) else ()
        return tuple(dict.fromkeys(value.strip() for value in values if value.strip()))

    code, name = several("code"), several("name")
    if len(code) != 1 or not name:
        raise InvalidVocabulary(place, "lacks its code or its name")
    return Concept(
        code=today(code[0]),
        name=cells[columns["name"]].strip(),
        names=several("names"),
        trees=several("trees"),
        parents=tuple(today(one) for one in several("parents")),
    )
