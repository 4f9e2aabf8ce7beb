"""Who may join is read as single criteria, and compared one by one."""

from dataclasses import replace

import pytest

from notifier.domain.changes import FieldChange, Value
from notifier.domain.comparing import compare
from notifier.domain.criteria import Criteria, split_criteria
from notifier.domain.criteria_comparing import OUTSIDE, compare_criteria
from notifier.domain.trials import TrialFacts

TWO = Criteria(inclusion=("Adults", "Asthma"), exclusion=("Smokers",))
PLAIN = "Inclusion Criteria:\n\n* Adults\n* Asthma\n\nExclusion Criteria:\n\n* Smokers"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "INCLUSION CRITERIA\n1. Adults\n2. Asthma\nEXCLUSION CRITERIA\n1. Smokers",
        "Key Inclusion Criteria:\n\n- Adults\n- Asthma\n\nMain Exclusion Criteria:\n\n- Smokers",
        "Inclusion:\n\n(1) Adults\n(2) Asthma\n\nExclusion:\n\n(1) Smokers",
        "  Inclusion Criteria:\n\n    -  Adults\n\n    -  Asthma\n\n  Exclusion Criteria:\n\n    -  Smokers",
        "* INCLUSION CRITERIA:\n* Adults\n* Asthma\n* EXCLUSION CRITERIA:\n* Smokers",
        "Inclusion criteria :\n\nAdults\n\nAsthma\n\nExclusion criteria.\n\nSmokers",
        "Inclusion Criteria: • Adults\n• Asthma\n\nNon-inclusion criteria:\n• Smokers",
        "Inclusion Criteria:\n\n* Adults\n\nExclusion Criteria:\n\n* Smokers\n\nInclusion Criteria:\n\n* Asthma",
        "Women were eligible if they:\n\n1. Adults\n2. Asthma\n\nWomen were ineligible if they:\n\n1. Smokers",
    ],
)
def test_lists_are_found_in_every_shape(text: str) -> None:
    assert split_criteria(text) == TWO


def test_a_heading_that_slipped_into_the_line_before_is_found() -> None:
    split = split_criteria("Inclusion Criteria:\n\n* Adults\n* Own a smartphone Exclusion Criteria\n\n1. Smokers")

    assert split == Criteria(inclusion=("Adults", "Own a smartphone"), exclusion=("Smokers",))


def test_what_is_indented_belongs_to_its_criterion() -> None:
    split = split_criteria("Inclusion Criteria:\n\n* One of:\n\n  * Asthma\n    of any kind\n  * Hay fever\n* Adults")

    assert split is not None
    assert split.inclusion == ("One of:\n- Asthma of any kind\n- Hay fever", "Adults")


@pytest.mark.parametrize(
    "part",
    [
        "* Past menopause, defined as:\n\n* Age ≥ 60\n* No ovaries\n",
        "* Past menopause, defined as:\n1. Age ≥ 60\n2. No ovaries",
        "* Past menopause, as follows\n- Age ≥ 60\n- No ovaries",
        "* Past menopause:\n\nAge ≥ 60, or no ovaries\n",
        "* Past menopause\nAge ≥ 60\nNo ovaries",
    ],
)
def test_what_plainly_belongs_to_a_criterion_needs_no_indentation(part: str) -> None:
    split = split_criteria(f"Inclusion Criteria:\n\n* Adults\n{part}\n* Asthma")

    assert split is not None
    assert (split.inclusion[0], split.inclusion[2:]) == ("Adults", ("Asthma",))
    assert split.inclusion[1].startswith("Past menopause")
    assert split.inclusion[1].endswith("ovaries")


@pytest.mark.parametrize(
    "text",
    [
        "* Adults, as follows:\n* Asthma",
        "1. Adults:\n\n2. Asthma",
        "* Adults:\n\nAsthma",
        "* Group A:\n\n* Adults\n* Asthma",
        "* Adults\nGroup A:\n* Asthma",
    ],
)
def test_what_may_stand_for_itself_is_left_apart(text: str) -> None:
    split = split_criteria(f"Inclusion Criteria:\n\n{text}")

    assert split is not None
    assert all("Adults" not in criterion or "Asthma" not in criterion for criterion in split.inclusion)


def test_a_line_that_only_opens_the_list_is_no_parent() -> None:
    text = "Inclusion Criteria:\n\n* Patients must meet all of the following criteria:\n\n  1. Adults\n  2. Asthma"
    split = split_criteria(text)

    assert split is not None
    assert split.inclusion[1:] == ("Adults", "Asthma")


def test_lists_for_parts_of_a_study_keep_their_names() -> None:
    split = split_criteria("Inclusion Criteria for Part A:\n\n* Adults\n\nInclusion Criteria for Part B:\n\n* Children")

    assert split is not None
    assert split.inclusion == ("Inclusion Criteria for Part A:", "Adults", "Inclusion Criteria for Part B:", "Children")


def test_a_criterion_that_speaks_of_criteria_is_no_heading() -> None:
    split = split_criteria(f"{PLAIN}\n* Not fulfilling inclusion criteria\n* Pregnancy at inclusion")

    assert split is not None
    assert split.exclusion == ("Smokers", "Not fulfilling inclusion criteria", "Pregnancy at inclusion")


@pytest.mark.parametrize("text", [None, "", "Adults with asthma.", "* Adults\n* Asthma"])
def test_a_text_without_lists_is_left_whole(text: str | None) -> None:
    assert split_criteria(text) is None


def sides(before: str | None, after: str | None) -> list[tuple[str, Value, Value]]:
    return [(change.field, change.before, change.after) for change in compare_criteria(before, after)]


def test_a_criterion_is_added_removed_and_reworded() -> None:
    before = PLAIN.replace("Adults", "Adults with asthma")
    after = before.replace("with asthma", "with asthma, or children with asthma").replace("Smokers", "Pregnancy")

    assert sides(before, after) == [
        ("inclusion", "Adults with asthma", "Adults with asthma, or children with asthma"),
        ("exclusion", "Smokers", None),
        ("exclusion", None, "Pregnancy"),
    ]


def test_another_number_is_a_criterion_reworded() -> None:
    before = PLAIN.replace("Adults", "Age ≥ 18 years")

    assert sides(before, before.replace("18", "16")) == [("inclusion", "Age ≥ 18 years", "Age ≥ 16 years")]
    assert sides(before, before.replace("≥", "<")) == [("inclusion", "Age ≥ 18 years", "Age < 18 years")]


def test_a_criterion_that_changes_sides_is_removed_and_added() -> None:
    after = "Inclusion Criteria:\n\n* Adults\n\nExclusion Criteria:\n\n* Smokers\n* Asthma"

    assert sides(PLAIN, after) == [("inclusion", "Asthma", None), ("exclusion", None, "Asthma")]


@pytest.mark.parametrize(
    "after",
    [
        "Inclusion Criteria:\n\n* Asthma;\n* Adults; and\n\nExclusion Criteria:\n\n* Smokers.",
        "INCLUSION CRITERIA:\n\n1. Adults\n2. Asthma\n\nEXCLUSION CRITERIA:\n\n1. Smokers",
        "Inclusion Criteria:\n* Adults * Asthma\n\n\nExclusion Criteria: * Smokers",
    ],
)
def test_order_numbers_and_bullets_are_no_change(after: str) -> None:
    assert sides(PLAIN, after) == []


def test_how_signs_were_typed_is_no_change() -> None:
    before = PLAIN.replace("Adults", "Patient's age >= 18-65 years")

    assert sides(before, before.replace("'", "’").replace(">=", "≥").replace("-65", "–65").replace(" ", "\u00a0")) == []


def test_what_stands_outside_both_lists_is_told_apart() -> None:
    (change,) = compare_criteria(f"For Part A\n\n{PLAIN}", f"For Parts A and B\n\n{PLAIN}")

    assert (change.field, change.key, change.before, change.after) == (
        "eligibility", OUTSIDE, "For Part A", "For Parts A and B",
    )  # fmt: skip


def test_a_text_that_cannot_be_split_is_told_whole() -> None:
    whole: list[FieldChange] = list(compare_criteria("Adults with asthma.", PLAIN))

    assert [(change.field, change.before, change.key) for change in whole] == [
        ("eligibility", "Adults with asthma.", ""),
    ]


@pytest.mark.parametrize("sign", ["\N{MODIFIER LETTER RIGHT ARROWHEAD}", "\N{FULLWIDTH GREATER-THAN SIGN}"])
def test_which_sign_for_more_than_was_typed_is_no_news(sign: str) -> None:
    before = "Inclusion Criteria:\n\n* INR > 1.5\n* Adults"

    assert not list(compare_criteria(before, before.replace(">", sign)))


@pytest.mark.parametrize("end", [";", "; and", ", and", ".", " ;", ";and"])
def test_what_joins_a_criterion_to_the_next_is_no_news(end: str) -> None:
    assert not list(compare_criteria(PLAIN, PLAIN.replace("Adults", f"Adults{end}")))


def test_criteria_are_told_in_the_order_of_the_record() -> None:
    before = TrialFacts(nct_id="NCT00000001", eligibility="Inclusion Criteria:\n\n* Zinc\n* Adults\n* A telephone")
    after = replace(before, eligibility="Inclusion Criteria:\n\n* Walks alone\n* Adults\n* Sleeps badly\n* Cars")

    assert [change.before or change.after for change in compare(before, after)] == [
        "Zinc", "Walks alone", "A telephone", "Sleeps badly", "Cars",
    ]  # fmt: skip
