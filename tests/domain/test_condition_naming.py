"""Which concepts a study's own words name, and which are broader."""

from types import MappingProxyType

import pytest

from notifier.domain.concepts import Concept, broader_by_code, is_in_trees
from notifier.domain.condition_naming import KnownNames, Naming, concerns_with_names, know_names
from notifier.domain.conditions import Concern, condition_key
from notifier.domain.trials import Term, TrialFacts

NAMES = {
    1: ("Neoplasms", "Cancer"),
    2: ("Lung Neoplasms", "Cancer of Lung"),
    3: (
        "Carcinoma, Non-Small-Cell Lung",
        "Non-Small Cell Lung Carcinoma",
        "Nonsmall Cell Lung Cancer",
        "Non-Small Cell Lung Cancer",
    ),
    4: ("Asthma",),
    5: ("Asthma, Exercise-Induced",),
    6: ("Lung Diseases", "Pulmonary Disease"),
    7: ("Pain",),
    8: ("Leukemia",),
    9: ("Rare Syndrome", "ABC"),
    10: ("Foot Ulcer",),
    11: ("Diabetic Foot",),
}
BROADER = {2: {1, 6}, 3: {1, 2, 6}, 4: {6}, 5: {4, 6}, 8: {1}, 11: {10}}


@pytest.fixture(scope="module")
def known() -> KnownNames:
    namings = [
        Naming(number, condition_key(name), "mesh", preferred=at == 0)
        for number, names in NAMES.items()
        for at, name in enumerate(names)
    ]
    concepts = {one: Concern(key=condition_key(names[0]), name=names[0], how="named") for one, names in NAMES.items()}
    broader = {one: frozenset(above) for one, above in BROADER.items()}
    return know_names(namings, concepts=MappingProxyType(concepts), broader=broader, shelves=frozenset(), revision=1)


def named(known: KnownNames, *conditions: str, keywords: tuple[str, ...] = (), title: str = "A study") -> set[str]:
    facts = TrialFacts(nct_id="NCT00000001", conditions=conditions, keywords=keywords, brief_title=title)
    return {one.name for one in concerns_with_names(facts, known) if one.how == "named"}


CASES = [
    ("Cancer of the Lung", {"Lung Neoplasms"}),
    ("lung tumours", {"Lung Neoplasms"}),
    ("Pulmonary cancer", {"Lung Neoplasms"}),
    ("NSCLC", {"Carcinoma, Non-Small-Cell Lung"}),
    ("Stage IV Non-small Cell Lung Cancer AJCC v8", {"Carcinoma, Non-Small-Cell Lung"}),
    ("Non-Small Cell Lung Carcinoma (NSCLC)", {"Carcinoma, Non-Small-Cell Lung"}),
    ("Leukaemia, Adult", {"Leukemia"}),
    ("Exercise-Induced Asthma in Children", {"Asthma, Exercise-Induced"}),
    ("abc", {"Rare Syndrome"}),
    ("abc of the eye", set()),
    ("Pain of the knee", set()),
    ("Solid Tumors Excluding Lung Cancer", {"Neoplasms"}),
    ("Healthy Volunteers", set()),
    ("History of asthma", set()),
    ("Lung cancer with or without asthma", {"Lung Neoplasms"}),
    ("Lung cancer w/wo asthma", {"Lung Neoplasms"}),
    ("Diabetic Foot Ulcers", {"Diabetic Foot"}),
    ("Asthmatic", {"Asthma"}),
]


@pytest.mark.parametrize(("listed", "meant"), CASES)
def test_a_listed_condition_names_what_it_means(known: KnownNames, listed: str, meant: set[str]) -> None:
    assert named(known, listed) == meant


def test_what_is_named_brings_what_is_broader(known: KnownNames) -> None:
    facts = TrialFacts(nct_id="NCT00000001", conditions=("Cancer of Lung",))

    found = {one.name: one.how for one in concerns_with_names(facts, known)}

    assert found == {
        "Cancer of Lung": "listed",
        "Lung Neoplasms": "named",
        "Lung Diseases": "broader",
        "Neoplasms": "broader",
    }


def test_a_keyword_says_which_kind_of_a_listed_condition_is_meant(known: KnownNames) -> None:
    assert named(known, "Asthma attack", keywords=("Exercise-induced asthma", "Leukemia")) == {
        "Asthma",
        "Asthma, Exercise-Induced",
    }


def test_a_keyword_narrows_a_topmost_condition_only_where_nothing_else_is_listed(known: KnownNames) -> None:
    assert named(known, "Advanced cancer", keywords=("leukaemia",)) == {"Neoplasms", "Leukemia"}
    assert named(known, "Advanced cancer", "Cancer of Lung", keywords=("leukaemia",)) == {"Neoplasms", "Lung Neoplasms"}


def test_keywords_count_where_no_listed_condition_is_known(known: KnownNames) -> None:
    assert named(known, "Breathing", keywords=("asthma",)) == {"Asthma"}


def test_what_only_the_title_says_does_not_count(known: KnownNames) -> None:
    assert named(known, "Breathing", title="Breathing in people without asthma") == set()


def test_a_part_counts_only_if_it_is_kin_of_what_whole_names_say(known: KnownNames) -> None:
    assert named(known, "Cancer of Lung", "Childhood leukemia clinic") == {"Lung Neoplasms"}


@pytest.mark.parametrize("listed", ["Recurrent childhood leukemia", "Leukemia, Stage IV", "Newly diagnosed leukemia"])
def test_stage_and_age_make_no_other_disease_of_it(known: KnownNames, listed: str) -> None:
    assert named(known, "Cancer of Lung", listed) == {"Lung Neoplasms", "Leukemia"}


@pytest.mark.parametrize("listed", ["Leukemia, in remission", "Adult asthma and leukemia", "Severe pain"])
def test_what_says_more_than_stage_and_age_leaves_a_name_a_part(known: KnownNames, listed: str) -> None:
    assert named(known, "Cancer of Lung", listed) == {"Lung Neoplasms"}


def test_where_the_registry_derived_conditions_keywords_add_nothing(known: KnownNames) -> None:
    asthma = Term(id="D001249", name="Asthma")
    facts = TrialFacts(nct_id="NCT00000001", conditions=("Leukemia",), keywords=("Lung cancer",), meshes=(asthma,))

    found = {one.name: one.how for one in concerns_with_names(facts, known)}

    assert found == {"Asthma": "derived", "Leukemia": "listed", "Neoplasms": "broader"}


def test_a_name_of_several_concepts_means_the_one_it_is_preferred_for_or_the_broadest() -> None:
    concepts = {one: Concern(key=f"k{one}", name=f"N{one}", how="named") for one in (1, 2, 3, 4)}
    namings = [
        Naming(1, "lantern", "mesh", preferred=False),
        Naming(2, "lantern", "mesh", preferred=True),
        Naming(1, "candle", "mesh", preferred=False),
        Naming(3, "candle", "mesh", preferred=False),
        Naming(2, "torch", "mesh", preferred=False),
        Naming(3, "torch", "mesh", preferred=False),
        Naming(4, "torch", "mondo", preferred=False),
    ]

    known = know_names(namings, concepts=concepts, broader={3: frozenset({1})}, shelves=frozenset(), revision=1)

    assert known.by_words == {"lantern": (2,), "candle": (1,), "torch": (4,)}


def test_in_a_tree_only_what_stands_above_a_place_is_broader() -> None:
    above = Concept(code="A", name="a", trees=("C01", "C02.1"))
    concepts = [
        above,
        Concept(code="B", name="b", trees=("C02",)),
        Concept(code="C", name="c", trees=("C01.5.7",)),
    ]

    assert broader_by_code(concepts) == {"A": {"B"}, "B": frozenset(), "C": {"A"}}


def test_parents_lead_on_to_theirs_and_rings_end() -> None:
    concepts = [
        Concept(code="A", name="a", parents=("B",)),
        Concept(code="B", name="b", parents=("C", "elsewhere")),
        Concept(code="C", name="c", parents=("A",)),
    ]

    assert broader_by_code(concepts) == {"A": {"B", "C"}, "B": {"A", "C"}, "C": {"A", "B"}}


@pytest.mark.parametrize(
    ("place", "trees", "wanted"),
    [("C04.5", ["C"], True), ("F03", ["F03"], True), ("F03.1", ["F03"], True), ("F030", ["F03"], False)],
)
def test_parts_of_the_tree_are_whole_parts(place: str, trees: list[str], wanted: bool) -> None:
    assert is_in_trees(Concept(code="A", name="a", trees=(place,)), trees) is wanted
