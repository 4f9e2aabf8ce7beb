"""When a group, a treatment or a measure is the same one as before, under another name."""

from dataclasses import replace

import pytest

from notifier.domain.changes import Weight
from notifier.domain.comparing import compare
from notifier.domain.trials import Arm, Intervention, Outcome, TrialFacts

BASE = TrialFacts(nct_id="NCT00000001", status="RECRUITING")


def test_outcomes_are_the_same_by_their_measure() -> None:
    pain, sleep = Outcome(measure="Pain", time_frame="1 week"), Outcome(measure="Sleep")
    before = replace(BASE, primary_outcomes=(pain, sleep))

    (change,) = compare(before, replace(BASE, primary_outcomes=(sleep, replace(pain, time_frame="2 weeks"))))

    assert (change.field, change.key, change.weight) == ("primary_outcome", "Pain", Weight.MEASURES)


def test_an_outcome_worded_anew_is_the_same_by_its_description() -> None:
    pain = Outcome(measure="Pain", description="Measured by a visual analogue scale from 0 to 10")
    before = replace(BASE, primary_outcomes=(pain,))

    (change,) = compare(before, replace(BASE, primary_outcomes=(replace(pain, measure="How much it hurts"),)))

    assert (change.field, change.key) == ("primary_outcome", "How much it hurts")


def test_an_arm_is_the_same_when_it_becomes_part_of_a_plan() -> None:
    before = replace(BASE, arms=(Arm(label="Thyroid"), Arm(label="Sarcoma")))

    changes = compare(before, replace(BASE, arms=(Arm(label="Arm 2: Sarcoma"), Arm(label="Arm 1: Thyroid"))))

    assert [change.key for change in changes] == ["Arm 1: Thyroid", "Arm 2: Sarcoma"]


@pytest.mark.parametrize(("old", "new"), [
    (Intervention(name="anti-CD19 CAR NK cells"), Intervention(name="CAR NK cells")),
    (Intervention(name="Chemovax"), Intervention(name="Chemovax - P10s-PADRE/ MONTANIDE ISA 51 VG")),
    (Intervention(name="Testinib LOXO-1", kind="DRUG"), Intervention(name="BAY2 (Testinib)", other_names=("LOXO-1",))),
])  # fmt: skip
def test_a_treatment_is_the_same_when_one_name_stands_within_the_other(old: Intervention, new: Intervention) -> None:
    (change,) = compare(replace(BASE, interventions=(old,)), replace(BASE, interventions=(new,)))

    assert (change.field, change.key) == ("intervention", new.name)


@pytest.mark.parametrize("names", [
    ("Testinib and Fakemab",),
    ("Placebo for Testinib",),
    ("Testinib 100 mg", "Testinib 200 mg"),
])  # fmt: skip
def test_a_treatment_together_with_another_or_of_several_doses_is_another_one(names: tuple[str, ...]) -> None:
    after = replace(BASE, interventions=tuple(Intervention(name=name) for name in names))

    changes = compare(replace(BASE, interventions=(Intervention(name="Testinib"),)), after)

    assert [change.after is None for change in changes].count(True) == 1


def test_what_the_same_groups_get_instead_is_one_change() -> None:
    def given(name: str) -> TrialFacts:
        arm = Arm(label="Test", interventions=(f"Drug: {name}",))
        return replace(BASE, interventions=(Intervention(name=name, kind="DRUG"),), arms=(arm,))

    changes = compare(given("Prizlo-Cel"), given("JNJ-90014496"))

    assert [change.field for change in changes] == ["arm", "intervention"]


def test_an_arm_is_the_same_when_words_move_between_its_label_and_its_description() -> None:
    before = replace(BASE, arms=(Arm(label="Arm 1", description="Cohort 1: Biliary tract cancer"),))
    after = replace(BASE, arms=(Arm(label="Part 1 Cohort 1", description="Biliary tract cancer"),))

    (change,) = compare(before, after)

    assert change.key == "Part 1 Cohort 1"


def test_an_outcome_is_the_same_when_its_time_moves_out_of_its_name() -> None:
    before = replace(BASE, primary_outcomes=(Outcome(measure="Time to progression (TTP) after 632 events."),))
    timed = Outcome(measure="Time to progression (TTP)", time_frame="after 632 events")

    (change,) = compare(before, replace(BASE, primary_outcomes=(timed,)))

    assert change.key == "Time to progression (TTP)"
