"""Reads ontologies of diseases in OBO format, such as MONDO, one term at a time.

A reader of our own, because of all the format we want five kinds of line, and pronto and fastobo hold the whole file.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import IO

from notifier.domain.concepts import Concept, today
from notifier.errors import InvalidVocabulary
from notifier.registries.vocabulary_lines import Found, numbered_lines

_HEADER = "header"
_TERM = "[Term]"
_ONTOLOGY = re.compile(rb"^ontology:\s*([\w-]+)", re.MULTILINE)
_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)"\s+EXACT\b')
_MESH = re.compile(r"MESH:([DC]\d+)\b")
_NOT_THE_SAME = re.compile(r"\{.*source=(?!.*equivalentTo)", re.IGNORECASE)
"""A cross-reference with sources, none of which calls the two terms equivalent."""
_COMMENT = re.compile(r"\s*(?:\{[^{}]*\})?\s*(?:!.*)?$")
_ESCAPED = re.compile(r"\\(.)")

_Tags = Mapping[str, list[str]]


def name_in(start: bytes) -> str | None:
    """What the file's header calls the ontology, such as ``mondo``."""
    named = _ONTOLOGY.search(start)
    return named.group(1).decode().lower()[:16] if named else None


def read_concepts(stream: IO[bytes], place: str) -> Iterator[Found]:
    """The terms of a stream that are of this ontology itself; of obsolete ones, and of others', their codes.

    Raises:
        InvalidVocabulary: a line is not ``tag: value``, or a term lacks its id or name.
    """
    kind, began, own = _HEADER, 1, ""
    tags: defaultdict[str, list[str]] = defaultdict(list)
    for number, line in numbered_lines(stream, place):
        if line.startswith("["):
            own = own or (_prefix(tags) if kind == _HEADER else "")
            yield from _term(kind, tags, f"{place} line {began}", own=own)
            kind, began, tags = line.strip(), number, defaultdict(list)
        elif line.strip() and not line.startswith("!") and kind in {_HEADER, _TERM}:
            tag, colon, value = line.partition(":")
            if not colon:
                raise InvalidVocabulary(f"{place} line {number}", "expected tag: value")
            tags[tag.strip()].append(value.strip())
    yield from _term(kind, tags, f"{place} line {began}", own=own)


def _prefix(header: _Tags) -> str:
    return f"{header['ontology'][0].upper()}:" if "ontology" in header else ""


def _term(kind: str, tags: _Tags, place: str, *, own: str) -> Iterator[Found]:
    if kind != _TERM:
        return
    code = _bare(tags["id"][0]) if "id" in tags else ""
    if not code:
        raise InvalidVocabulary(place, "the term lacks its id")
    if "true" in {_bare(said) for said in tags.get("is_obsolete", ())} or not code.startswith(own):
        yield code
        return
    if not tags.get("name"):
        raise InvalidVocabulary(place, f"the term {code} lacks its name")
    synonyms = (_SYNONYM.match(one) for one in tags.get("synonym", ()))
    same = (_MESH.match(one) for one in tags.get("xref", ()) if not _NOT_THE_SAME.search(one))
    yield Concept(
        code=code,
        name=_plain(tags["name"][0]),
        names=tuple(dict.fromkeys(_plain(found.group(1)) for found in synonyms if found)),
        parents=tuple(_bare(one) for one in tags.get("is_a", ())),
        same_as=tuple(today(found.group(1)) for found in same if found),
    )


def _bare(value: str) -> str:
    """A value without what may follow it: qualifiers and a comment."""
    return _COMMENT.sub("", value).strip()


def _plain(value: str) -> str:
    return _ESCAPED.sub(r"\1", value).strip()
