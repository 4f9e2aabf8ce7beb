"""Takes a folder of registry records through the whole service, so that every study in it is stored and mailed."""

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from notifier.delivering import Delivered
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.ingesting import IngestReport, ingest_records
from notifier.installation import Installation
from notifier.registries.ctgov import nct_id_of
from notifier.registries.record_files import FoundRecord, iter_records
from notifier.rounds import Service, deliver, make_news
from notifier.store.addresses import read_address
from notifier.subscribing import subscribe_directly

Record = dict[str, Any]

SOURCES = ("same_date_revisions", "partial.zip", "nonconforming", "studies.zip")
STUDIES_A_READER = 8
_AMENDED = "(amended)"
_PROSE = frozenset(
    {
        "briefSummary",
        "detailedDescription",
        "eligibilityCriteria",
        "whyStopped",
        "description",
        "briefTitle",
        "facility",
    }
)
_DIGIT_OR_SIGN = re.compile(r"[0-9@]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What became of the records and of the mails about them."""

    loaded: IngestReport
    changed: IngestReport
    studies: tuple[str, ...]
    delivered: Delivered


def read_folder(folder: Path) -> list[Record]:
    """Every record of the folder that we take in, older versions before newer ones."""
    found = [found for source in SOURCES for found in iter_records(folder / source)]
    return [one.record for one in found if isinstance(one, FoundRecord)]


def mail_everybody(service: Service, records: Sequence[Record], *, leaked: Sequence[str], now: datetime) -> Aftermath:
    """Load all records, subscribe readers to every study, let every study change, and mail them."""
    installation = service.installation
    clock = _Clock(now)
    loaded = _ingest(installation, records, now=clock(), baseline=True)
    studies = tuple(sorted({nct_id_of(record) for record in records}))
    _subscribe(installation, studies, clock)
    posted = clock().date()
    changed = _ingest(installation, [amended(one, leaked=leaked, posted=posted) for one in records], now=clock())
    make_news(installation, now=clock())
    delivered = deliver(service, now=clock)
    return Aftermath(loaded=loaded, changed=changed, studies=studies, delivered=delivered)


def amended(record: Record, *, leaked: Sequence[str], posted: date) -> Record:
    """The record with news in it: one participant more, and a word put into every text, beside each known leak too."""
    changed: Record = _amended_texts(deepcopy(record), leaked)
    protocol = changed["protocolSection"]
    size = protocol.get("designModule", {}).get("enrollmentInfo")
    if isinstance(size, dict) and isinstance(size.get("count"), int):
        size["count"] += 1
    status = protocol.get("statusModule")
    if isinstance(status, dict):
        status["lastUpdatePostDateStruct"] = {"date": posted.isoformat(), "type": "ACTUAL"}
    return changed


def _amended_texts(value: Any, leaked: Sequence[str], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _amended_texts(member, leaked, name) for name, member in value.items()}
    if isinstance(value, list):
        return [_amended_texts(member, leaked, key) for member in value]
    if key not in _PROSE or not isinstance(value, str):
        return value
    for detail in leaked if _DIGIT_OR_SIGN.search(value) else ():
        value = value.replace(detail, f"{detail} {_AMENDED}")
    return f"{value} {_AMENDED}"


@dataclass(slots=True)
class _Clock:
    """A second passes whenever it is read."""

    at: datetime

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def _ingest(
    installation: Installation, records: Sequence[Record], *, now: datetime, baseline: bool = False
) -> IngestReport:
    found = [FoundRecord(place=f"record {number}", record=record) for number, record in enumerate(records, 1)]
    return ingest_records(
        database=installation.database, keys=installation.keys, records=found, now=lambda: now, baseline=baseline
    )


def _subscribe(installation: Installation, studies: Sequence[str], clock: Callable[[], datetime]) -> None:
    now, instant = clock(), Cadence(cadence="instant", hour=0)
    with installation.database.writing() as session:
        for number, study in enumerate(studies):
            subscribe_directly(
                session,
                keys=installation.keys,
                address=read_address(f"reader-{number // STUDIES_A_READER}@example.org"),
                wish=Wish(trial=study, cadence=instant),
                how="operator",
                now=now,
            )
