"""Searches whatever the service keeps, logs and mails for the contact details of study staff."""

import html
import json
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

Record = dict[str, Any]

CONTACT_FIELDS = ("phone", "phoneExt", "email")
FEWEST_DIGITS = 5
"""A shorter extension is no number that anybody could be found by, and stands everywhere by chance."""
_WINDOW = 5
_NOTABLE = re.compile(r"[0-9@]")
_ADDRESS = re.compile(r"[^\s<>;,()\[\]]+@[^\s<>;,()\[\]]+\.\w+")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_BETWEEN_DIGITS = re.compile(r"(\d)[ ()./+\u00a0\-]{1,3}(?=\d)")
_BETWEEN_TEXTS = "\n"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to search for, and what stood in a contact field but tells nobody's number or address."""

    details: frozenset[str]
    left_out: frozenset[str]


class Haystack:
    """A large text that can be asked for thousands of values, each at least five signs from its first digit or @.

    A value can only stand in the text if all its short windows do, and almost none of a value that does not stand there
    do; so few are searched for. Letters count the same whether large or small.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        apart = dict.fromkeys(texts)
        unescaped = [_ESCAPE.sub(r"\1", text) for text in apart if "\\" in text]
        self.text = _BETWEEN_TEXTS.join([*apart, *unescaped]).casefold()
        self._windows = set(_windows(self.text))

    def find(self, values: Iterable[str]) -> list[str]:
        """The values that stand in the text, not as a part of a longer number."""
        return sorted(value for value in values if self._holds(value.casefold()))

    def digits_only(self) -> "Haystack":
        """The same text with whatever stands between the digits of a number taken away."""
        return Haystack([_BETWEEN_DIGITS.sub(r"\1", self.text)])

    def around(self, value: str, signs: int = 60) -> str:
        """The first place where a value stands."""
        at = self.text.find(value.casefold())
        return self.text[max(0, at - signs) : at + len(value) + signs]

    def _holds(self, value: str) -> bool:
        if any(window not in self._windows for window in _windows(value)):
            return False
        return re.search(rf"(?<!\d){re.escape(value)}(?!\d)", self.text) is not None


def wanted_details(records: Iterable[Record], leaked: Iterable[str] = ()) -> Wanted:
    """Every telephone number, extension and address of any contact field, besides the leaks that are known."""
    details: set[str] = set()
    left_out: set[str] = set()
    values = {value for record in records for value in contact_values(record) if value}
    for value in values | set(leaked):
        found = _ADDRESS.findall(value) or [value]
        details.update(one for one in found if _is_detail(one))
        left_out.update(one for one in found if not _is_detail(one))
    return Wanted(frozenset(details | set(leaked)), frozenset(left_out - set(leaked)))


def contact_values(record: object) -> Iterator[str]:
    """What the contact fields of a record hold, wherever they stand and however bent they are."""
    if isinstance(record, dict):
        for key, value in record.items():
            yield from _scalars(value) if key in CONTACT_FIELDS else contact_values(value)
    elif isinstance(record, list):
        for value in record:
            yield from contact_values(value)


def digits_of(values: Iterable[str], fewest: int = 9) -> list[str]:
    """The bare digits of those values that are whole telephone numbers."""
    bare = {"".join(re.findall(r"\d", value)) for value in values if "@" not in value}
    return sorted(digits for digits in bare if fewest <= len(digits) <= 15)


def texts_of_database(file: Path) -> Iterator[str]:
    """Everything a SQLite database holds: the file as it lies there, each text, each packed or encoded body."""
    for part in sorted(file.parent.glob(file.name + "*")):
        yield from part.read_bytes().decode(errors="replace").splitlines()
    connection = sqlite3.connect(file)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        rows = connection.execute(f'SELECT * FROM "{table}"')
        # The numbers that a database gives its rows run through everything, and so through short extensions.
        given = [name == "id" or name.endswith("_id") for name, *_ in rows.description]
        for row in rows:
            for value, is_given in zip(row, given, strict=True):
                yield from () if is_given and isinstance(value, int) else _texts_of_value(value)
    connection.close()


def texts_of_mail(content: bytes) -> Iterator[str]:
    """A mail as it travelled, its headers, and its parts as they read."""
    yield content.decode(errors="replace")
    message = message_from_bytes(content, policy=policy.default)
    yield from (f"{name}: {value}" for name, value in message.items())
    for part in message.walk():
        if part.get_content_maintype() == "text":
            text = str(part.get_content())
            yield text
            yield html.unescape(re.sub(r"<[^>]+>", "", text))


def strings_in(value: object) -> Iterator[str]:
    """Every text in a decoded JSON value, by lines: most of them come again and again and are searched once."""
    if isinstance(value, str):
        yield from value.splitlines()
    elif isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from strings_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings_in(member)


def _texts_of_value(value: object) -> Iterator[str]:
    if not isinstance(value, bytes):
        yield str(value)
        return
    plain = _unpacked(value)
    try:
        yield from strings_in(json.loads(plain))
    except ValueError:
        yield plain.decode(errors="replace")


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompress(body)
    except zlib.error:
        return body


def _windows(text: str) -> Iterator[str]:
    starts = (found.start() for found in _NOTABLE.finditer(text))
    return (text[start : start + _WINDOW] for start in starts if start + _WINDOW <= len(text))


def _scalars(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for member in value:
            yield from _scalars(member)
    elif isinstance(value, dict):
        for member in value.values():
            yield from _scalars(member)
    elif value is not None:
        yield str(value).strip()


def _is_detail(value: str) -> bool:
    return "@" in value or len(re.findall(r"\d", value)) >= FEWEST_DIGITS
