"""Names and an imported vocabulary find what the registry derived, on real records without what it derived."""

from pathlib import Path

import pytest

from bench.condition_figures import HALVES, VOCABULARY, import_names, read_all, score
from notifier.domain.condition_naming import KnownNames
from notifier.domain.trials import TrialFacts


@pytest.fixture(scope="module")
def studies(registry_folder: Path) -> list[TrialFacts]:
    return list(read_all(registry_folder / "studies.zip"))


@pytest.fixture(scope="module")
def names(registry_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> KnownNames:
    return import_names(tmp_path_factory.mktemp("names"), registry_folder / VOCABULARY)


def test_what_names_find_is_what_the_registry_derived(studies: list[TrialFacts], names: KnownNames) -> None:
    found = score(studies, names)

    assert found.precision >= 0.95
    assert found.recall >= 0.8
    assert found.reached >= 0.97 * found.studies


def test_the_half_whose_studies_were_not_looked_into_is_no_worse(studies: list[TrialFacts], names: KnownNames) -> None:
    found = score(filter(HALVES["odd numbers (totals only)"], studies), names)

    assert found.precision >= 0.95
    assert found.recall >= 0.8
