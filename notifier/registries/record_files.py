"""Finds registry records in JSON, NDJSON, folders, zips and .gz of those; a bad one never stops the rest."""

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias, cast

import msgspec

from notifier.errors import InvalidRecord
from notifier.registries.ctgov import nct_id_of
from notifier.registries.record_shapes import Json

LARGEST_MEMBER = 50_000_000
LARGEST_DOCUMENT = 200_000_000
DEEPEST_NESTING = 60
STANDARD_INPUT = "standard input"

_DATA = frozenset({".json", ".ndjson", ".jsonl", ".gz", ".zip"})
_BY_LINE = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")
_NOT_DATA = frozenset({".csv", ".htm", ".html", ".log", ".md", ".pdf", ".png", ".rst", ".tsv", ".txt", ".yaml", ".yml"})
_NOT_DATA_NAMES = ("readme", "license", "licence", "notice", "thumbs.db", "desktop.ini")
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, ValueError)
"""What damaged or locked archives raise; a method of compression that Python lacks is a RuntimeError too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRecord:
    """A record of ClinicalTrials.gov, and where it stood: ``studies.zip!NCT04325594/2025-06-04.json item 3``."""

    place: str
    record: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRecord:
    """A place where a record was expected, and why none could be read there."""

    place: str
    reason: str


Found: TypeAlias = FoundRecord | BadRecord


def iter_records(path: Path) -> Iterator[Found]:
    """All records at a path, files by name, so that ``<NCT>/<date>.json`` comes oldest first. Never raises."""
    if path.is_dir():
        yield from _in_folder(path)
    elif not path.exists():
        yield BadRecord(place=str(path), reason="there is no such file or folder")
    else:
        yield from _in_file(path, path.name)


def iter_stream(stream: IO[bytes], place: str = STANDARD_INPUT) -> Iterator[Found]:
    """All records in an open stream of JSON or NDJSON, compressed with gzip or not. Never raises."""
    try:
        # BufferedReader asks for a raw stream, but any readable one will do.
        buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
        packed = buffered.peek(2)[:2] == _GZIP
        yield from _in_plain(gzip.GzipFile(fileobj=buffered) if packed else buffered, place)
    except _UNREADABLE as error:
        yield BadRecord(place=place, reason=f"cannot be read: {_sentence(error)}")


def count_records(path: Path) -> int | None:
    """About how many records wait at a path, for a progress bar; None where only reading would tell."""
    try:
        if path.is_dir():
            return sum(1 for name in _files_under(path, []) if _is_data(name.name))
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return sum(1 for member in archive.namelist() if _is_data(member))
        if path.suffix in _BY_LINE:
            with path.open("rb") as lines:
                return sum(1 for line in lines if line.strip())
    except _UNREADABLE:
        return None
    return None


def _in_folder(folder: Path) -> Iterator[Found]:
    failures: list[OSError] = []
    for path in _files_under(folder, failures):
        place = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        if _is_data(path.name):
            yield from _in_file(path, place)
        elif not _is_clearly_not_data(path.relative_to(folder).as_posix()):
            yield _unknown_form(place)
    for failure in failures:
        yield BadRecord(place=str(failure.filename), reason=f"cannot be read: {_sentence(failure)}")


def _files_under(folder: Path, failures: list[OSError]) -> list[Path]:
    walked = os.walk(folder, onerror=failures.append)
    return sorted((Path(parent) / name for parent, _, names in walked for name in names), key=lambda path: path.parts)


def _in_file(path: Path, place: str) -> Iterator[Found]:
    try:
        if zipfile.is_zipfile(path):
            yield from _in_zip(path, place)
            return
        if path.suffix.lower() == ".zip":
            yield BadRecord(place=place, reason="is not a whole zip archive")
            return
        with path.open("rb") as stream:
            yield from iter_stream(stream, place)
    except _UNREADABLE as error:
        yield BadRecord(place=place, reason=f"cannot be read: {_sentence(error)}")


def _in_zip(path: Path, place: str) -> Iterator[Found]:
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.infolist(), key=lambda member: PurePosixPath(member.filename).parts):
            if not member.is_dir():
                yield from _in_member(archive, member, f"{place}!{member.filename}")


def _in_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: str) -> Iterator[Found]:
    if not _is_data(member.filename):
        if not _is_clearly_not_data(member.filename):
            yield _unknown_form(place)
    elif member.filename.endswith(".zip"):
        yield BadRecord(place=place, reason="an archive inside an archive is not read")
    elif member.flag_bits & 1:
        yield BadRecord(place=place, reason="is encrypted")
    elif member.file_size > LARGEST_MEMBER:
        yield BadRecord(place=place, reason=f"unpacks to more than {LARGEST_MEMBER // 1_000_000} MB")
    else:
        try:
            with archive.open(member) as stream:
                yield from iter_stream(stream, place)
        except _UNREADABLE as error:
            yield BadRecord(place=place, reason=f"cannot be read: {_sentence(error)}")


def _in_plain(stream: io.BufferedIOBase, place: str) -> Iterator[Found]:
    """Line by line when the first line is whole JSON, as one document otherwise."""
    first = stream.readline(LARGEST_MEMBER).removeprefix(_BOM)
    if place.endswith(_BY_LINE) or _is_json(first):
        yield from _in_lines(chain((first,), stream), place)
        return
    body = first + stream.read(LARGEST_DOCUMENT)
    if len(body) >= LARGEST_DOCUMENT:
        yield BadRecord(place=place, reason=f"is larger than {LARGEST_DOCUMENT // 1_000_000} MB; give it as NDJSON")
    elif not body.strip():
        yield BadRecord(place=place, reason="is empty")
    else:
        yield from _in_document(body, place)


def _in_document(body: bytes, place: str) -> Iterator[Found]:
    try:
        document = msgspec.json.decode(body)
    except _NOT_JSON as error:
        lines = body.splitlines()
        if any(_is_json(line) for line in lines if line.lstrip().startswith(b"{")):
            yield from _in_lines(lines, place)
        else:
            yield BadRecord(place=place, reason=_why_not_json(error))
        return
    yield from _unpacked(document, place)


def _in_lines(lines: Iterable[bytes], place: str) -> Iterator[Found]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            alone = number == 1 and not place.endswith(_BY_LINE)
            yield from _in_line(line, place if alone else f"{place} line {number}")


def _in_line(line: bytes, place: str) -> Iterator[Found]:
    try:
        document = msgspec.json.decode(line)
    except _NOT_JSON as error:
        yield BadRecord(place=place, reason=_why_not_json(error))
        return
    yield from _unpacked(document, place)


def _unpacked(document: Any, place: str) -> Iterator[Found]:
    """The records of a document: one, a list, or a page of the API."""
    page = document.get("studies") if isinstance(document, dict) and "protocolSection" not in document else None
    members = page if isinstance(page, list) else document
    if not isinstance(members, list):
        yield _checked(document, place)
        return
    for number, member in enumerate(members, start=1):
        yield _checked(member, f"{place} item {number}")


def _checked(record: Any, place: str) -> Found:
    try:
        nct_id_of(record)
    except InvalidRecord as error:
        return BadRecord(place=place, reason=str(error))
    if _is_too_deep([record["protocolSection"], record.get("derivedSection") or {}]):
        return BadRecord(place=place, reason="is nested too deeply")
    return FoundRecord(place=place, record=record)


def _is_too_deep(level: list[Any]) -> bool:
    for _ in range(DEEPEST_NESTING):
        level = [
            member
            for value in level
            if isinstance(value, dict | list)
            for member in (value.values() if isinstance(value, dict) else value)
            if isinstance(member, dict | list)
        ]
        if not level:
            return False
    return True


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except _NOT_JSON:
        return False
    return True


def _is_data(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in _DATA and not path.name.startswith(".") and "__MACOSX" not in path.parts


def _is_clearly_not_data(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts) or "__MACOSX" in path.parts
    return hidden or path.suffix.lower() in _NOT_DATA or path.name.lower().startswith(_NOT_DATA_NAMES)


def _unknown_form(place: str) -> BadRecord:
    return BadRecord(place=place, reason="not a form we read: expected .json, .ndjson, .jsonl, .gz or .zip")


def _why_not_json(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return f"is not whole JSON: {_sentence(error)}"


def _sentence(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
