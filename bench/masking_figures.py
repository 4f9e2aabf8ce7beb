"""Measures masking on a folder of registry records: what leaks and what is damaged; its README says what it holds."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from notifier.domain.dialling_regions import dialling_regions
from notifier.domain.masking import PHONE_MARK, mask_text

Record = dict[str, Any]

CUED = (
    "For information, please call {} during office hours.",
    "Tel: {}",
    "Telephone number: {}, ask for the study nurse",
    "Contact the coordinator on {}.",
    "Dr. Roe (phone {}) answers questions",
    "Fax {} or write to us",
    "Mobile {}",
    "Mob. no.: {} (Monday to Friday)",
    "Teléfono: {}",
    "Tél. : {}",
    "Telefon {}",
    "Телефон: {}",
    "电话：{}",
    "電話 {}",
    "전화: {}",
    "Hotline: {}.\nWe answer in English.",
    "the 24-hour helpline can be reached at {}",
    "WhatsApp/phone: {}",
)
PLAIN = (
    "Please ask {} about this study.",
    "{}",
    "Department of Medicine, {}",
    "Jane Roe, {}, or the study nurse",
    "Information: {}.",
)
CONTACT_FIELD = re.compile(r"contacts|centralContacts|pointOfContact|overallOfficials|investigatorFullName")


@dataclass(frozen=True, slots=True)
class Recall:
    """How many numbers of one class were masked, and which were not."""

    name: str
    tried: int
    missed: tuple[str, ...]

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return 1 - len(self.missed) / self.tried if self.tried else 1.0


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a tab-separated file with a head line."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def read_records(path: Path) -> dict[str, Record]:
    """The records of a zip, by their name in it."""
    with ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".json")]
        return {name: json.loads(archive.read(name)) for name in names}


def value_at(record: object, path: str) -> object:
    """What stands at a path such as `a.b[0].c`, or None."""
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            record = record[int(step)] if isinstance(record, list) else record[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return record


def contact_details(record: object) -> Iterator[str]:
    """Every telephone number and address in a contact field, wherever it stands in the record."""
    if isinstance(record, dict):
        yield from (str(record[key]) for key in ("phone", "email") if record.get(key))
        for value in record.values():
            yield from contact_details(value)
    elif isinstance(record, list):
        for value in record:
            yield from contact_details(value)


def leaked(rows: list[dict[str, str]], masked: dict[str, Record]) -> list[str]:
    """The rows whose string still stands in any version of its record."""
    shown = {name: json.dumps(record, ensure_ascii=False) for name, record in masked.items()}
    misses = []
    for row in rows:
        own = [text for name, text in shown.items() if name.startswith(row["nct_or_id"] + "/")]
        if any(row["leaked_string"] in text for text in own or [mask_text(row["context"])]):
            misses.append(f"{row['nct_or_id']} {row['json_path']}: {row['leaked_string']}")
    return misses


def damaged(rows: list[dict[str, str]], records: dict[str, Record], masked: dict[str, Record]) -> list[str]:
    """The rows whose string no longer stands where it stood; contacts' own fields are left out."""
    losses = []
    for row in rows:
        if row["string"] in row["context"] and row["string"] not in mask_text(row["context"]):
            losses.append(f"{row['category']}: {row['context']}")
        for name in (name for name in records if name.startswith(row["nct_or_id"] + "/")):
            before, after = value_at(records[name], row["json_path"]), value_at(masked[name], row["json_path"])
            stood = row["string"] in str(before) and not CONTACT_FIELD.search(row["json_path"])
            if stood and row["string"] not in str(after):
                losses.append(f"{row['category']}: {name} {row['json_path']}")
    return losses


def phone_recalls(rows: list[dict[str, str]]) -> list[Recall]:
    """How many of the numbers are masked with a cue word, with a plus sign, and bare in their own country."""
    numbers = [row for row in rows if len(re.findall(r"\d", row["phone"])) >= 7]
    with_plus = [row for row in numbers if "+" in row["phone"]]
    at_home = [row for row in numbers if "+" not in row["phone"] and row["country"]]
    return [
        _recall("with a cue word", numbers, CUED),
        _recall("with a plus sign", with_plus, PLAIN),
        _recall("bare, at home", at_home, PLAIN),
        _recall("bare, at home, one country", at_home, PLAIN[:1]),
    ]


def _recall(name: str, rows: list[dict[str, str]], sentences: tuple[str, ...]) -> Recall:
    missed: list[str] = []
    for row in rows:
        regions = dialling_regions([row["country"]]) if name.startswith("bare") else ()
        for sentence in sentences:
            text = mask_text(sentence.format(row["phone"]), regions=regions)
            if leaves_digits(text, row["phone"]):
                missed.append(f"{row['country']}: {text}")
    return Recall(name, len(rows) * len(sentences), tuple(missed))


def leaves_digits(text: str, phone: str) -> bool:
    """Whether any group of four or more digits of the number, or the number itself, can still be read."""
    return phone in text or any(group in text for group in re.findall(r"\d{4,}", phone)) or PHONE_MARK not in text


def free_texts(record: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string outside contact fields and references, with its path without indices."""
    if isinstance(record, dict):
        for key, value in record.items():
            if key != "referencesModule" and not CONTACT_FIELD.fullmatch(key):
                yield from free_texts(value, f"{path}.{key}")
    elif isinstance(record, list):
        for value in record:
            yield from free_texts(value, path)
    elif isinstance(record, str):
        yield path, record
