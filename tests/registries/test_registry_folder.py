"""The real registry records: every one is read, and only what a reader would see is a change."""

import csv
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from notifier.domain.changes import FieldChange
from notifier.domain.comparing import compare
from notifier.domain.trials import TrialFacts
from notifier.registries import ctgov
from notifier.registries.record_files import BadRecord, FoundRecord, count_records, iter_records
from tests.records import facts_of, kept

# In this pair nothing but the order of the sites and the dates of upkeep differs.
PAIRS_WITHOUT_NEWS = {("NCT05775159", "2025-11-13", "2026-02-18")}


def found_in(path: Path) -> Iterator[FoundRecord]:
    for found in iter_records(path):
        assert isinstance(found, FoundRecord), found
        yield found


@pytest.fixture(scope="module")
def studies(registry_folder: Path) -> dict[tuple[str, str], TrialFacts]:
    """Facts of `studies.zip` by number and date."""
    found = {
        record.place.partition("!")[2]: facts_of(record.record) for record in found_in(registry_folder / "studies.zip")
    }
    return {(name.split("/")[0], name.split("/")[1].removesuffix(".json")): facts for name, facts in found.items()}


def test_every_study_is_read(studies: dict[tuple[str, str], TrialFacts]) -> None:
    assert len(studies) == 919
    assert all(facts.nct_id == number and facts.status and facts.conditions for (number, _), facts in studies.items())


def test_whole_and_partial_records_are_told_apart(registry_folder: Path) -> None:
    whole = [*found_in(registry_folder / "studies.zip"), *found_in(registry_folder / "same_date_revisions")]
    partial = list(found_in(registry_folder / "partial.zip"))

    assert all(ctgov.is_complete(found.record) for found in whole)
    assert not any(ctgov.is_complete(found.record) for found in partial)
    assert len(partial) == count_records(registry_folder / "partial.zip")


def test_a_partial_record_never_takes_a_fact_away(registry_folder: Path) -> None:
    held = kept(next(found_in(registry_folder / "studies.zip")).record)
    before = ctgov.read_facts(held)

    for found in found_in(registry_folder / "partial.zip"):
        after = ctgov.read_facts(ctgov.merge_record(held, ctgov.reduce_record(found.record)))

        lost = [name for name in TrialFacts.__slots__ if getattr(before, name) and not getattr(after, name)]
        assert lost == [], found.place


def test_pairs_make_changes_where_a_reader_would_see_one(
    registry_folder: Path, studies: dict[tuple[str, str], TrialFacts]
) -> None:
    lines = (registry_folder / "pairs.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(lines, delimiter="\t")
    pairs = {(row["nct"], row["from"], row["to"]) for row in rows}

    silent = {pair for pair in pairs if not compare(studies[pair[0], pair[1]], studies[pair[0], pair[2]])}

    assert len(pairs) == 17
    assert silent == PAIRS_WITHOUT_NEWS


def test_pairs_say_what_their_paths_say(registry_folder: Path, studies: dict[tuple[str, str], TrialFacts]) -> None:
    status = compare(studies["NCT06754501", "2025-10-07"], studies["NCT06754501", "2026-02-18"])
    dates = compare(studies["NCT06646627", "2025-07-10"], studies["NCT06646627", "2026-02-09"])
    title = compare(studies["NCT07386002", "2026-02-04"], studies["NCT07386002", "2026-02-06"])

    assert (status[0].field, status[0].before, status[0].after) == ("status", "RECRUITING", "ACTIVE_NOT_RECRUITING")
    assert {change.field for change in dates} == {"primary_completion", "completion"}
    assert [change.field for change in title] == ["brief_title"]


def test_revisions_of_one_date_are_silent_but_for_a_new_status(registry_folder: Path) -> None:
    changes: dict[str, tuple[FieldChange, ...]] = {}
    for folder in sorted((registry_folder / "same_date_revisions").iterdir()):
        facts = [facts_of(found.record) for found in found_in(folder)]
        changes[folder.name] = tuple(change for pair in pairwise(facts) for change in compare(*pair))

    (status,) = changes.pop("NCT05294952")
    assert (status.field, status.before, status.after) == ("status", "NOT_YET_RECRUITING", "UNKNOWN")
    assert set(changes.values()) == {()}


def test_bent_records_are_read(registry_folder: Path) -> None:
    facts = [ctgov.read_facts(kept(found.record)) for found in found_in(registry_folder / "nonconforming")]

    assert [each.nct_id for each in facts] == ["NCT01483820", "NCT01483820", "NCT01592045"]
    assert facts[2].conditions == ("Neuroblastoma",)
    assert facts[0].keywords == facts[2].collaborators == ()
    assert facts[0].arms[0].interventions == ("Drug: TPI 287",)


def test_records_of_another_registry_are_reported(registry_folder: Path) -> None:
    found = list(iter_records(registry_folder / "other"))

    assert len(found) == 5
    assert all(isinstance(each, BadRecord) and "not a ClinicalTrials.gov record" in each.reason for each in found)
