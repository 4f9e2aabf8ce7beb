"""Masking measured on real registry records: nothing leaks, nothing is damaged, and it stays cheap."""

import json
import time
from pathlib import Path

import pytest

from bench.made_up_figures import address_recall, lookalike_damage, number_recalls
from bench.masking_figures import (
    Record,
    contact_details,
    damaged,
    leaked,
    phone_recalls,
    read_records,
    read_table,
)
from bench.masking_hits import SOURCES, hits_of
from notifier.domain.masking import mask_record

# Generous, for a busy machine; the figure itself comes from bench/masking_hits.py.
MOST_SECONDS_A_RECORD = 0.01
MOST_FALSE_HITS_PER_MEGABYTE = 0.5
# Protocol numbers set out like 3193-887-488 cannot be told from telephone numbers of the record's countries.
MOST_LOOKALIKES_DAMAGED = 0.005


@pytest.fixture(scope="module")
def records(registry_folder: Path) -> dict[str, Record]:
    """Complete records, by NCT number and date."""
    return read_records(registry_folder / "studies.zip")


@pytest.fixture(scope="module")
def masked(records: dict[str, Record]) -> dict[str, Record]:
    """The same, masked."""
    started = time.process_time()
    masked = {name: mask_record(record) for name, record in records.items()}
    assert time.process_time() - started < MOST_SECONDS_A_RECORD * len(records)
    return masked


def test_no_known_leak_is_left(registry_folder: Path, masked: dict[str, Record]) -> None:
    assert leaked(read_table(registry_folder / "leaks.tsv"), masked) == []


def test_no_detail_of_a_contact_field_is_left(records: dict[str, Record], masked: dict[str, Record]) -> None:
    shown = {name: json.dumps(record, ensure_ascii=False) for name, record in masked.items()}

    assert [name for name, record in records.items() if any(d in shown[name] for d in contact_details(record))] == []


def test_look_alikes_survive(registry_folder: Path, records: dict[str, Record], masked: dict[str, Record]) -> None:
    assert damaged(read_table(registry_folder / "nonleaks.tsv"), records, masked) == []


@pytest.mark.slow
def test_numbers_of_many_countries_are_recognised(registry_folder: Path) -> None:
    cued, with_plus, bare, _ = phone_recalls(read_table(registry_folder / "phone_formats.tsv"))

    assert cued.share >= 0.995
    assert with_plus.share >= 0.995
    assert bare.share >= 0.85


@pytest.mark.parametrize("source", SOURCES)
def test_false_hits_are_rare(registry_folder: Path, source: str) -> None:
    leaking = {row["nct_or_id"] for row in read_table(registry_folder / "leaks.tsv")}

    hits = hits_of(registry_folder, source)

    false = [mark for name, mark in hits.marks if name.split("/")[0] not in leaking]
    assert len(false) <= MOST_FALSE_HITS_PER_MEGABYTE * hits.signs / 1e6


@pytest.mark.slow
def test_made_up_numbers_of_all_countries_are_recognised() -> None:
    cued, with_plus, bare, in_other_figures = number_recalls()

    assert cued.share >= 0.995
    assert with_plus.share >= 0.995
    assert bare.share >= 0.85
    assert in_other_figures.share >= 0.995


def test_every_made_up_address_is_found() -> None:
    assert address_recall().missed == ()


def test_made_up_look_alikes_survive() -> None:
    damage = lookalike_damage()

    assert len(damage.damaged) <= MOST_LOOKALIKES_DAMAGED * damage.tried


def test_masked_records_stay_as_they_are(masked: dict[str, Record]) -> None:
    assert [name for name, record in list(masked.items())[::5] if mask_record(record) != record] == []


def test_records_bent_out_of_shape_are_masked(registry_folder: Path) -> None:
    bent = [json.loads(path.read_text()) for path in (registry_folder / "nonconforming").rglob("*.json")]
    bent += read_records(registry_folder / "partial.zip").values()

    for record in bent:
        shown = json.dumps(mask_record(record), ensure_ascii=False)
        assert not any(detail in shown for detail in contact_details(record))
