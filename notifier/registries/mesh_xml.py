"""Reads MeSH descriptors as XML (``desc2026.xml``), one at a time."""

from collections.abc import Iterator
from typing import IO
from xml.etree.ElementTree import Element, TreeBuilder  # only builds; the parser below takes no entities
from xml.parsers import expat  # entities are refused

from notifier.domain.concepts import Concept, today
from notifier.errors import InvalidVocabulary
from notifier.registries.vocabulary_lines import Found

CHUNK = 262_144
_RECORD = "DescriptorRecord"
_ROOT = "DescriptorRecordSet"
_OTHER_MEANING = frozenset({"BRD", "REL"})
"""A concept of a descriptor that is broader than it, or only related to it: its terms name something else."""


def read_concepts(stream: IO[bytes], place: str) -> Iterator[Found]:
    """The descriptors of a stream.

    Raises:
        InvalidVocabulary: it is not well-formed, declares entities, or is not a set of descriptors; tells the line.
    """
    records = _Records(place)
    while chunk := stream.read(CHUNK):
        yield from records.feed(chunk)
    yield from records.feed(b"", last=True)


class _Records:
    """Builds one descriptor at a time from the parser's events, and forgets it when it is given."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data
        self._parser.EntityDeclHandler = self._refuse_entity
        self._builder: TreeBuilder | None = None
        self._seen_root = False
        self._done: list[Concept] = []

    def feed(self, chunk: bytes, *, last: bool = False) -> list[Concept]:
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise self._invalid(f"is not well-formed XML: {expat.ErrorString(error.code)}") from None
        except (LookupError, ValueError):
            raise self._invalid("names an encoding that cannot be read; MeSH is in UTF-8") from None
        done, self._done = self._done, []
        return done

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._seen_root and tag != _ROOT:
            raise self._invalid(f"begins with <{tag}>; MeSH descriptors begin with <{_ROOT}>")
        self._seen_root = True
        if tag == _RECORD:
            self._builder = TreeBuilder()
        if self._builder:
            self._builder.start(tag, attributes)

    def _data(self, text: str) -> None:
        if self._builder:
            self._builder.data(text)

    def _end(self, tag: str) -> None:
        if self._builder is None:
            return
        self._builder.end(tag)
        if tag == _RECORD:
            record, self._builder = self._builder.close(), None
            self._done.append(self._concept(record))

    def _concept(self, record: Element) -> Concept:
        code, name = record.findtext("DescriptorUI"), record.findtext("DescriptorName/String")
        if not code or not name:
            raise self._invalid("a DescriptorRecord lacks its DescriptorUI or its DescriptorName")
        trees = (one.text for one in record.iterfind("TreeNumberList/TreeNumber"))
        return Concept(
            code=today(code.strip()),
            name=name.strip(),
            names=tuple(dict.fromkeys(one for one in _terms(record) if one != name.strip())),
            trees=tuple(tree.strip() for tree in trees if tree),
        )

    def _refuse_entity(self, *_declared: object) -> None:
        raise self._invalid("declares entities, which MeSH does not; it is not read")

    def _invalid(self, reason: str) -> InvalidVocabulary:
        return InvalidVocabulary(f"{self._place} line {self._parser.CurrentLineNumber}", reason)


def _terms(record: Element) -> Iterator[str]:
    """Terms of the preferred concept and of narrower ones."""
    others = {
        relation.findtext("Concept2UI")
        for relation in record.iterfind("ConceptList/Concept/ConceptRelationList/ConceptRelation")
        if relation.get("RelationName") in _OTHER_MEANING
    }
    for concept in record.iterfind("ConceptList/Concept"):
        if concept.get("PreferredConceptYN") == "Y" or concept.findtext("ConceptUI") not in others:
            terms = (term.text for term in concept.iterfind("TermList/Term/String"))
            yield from (term.strip() for term in terms if term)
