"""Looks whether what only looks like a contact detail survived where it stood."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from bench.masking_figures import value_at
from notifier.domain.masking import mask_record, mask_text
from notifier.registries.ctgov import nct_id_of, reduce_record
from notifier.registries.states import unpack_state
from notifier.store.database import Database
from notifier.store.models import Trial, TrialState

Record = dict[str, Any]
Row = Mapping[str, str]

_CONTACT_NAME = re.compile(r"(?:contacts|centralContacts|overallOfficials)\[\d+\]\.name$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """Rows by what became of their string: in the stored states, in a masked record, in a masked sentence."""

    stored: tuple[str, ...]
    masked_only: tuple[str, ...]
    sentence_only: tuple[str, ...]
    contact_names: tuple[str, ...]
    damaged: tuple[str, ...]


def survival(rows: Iterable[Row], records: Sequence[Record], database: Database) -> Survival:
    """What became of each look-alike. A contact's own name is never kept, whatever it looks like."""
    before: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        before[nct_id_of(record)].append(record)
    stored = _stored_records(database)
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        study = row["nct_or_id"]
        found[_fate(row, before[study], stored[study])].append(f"{study} {row['json_path']}: {row['string']}")
    names = ("stored", "masked_only", "sentence_only", "contact_names", "damaged")
    return Survival(**{name: tuple(found[name]) for name in names})


def _fate(row: Row, before: Sequence[Record], stored: Sequence[Record]) -> str:
    path, string = row["json_path"], row["string"]
    if _CONTACT_NAME.search(path):
        return "contact_names"
    if string in row["context"] and string not in mask_text(row["context"]):
        return "damaged"
    standing = [record for record in before if _stands(string, record, path)]
    if not standing:
        return "sentence_only"
    if not all(_stands(string, mask_record(record), path) for record in standing):
        return "damaged"
    if not any(_stands(string, reduce_record(record), path) for record in standing):
        return "masked_only"
    return "stored" if any(_stands(string, record, path) for record in stored) else "damaged"


def _stored_records(database: Database) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    states = select(Trial.number, TrialState.body, TrialState.facts_version)
    with database.reading() as session:
        for number, body, version in session.execute(states.join(TrialState, TrialState.trial_id == Trial.id)):
            found[number].append(unpack_state(body, facts_version=version))
    return found


def _stands(string: str, record: object, path: str) -> bool:
    value = value_at(record, path)
    if isinstance(value, dict) and {"lat", "lon"} <= value.keys():
        value = f"{value['lat']},{value['lon']}"
    return string in str(value)
