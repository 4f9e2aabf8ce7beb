"""Names of conditions are found by what people type."""

import pytest

from notifier.domain.conditions import condition_key
from notifier.domain.everyday_names import SAME_WORDS
from notifier.domain.spelling import distance
from notifier.domain.suggesting import NameIndex

NAMES = (
    "Myocardial Infarction",
    "Heart Attack",
    "Stroke",
    "Ischemic Stroke",
    "Small Cell Lung Carcinoma",
    "Small Cell Lung Cancer",
    "Lung Neoplasms",
    "Influenza, Human",
    "Human Flu",
    "Flushing",
    "Amyotrophic Lateral Sclerosis",
    "Multiple Sclerosis",
    "Colitis, Ulcerative",
)


@pytest.fixture(name="index", scope="module")
def made_index() -> NameIndex:
    index = NameIndex(SAME_WORDS)
    index.add((number, condition_key(name)) for number, name in enumerate(NAMES))
    return index


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("heart attack", "Heart Attack"),
        ("hart atack", "Heart Attack"),
        ("STROKES", "Stroke"),
        ("stroek", "Stroke"),
        ("lung cancer", "Lung Neoplasms"),
        ("lung canser", "Lung Neoplasms"),
        ("lung tumour", "Lung Neoplasms"),
        ("flu", "Human Flu"),
        ("als", "Amyotrophic Lateral Sclerosis"),
        ("multiple scl", "Multiple Sclerosis"),
        ("ulcerativ collitis", "Colitis, Ulcerative"),
        ("farction", "Myocardial Infarction"),
        ("stroke of the eye", "Stroke"),
    ],
)
def test_what_is_meant_comes_first(index: NameIndex, typed: str, meant: str) -> None:
    assert NAMES[index.find(condition_key(typed))[0].condition_id] == meant


@pytest.mark.parametrize("typed", ["", "of", "zzzz", "99", "x" * 200])
def test_nothing_near_is_no_name(index: NameIndex, typed: str) -> None:
    assert index.find(typed) == []


def test_each_condition_is_found_once_by_its_nearest_name() -> None:
    index = NameIndex()
    index.add([(1, "stroke"), (1, "brain stroke"), (1, "stroke of brain")])

    assert [(hit.condition_id, hit.key) for hit in index.find("stroke")] == [(1, "stroke")]


def test_a_name_added_later_is_found() -> None:
    index = NameIndex()
    index.add([(1, "stroke")])
    index.find("moon")

    index.add([(2, "moon sickness")])

    assert index.find("moon sicknes")[0].condition_id == 2


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [("stroke", "stroke", 0), ("strok", "stroke", 1), ("storke", "stroke", 1), ("ab", "cd", 2)],
)
def test_slips_are_counted(one: str, other: str, slips: int) -> None:
    assert distance(one, other, most=2) == slips
    assert distance(one, "entirely else", most=2) > 2
