"""Lists every mark that masking sets in the free text of a folder of records, for people to read and judge."""

import gzip
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.masking_figures import CONTACT_FIELD, Record, read_records
from notifier.domain.masking import EMAIL_MARK, PERSON_MARK, PHONE_MARK, mask_record

SOURCES = ("studies", "partial", "daily_series", "same_date_revisions", "patches", "CTIS")
_MARK = re.compile(f"{PHONE_MARK}|{EMAIL_MARK}|\\b{PERSON_MARK}\\b")
# Contact fields of the patches and of the other register; a hit there is none in free text.
_OTHER_CONTACT_FIELD = re.compile(r"phone|email|telephone|phoneNumber|functionalEmailAddress")
_PATCHED_VALUE = re.compile(r"old_value|new_value")


@dataclass(frozen=True, slots=True)
class Hits:
    """What masking one source took, how much text it holds, and every mark with its neighbourhood."""

    source: str
    records: int
    seconds: float
    signs: int
    marks: tuple[tuple[str, str], ...]
    """The record's name, and the mark as it stands now; each once."""


def hits_of(folder: Path, source: str) -> Hits:
    """Masks all records of one source of the folder."""
    seconds, signs, count = 0.0, 0, 0
    marks: dict[str, str] = {}
    for name, record in _records(folder, source):
        started = time.process_time()
        masked = mask_record(record)
        seconds += time.process_time() - started
        count += 1
        for path, before, after in _pairs(record, masked, ""):
            signs += len(before)
            if before != after and not (_PATCHED_VALUE.fullmatch(path) and _MARK.fullmatch(after)):
                marks |= dict.fromkeys(_marks(path, before, after), name)
    return Hits(source, count, seconds, signs, tuple(sorted((name, mark) for mark, name in marks.items())))


def _records(folder: Path, source: str) -> Iterator[tuple[str, Record]]:
    if source in ("studies", "partial"):
        yield from read_records(folder / f"{source}.zip").items()
    elif source == "daily_series":
        for path in sorted((folder / source).glob("*.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                yield from ((path.name, json.loads(line)) for line in lines)
    else:
        inner = folder / "other" / source if source == "CTIS" else folder / source
        for path in sorted(inner.rglob("*.json")):
            yield path.name, {"content": json.loads(path.read_text(encoding="utf-8"))}


def _pairs(before: object, after: object, path: str) -> Iterator[tuple[str, str, str]]:
    """Every string outside contact fields and references, before and after."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after and key != "referencesModule" and not CONTACT_FIELD.fullmatch(key):
                yield from _pairs(value, after[key], key)
    elif isinstance(before, list) and isinstance(after, list):
        for one, other in zip(before, after, strict=True):
            yield from _pairs(one, other, path)
    elif isinstance(before, str) and isinstance(after, str) and not _OTHER_CONTACT_FIELD.fullmatch(path):
        yield path, before, after


def _marks(path: str, before: str, after: str) -> Iterator[str]:
    for mark in _MARK.finditer(after):
        if mark[0] != PERSON_MARK or before.count(PERSON_MARK) < after.count(PERSON_MARK):
            yield f"{path}: …{after[max(0, mark.start() - 40) : mark.end() + 25]!r}"
