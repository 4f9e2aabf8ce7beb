"""The records that benches work on: a folder of real ones, or as many made-up ones of about their size."""

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from notifier.registries.ctgov import nct_id_of, order_of
from notifier.registries.record_files import FoundRecord, iter_records

Record = dict[str, Any]

CONDITIONS = ("Stroke", "Asthma", "Migraine", "Psoriasis", "Heart Failure", "Breast Cancer", "Epilepsy", "Diabetes")
_PHRASES = (
    "participants receive the study treatment each week",
    "a nurse asks about sleep, pain and mood",
    "blood is taken, with neutrophils at 1.5 × 10⁹/L or above",
    "within 28 days of the 200-400 mg dose",
    "visits are in Weeks 0, 4 and 16",
    "those who cannot come are called by the team",
    "pressure stays under 140/90 mmHg",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Files with records: as they are first, and each study's newest version with a change in it."""

    first: Path
    changed: Path
    records: tuple[Record, ...]
    what: str


def open_stock(home: Path, *, folder: Path | None, count: int) -> Stock:
    """The records of a folder, or ``count`` made-up ones; files are written to ``home`` where needed."""
    if folder is None:
        records = [make_record(number) for number in range(count)]
        first = _write(home / "first.ndjson", records)
        what = f"{count} made-up records"
    else:
        first = folder / "studies.zip"
        records = [found.record for found in iter_records(first) if isinstance(found, FoundRecord)]
        what = f"{len(records)} records of {first.name}"
    newest: dict[str, Record] = {}
    for record in records:
        held = newest.get(nct_id_of(record))
        newest[nct_id_of(record)] = record if held is None else max(held, record, key=order_of)
    changed = _write(home / "changed.ndjson", [changed_record(record) for record in newest.values()])
    return Stock(first=first, changed=changed, records=tuple(records), what=what)


def changed_record(record: Record, *, by: int = 1) -> Record:
    """The record with more participants and another summary."""
    changed = deepcopy(record)
    protocol = changed["protocolSection"]
    size = protocol.setdefault("designModule", {}).setdefault("enrollmentInfo", {"count": 0, "type": "ESTIMATED"})
    size["count"] = int(size.get("count") or 0) + by
    summary = protocol.setdefault("descriptionModule", {})
    summary["briefSummary"] = f"{summary.get('briefSummary', '')} Amended {by}."
    return changed


def make_record(number: int, *, condition: str | None = None, sites: int = 12, words: int = 400) -> Record:
    """One made-up study; the same number always gives the same."""
    random = Random(number)
    named = condition or CONDITIONS[number % len(CONDITIONS)]
    return {
        "protocolSection": {
            "identificationModule": {"nctId": f"NCT8{number:07}", "briefTitle": f"A made-up study of {named} {number}"},
            "statusModule": {
                "overallStatus": "RECRUITING",
                "studyFirstPostDateStruct": {"date": "2026-02-20", "type": "ACTUAL"},
                "lastUpdatePostDateStruct": {"date": "2026-02-20", "type": "ACTUAL"},
            },
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Made-up Hospital", "class": "OTHER"}},
            "descriptionModule": {"briefSummary": _prose(random, 80), "detailedDescription": _prose(random, words)},
            "conditionsModule": {"conditions": [named], "keywords": [f"word {number % 50}"]},
            "designModule": {"studyType": "INTERVENTIONAL", "enrollmentInfo": {"count": 100, "type": "ESTIMATED"}},
            "eligibilityModule": {"eligibilityCriteria": _prose(random, words), "sex": "ALL", "minimumAge": "18 Years"},
            "contactsLocationsModule": {"locations": [_site(random, at) for at in range(sites)]},
        },
        "derivedSection": {
            "miscInfoModule": {"versionHolder": "2026-03-01"},
            "conditionBrowseModule": {"meshes": [{"id": f"D{CONDITIONS.index(named):06}", "term": named}]}
            if named in CONDITIONS
            else {},
        },
        "hasResults": False,
    }


def _site(random: Random, at: int) -> Record:
    phone = f"+1 555 {random.randrange(100, 999)} {random.randrange(1000, 9999)}"
    contact = {"name": "Quillon Tresk", "role": "CONTACT", "phone": phone, "email": f"site{at}@clinic.example"}
    return {
        "facility": f"Made-up Clinic {at}",
        "city": f"Town {random.randrange(200)}",
        "country": "United States",
        "status": "RECRUITING",
        "contacts": [contact],
    }


def _prose(random: Random, words: int) -> str:
    return "; ".join(random.choices(_PHRASES, k=words // 8)) + "."


def _write(file: Path, records: Sequence[Record]) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file
