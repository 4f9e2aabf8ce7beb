"""Reads values out of loosely shaped JSON as what they evidently mean, so that a bent record is still understood."""

import html
import re
from collections.abc import Iterator
from datetime import date
from typing import Any, TypeAlias

from notifier.domain.trials import RegistryDate

Json: TypeAlias = dict[str, Any]

LONGEST_CODE = 64
_TIMES_ESCAPED = 2
"""Some records hold ``&amp;gt;``: what was escaped by the registrant, and again by the registry."""

_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_SPACES = re.compile(r"[^\S\n ]+ *| {2,}")
_AROUND_BREAK = re.compile(r" +\n *|\n +")
_BLANK_LINES = re.compile(r"\n{3,}")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\x00-\x08\x0b\x0e-\x1f\x7f]")
_WHOLE_NUMBER = re.compile(r"\d{1,15}(?:\.0+)?")
_DAY_OR_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?")
_YES = frozenset({"true", "yes", "y", "1", "accepts healthy volunteers"})
_NO = frozenset({"false", "no", "n", "0"})


def object_in(value: object) -> Json:
    """The value as an object; a list holding one object is that object, anything else is empty."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    return {}


def list_in(value: object) -> list[Any]:
    """The value as a list: nothing and ``{}`` are empty, a lone scalar or object is its only member."""
    if isinstance(value, list):
        return value
    if value is None or value in ({}, ""):
        return []
    return [value]


def objects_in(value: object) -> Iterator[Json]:
    """The objects of a list, or of what stands for one."""
    return (member for member in list_in(value) if isinstance(member, dict) and member)


def line_in(value: object) -> str | None:
    """A short text on one line, without escapes; None where there is none."""
    text = _plain(value)
    return " ".join(text.split()) or None if text else None


def prose_in(value: object) -> str | None:
    """A long text without escapes, its paragraphs and bullets kept; None where there is none."""
    text = _plain(value)
    if not text:
        return None
    lines = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    spaced = lines if lines.replace("\n", "").isprintable() and "  " not in lines else _SPACES.sub(" ", lines)
    tidy = _AROUND_BREAK.sub("\n", spaced) if " \n" in spaced or "\n " in spaced else spaced
    return (_BLANK_LINES.sub("\n\n", tidy) if "\n\n\n" in tidy else tidy).strip() or None


def outline_in(value: object) -> str | None:
    """A long text without escapes whose indentation is kept, because it tells what belongs to what."""
    lines = _plain(value).replace("\r\n", "\n").replace("\r", "\n").replace("\t", "  ").split("\n")
    tidy = "\n".join(" " * (len(line) - len(line.lstrip())) + " ".join(line.split()) for line in lines)
    return _BLANK_LINES.sub("\n\n", tidy.rstrip()).strip("\n") or None


def lines_in(value: object) -> tuple[str, ...]:
    """The short texts of a list, or of what stands for one."""
    return tuple(text for member in list_in(value) if (text := line_in(member)))


def code_in(value: object) -> str | None:
    """A word of an enumeration, as the registry writes it today: ``NOT_YET_RECRUITING``; a sentence is none."""
    text = line_in(value)
    if text is None or len(text) > LONGEST_CODE:
        return None
    if text.isupper():
        return text
    return text.upper().replace(",", "").replace(" ", "_")


def number_in(value: object) -> int | None:
    """A whole number, also when written as text; None where there is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**15 else None
    text = str(value).replace(",", "").strip() if isinstance(value, str | float) else ""
    return int(float(text)) if _WHOLE_NUMBER.fullmatch(text) else None


def flag_in(value: object) -> bool | None:
    """Yes or no, also when written as text; None where neither is said."""
    if isinstance(value, bool) or value is None:
        return value
    word = str(value).strip().casefold()
    if word in _YES:
        return True
    return False if word in _NO else None


def coordinate_in(value: object) -> float | None:
    """A latitude or longitude, also when written as text; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        degrees = float(value)
    except (ValueError, OverflowError):
        return None
    return degrees if abs(degrees) <= 180 else None


def date_in(value: object) -> RegistryDate | None:
    """A date structure, or a bare date; one that is no date is left out."""
    parts = value if isinstance(value, dict) else {"date": value}
    text = day_in(parts.get("date"))
    return RegistryDate(value=text, kind=code_in(parts.get("type"))) if text else None


def day_in(value: object) -> str | None:
    """A day or a month, ``YYYY-MM-DD`` or ``YYYY-MM``; a time of day is cut off."""
    text = value.strip()[:10] if isinstance(value, str) else ""
    if not _DAY_OR_MONTH.fullmatch(text):
        return None
    try:
        date.fromisoformat(text if len(text) > len("2026-03") else f"{text}-01")
    except ValueError:
        return None
    return text


def _plain(value: object) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
    elif isinstance(value, list):
        text = "\n\n".join(member for member in value if isinstance(member, str))
    else:
        return ""
    if "\\" in text:
        text = _ESCAPE.sub(r"\1", text)
    for _ in range(_TIMES_ESCAPED):
        if "&" not in text:
            break
        text = _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)
    return text if text.replace("\n", " ").isprintable() else _INVISIBLE.sub("", text)
