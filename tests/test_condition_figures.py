"""Names and an imported vocabulary find what the registry derived, on real records without what it derived."""

from pathlib import Path

import pytest

from bench.condition_figures import HALVES, SINCE, VOCABULARY, Study, import_names, read_all, score, score_parts
from notifier.domain.condition_naming import KnownNames


@pytest.fixture(scope="module")
def studies(registry_folder: Path) -> list[Study]:
    return read_all(registry_folder / "studies.zip")


@pytest.fixture(scope="module")
def names(registry_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> KnownNames:
    return import_names(tmp_path_factory.mktemp("names"), registry_folder / VOCABULARY)


@pytest.mark.slow
def test_what_names_find_is_what_the_registry_derived(studies: list[Study], names: KnownNames) -> None:
    found = score(studies, names)

    assert found.precision >= 0.955
    assert found.recall >= 0.86
    assert found.reached >= 0.97 * found.studies


@pytest.mark.slow
def test_every_part_of_the_studies_derived_as_today_is_good(studies: list[Study], names: KnownNames) -> None:
    parts = score_parts([study for study in studies if study.derived_on >= SINCE], names)

    assert parts["all"].precision >= 0.965
    assert min(parts[half].precision for half in HALVES) >= 0.96
    assert min(found.precision for found in parts.values()) >= 0.94
    assert min(found.recall for found in parts.values()) >= 0.8


@pytest.mark.slow
def test_most_of_what_the_registry_did_not_derive_the_record_lists(studies: list[Study], names: KnownNames) -> None:
    found = score(studies, names)

    assert found.wrong == found.wrong_causes.total()
    assert found.wrong_causes["found in another way"] <= 0.02 * (found.right + found.wrong)


def test_a_study_counts_once_however_many_versions_there_are(studies: list[Study], names: KnownNames) -> None:
    once = [study for study in studies if len(study.records) > 1]
    twice = [Study(one.number, one.records * 2, one.derived_on) for one in once]

    assert once
    assert score(once, names) == score(twice, names)
