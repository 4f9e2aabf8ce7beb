"""Reads MeSH descriptors in the ASCII format (``d2026.bin``), one at a time."""

from collections.abc import Iterator
from typing import IO

from notifier.domain.concepts import Concept, today
from notifier.errors import InvalidVocabulary
from notifier.registries.vocabulary_lines import Found, numbered_lines

_BEGIN = "*NEWRECORD"
_ENTRIES = ("ENTRY", "PRINT ENTRY")
_RELATION = "d"
"""The letter under which an entry's last part says where its relation to the heading stands."""
_OTHER_MEANING = frozenset({"BRD", "REL"})

_Lines = list[tuple[str, str]]


def read_concepts(stream: IO[bytes], place: str) -> Iterator[Found]:
    """The descriptors of a stream.

    Raises:
        InvalidVocabulary: a line is not ``NAME = value``, or a record lacks its heading or its number.
    """
    record: _Lines = []
    began = 0
    for number, line in numbered_lines(stream, place):
        if line.strip() == _BEGIN:
            yield from _concept(record, f"{place} line {began}", began=began)
            record, began = [], number
        elif line.strip():
            name, equals, value = line.partition(" = ")
            if not equals or not began:
                raise InvalidVocabulary(f"{place} line {number}", f"expected {_BEGIN} or NAME = value")
            record.append((name.strip(), value.strip()))
    yield from _concept(record, f"{place} line {began}", began=began)


def _concept(record: _Lines, place: str, *, began: int) -> Iterator[Concept]:
    if not began:
        return
    first = dict(reversed(record))
    if not first.get("UI") or not first.get("MH"):
        raise InvalidVocabulary(place, "the record lacks its UI or its MH")
    names = (_entry(value) for name, value in record if name in _ENTRIES)
    yield Concept(
        code=today(first["UI"]),
        name=first["MH"],
        names=tuple(dict.fromkeys(name for name in names if name and name != first["MH"])),
        trees=tuple(value for name, value in record if name == "MN"),
    )


def _entry(value: str) -> str:
    """The term of an entry; empty where the entry says that it means something broader or only related."""
    parts = value.split("|")
    at = parts[-1].find(_RELATION) if len(parts) > 1 else -1
    means_other = 0 < at < len(parts) - 1 and parts[at] in _OTHER_MEANING
    return "" if means_other else parts[0].strip()
