"""Reads the versions of studies that a folder of real records holds, study by study, oldest first."""

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.patched_records import chains_of, versions_of
from notifier.registries.record_files import FoundRecord, iter_records

Json = dict[str, Any]

PAIRS = "pairs"
SAME_DATE = "same update date"
DAILY = "daily series"
PATCHES = "patches"
SOURCES = (PAIRS, SAME_DATE, DAILY, PATCHES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The versions of one study from one source, each with what it is called there."""

    source: str
    study: str
    versions: tuple[tuple[str, Json], ...]


def series_in(folder: Path) -> Iterator[Series]:
    """All series of a folder such as `make changes` is given."""
    yield from _pairs(folder)
    yield from _same_date(folder)
    yield from _daily(folder)
    yield from _patches(folder)


def _pairs(folder: Path) -> Iterator[Series]:
    """Two versions each, as `pairs.tsv` names them."""
    with (folder / "pairs.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    wanted = {f"{row['nct']}/{row[side]}.json" for row in rows for side in ("from", "to")}
    records = {
        name: found.record
        for found in iter_records(folder / "studies.zip")
        if isinstance(found, FoundRecord) and (name := found.place.partition("!")[2]) in wanted
    }
    for row in rows:
        days = (row["from"], row["to"])
        versions = tuple((day, records[f"{row['nct']}/{day}.json"]) for day in days)
        yield Series(source=PAIRS, study=row["nct"], versions=versions)


def _same_date(folder: Path) -> Iterator[Series]:
    """Before and after, in one folder a study: ``<updated>.seen-<day>.<what>.before.json``."""
    for study in sorted((folder / "same_date_revisions").iterdir()):
        files = sorted(study.glob("*.json"), key=lambda file: file.name.split("seen-")[-1])
        for before, after in zip(files[::2], files[1::2], strict=True):
            versions = tuple((file.name.split("seen-")[-1][:10], _read(file)) for file in (before, after))
            yield Series(source=SAME_DATE, study=study.name, versions=versions)


def _daily(folder: Path) -> Iterator[Series]:
    for file in sorted((folder / "daily_series").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                versions = tuple((state["firstSeen"], state["study"]) for state in row["states"])
                yield Series(source=DAILY, study=row["nctId"], versions=versions)


def _patches(folder: Path) -> Iterator[Series]:
    for chain in chains_of([_read(file) for file in sorted((folder / "patches").glob("*.json"))]):
        yield Series(source=PATCHES, study=chain[0]["nctId"], versions=tuple(versions_of(chain)))


def _read(file: Path) -> Json:
    record: Json = json.loads(file.read_text(encoding="utf-8"))
    return record
