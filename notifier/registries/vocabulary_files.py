"""Reads vocabularies of conditions from files: finds out the format, unpacks, and gives concepts as they come."""

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from notifier.domain.concepts import MESH, Concept
from notifier.errors import InvalidVocabulary
from notifier.registries import mesh_ascii, mesh_xml, obo_terms, vocabulary_table
from notifier.registries.vocabulary_lines import Found

_START = 262_144
"""Bytes of a file by which it is known; the header of MONDO alone takes tens of thousands."""
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_BOM = b"\xef\xbb\xbf"
# The last two are what zipfile raises for a member whose name is empty or no text.
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, ValueError, IndexError)

_Reader = Callable[[IO[bytes], str], Iterator[Found]]
_READERS: dict[str, _Reader] = {
    "mesh-xml": mesh_xml.read_concepts,
    "mesh-ascii": mesh_ascii.read_concepts,
    "obo": obo_terms.read_concepts,
    "tsv": vocabulary_table.read_concepts,
}
FORMATS = tuple(_READERS)
"""What ``--format`` may say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVocabulary:
    """A vocabulary being read: its format, a name that fits it if one does, and what is found in it, one by one.

    Where a term is passed over, such as an obsolete one, its code is found instead of a concept.
    """

    format: str
    name: str | None
    found: Iterator[Concept | str]


@contextmanager
def open_vocabulary(path: Path, *, format_name: str | None = None) -> Iterator[OpenVocabulary]:
    """Open a file with a vocabulary, or one packed with gzip, or alone in a zip.

    Args:
        path: the file.
        format_name: one of FORMATS; left out, its beginning tells.

    Raises:
        InvalidVocabulary: there is no such file, it is damaged, or what it holds cannot be read; tells the place. The
            latter also while what is found is being read.
    """
    if format_name is not None and format_name not in FORMATS:
        raise InvalidVocabulary(path.name, f"format must be one of {', '.join(FORMATS)}")
    with ExitStack() as opened:
        try:
            stream = _unpacked(path, opened)
            start = stream.peek(_START)[:_START].removeprefix(_BOM)
        except _DAMAGED as error:
            raise InvalidVocabulary(path.name, _sentence(error)) from None
        chosen = format_name or _format_of(start, path.name)
        found = _whole(_READERS[chosen](stream, path.name), path.name)
        yield OpenVocabulary(format=chosen, name=_name_of(chosen, start), found=found)


def _unpacked(path: Path, opened: ExitStack) -> io.BufferedReader:
    packed = _buffered(opened.enter_context(path.open("rb", buffering=0)))
    start = packed.peek(4)[:4]
    if start.startswith(_GZIP):
        return _buffered(opened.enter_context(gzip.GzipFile(fileobj=packed)))
    if not start.startswith(_ZIP):
        return packed
    archive = opened.enter_context(zipfile.ZipFile(packed))
    members = [member for member in archive.infolist() if not member.is_dir() and "__MACOSX" not in member.filename]
    if len(members) != 1:
        raise InvalidVocabulary(path.name, f"a zip must hold one file, this one holds {len(members)}")
    return _buffered(opened.enter_context(archive.open(members[0])))


def _buffered(unpacked: IO[bytes] | gzip.GzipFile | io.FileIO) -> io.BufferedReader:
    return io.BufferedReader(cast("io.RawIOBase", unpacked), buffer_size=_START)


def _format_of(start: bytes, place: str) -> str:
    if start.lstrip().startswith(b"<"):
        return "mesh-xml"
    if start.lstrip().startswith(b"*NEWRECORD"):
        return "mesh-ascii"
    if start.startswith(b"format-version:") or b"\n[Term]" in start:
        return "obo"
    if b"\t" in start.partition(b"\n")[0]:
        return "tsv"
    raise InvalidVocabulary(place, f"its format cannot be told; say it with --format: {', '.join(FORMATS)}")


def _name_of(chosen: str, start: bytes) -> str | None:
    if chosen.startswith(MESH):
        return MESH
    if chosen == "obo":
        return obo_terms.name_in(start)
    return vocabulary_table.name_in(start)


def _whole(found: Iterator[Found], place: str) -> Iterator[Found]:
    """What is found, with damage that shows only later told like the rest."""
    try:
        yield from found
    except UnicodeDecodeError:
        raise InvalidVocabulary(place, "is not text in UTF-8") from None
    except _DAMAGED as error:
        raise InvalidVocabulary(place, _sentence(error)) from None


def _sentence(error: BaseException) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"cannot be read: {said.rstrip('.')}"
