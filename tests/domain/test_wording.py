"""How changes and facts are said to readers."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from notifier.domain.change_table import FIELDS, OTHERS
from notifier.domain.changes import FieldChange, Value
from notifier.domain.excerpts import LONGEST, around_difference, first_sentences, line_differences
from notifier.domain.trials import Enrollment, RegistryDate
from notifier.domain.vocabulary import LANGUAGES, language_of
from notifier.domain.wording import age_words, date_words, phase_words, size_words, words

ENGLISH = language_of("en")
TONES = {"stop", "open", "closed", "site", "results", "join", "plan", "info"}
ENUMERATIONS = {
    "Status": "status",
    "RecruitmentStatus": "site_status",
    "StudyType": "study_type",
    "Phase": "phase",
    "Sex": "sex",
    "DesignAllocation": "allocation",
    "DesignMasking": "masking",
    "InterventionalAssignment": "intervention_model",
    "ObservationalModel": "observational_model",
    "PrimaryPurpose": "primary_purpose",
    "AgencyClass": "agency",
    "ArmGroupType": "arm_kind",
    "InterventionType": "intervention_kind",
    "EnrollmentType": "plan",
}


def change(field: str, before: Value, after: Value, *, key: str = "") -> FieldChange:
    row = FIELDS[field]
    return FieldChange(field=field, path=row.path, before=before, after=after, weight=row.weight, key=key)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_field_has_words_in_every_language(code: str) -> None:
    fields = LANGUAGES[code].table["fields"]

    assert set(fields) == set(FIELDS)
    assert {row["tone"] for row in fields.values()} <= TONES
    assert all(row["label"] and row["badge"] for row in fields.values())


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_the_same_sentences(code: str) -> None:
    for part in ("sentences", "counted", "glance", "parts", "moves", "headlines", "terms"):
        assert set(LANGUAGES[code].table[part]) == set(ENGLISH.table[part])


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_word_of_the_registry_has_a_name(code: str, registry_folder: Path) -> None:
    text = (registry_folder / "ctgov-openapi-2.0.3.yaml").read_text(encoding="utf-8")
    schemas: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)["components"]["schemas"]

    for name, kind in ENUMERATIONS.items():
        assert set(schemas[name]["enum"]) - set(LANGUAGES[code].table["terms"][kind]) == set()


def test_a_stop_says_so() -> None:
    line = words(change("status", "RECRUITING", "TERMINATED"))

    assert (line.tone, line.badge, line.label) == ("stop", "Stopped early", "Recruitment")
    assert line.before == "Recruiting: people can join now"
    assert line.after == "Terminated: the study has stopped early and will not start again"


def test_a_word_nobody_knows_is_made_readable() -> None:
    assert words(change("status", None, "NEW_THING")).after == "New thing"
    assert phase_words(["PHASE9"], ENGLISH) == "Phase9"


def test_an_unknown_language_is_told_in_english() -> None:
    assert words(change("sex", "ALL", "FEMALE"), language="xx") == words(change("sex", "ALL", "FEMALE"))


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        (("PHASE2", "PHASE1"), "Phase 1 and 2"),
        (("PHASE3",), "Phase 3"),
        (("EARLY_PHASE1",), "Early phase 1"),
        (("NA",), "No phase"),
        ((), None),
    ],
)
def test_phases_are_said_as_people_do(phases: tuple[str, ...], said: str | None) -> None:
    assert phase_words(phases, ENGLISH) == said


@pytest.mark.parametrize(
    ("minimum", "maximum", "said"),
    [
        ("18 Years", None, "18 years and older"),
        ("18 Years", "80 Years", "18 to 80 years"),
        ("6 Months", "1 Year", "6 months to 1 year"),
        (None, "65 Years", "Up to 65 years"),
        (None, None, None),
        ("grown up", None, "grown up and older"),
    ],
)
def test_ages_are_said_as_people_do(minimum: str | None, maximum: str | None, said: str | None) -> None:
    assert age_words(minimum, maximum, ENGLISH) == said


def test_dates_and_numbers_are_written_out() -> None:
    assert date_words(RegistryDate(value="2026-03", kind="ESTIMATED"), ENGLISH) == "March 2026 (planned)"
    assert date_words(RegistryDate(value="2026-03-05"), ENGLISH) == "5 March 2026"
    assert date_words(RegistryDate(value="2026-02-31"), ENGLISH) == "2026-02-31"
    assert size_words(Enrollment(count=1200, kind="ACTUAL"), ENGLISH) == "1,200 people (actual)"
    assert size_words(Enrollment(count=1), ENGLISH) == "1 person"


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        ("2026-01", "2026-08", "That is 7 months later."),
        ("2026-01-10", "2026-01-03", "That is 7 days earlier."),
        ("2026-01", "2026-01-10", None),
    ],
)
def test_a_moved_date_says_by_how_much(before: str, after: str, note: str | None) -> None:
    assert words(change("completion", {"date": before, "kind": None}, {"date": after, "kind": None})).note == note


def test_lists_tell_what_came_and_what_went() -> None:
    line = words(change("conditions", ["Stroke", "Asthma"], ["Asthma", "Migraine", "Ague"]))

    assert (line.before, line.after) == ("Stroke", "Migraine; Ague")


def test_an_added_site_names_the_place() -> None:
    site: Value = {"facility": "Charité", "city": "Berlin", "country": "Germany", "status": "RECRUITING"}

    line = words(change("site", None, site, key="Charité, Berlin, Germany"))

    assert (line.badge, line.before, line.after) == ("New site", None, "Charité, Berlin, Germany: Recruiting")


def test_a_changed_measure_names_it_and_tells_the_part() -> None:
    before: Value = {"measure": "Pain", "time_frame": "1 week", "description": "The same"}
    after: Value = {"measure": "Pain", "time_frame": "2 weeks", "description": "The same"}

    line = words(change("primary_outcome", before, after, key="Pain"))

    assert (line.label, line.before, line.after) == ("Main measure: Pain", "Time: 1 week", "Time: 2 weeks")


def test_an_age_limit_taken_away_is_no_limit() -> None:
    line = words(change("maximum_age", "65 Years", None))

    assert (line.before, line.after) == ("65 years", "No limit")


def test_contact_changes_never_show_a_detail() -> None:
    line = words(change("contacts", "given", "updated"))

    assert (line.before, line.after) == (None, None)
    assert line.note


def test_results_are_said_to_be_there() -> None:
    assert words(change("has_results", False, True)).badge == "Results posted"
    assert words(change("has_results", True, False)).badge == "Results removed"


def test_criteria_are_told_line_by_line() -> None:
    before = "Inclusion Criteria:\n\n* Adults\n* Able to walk\n\nExclusion Criteria:\n\n* Pregnancy"
    after = before.replace("* Able to walk", "* Able to walk 100 metres").replace("* Pregnancy", "* Pregnancy\n* Gout")

    line = words(change("eligibility", before, after))

    assert (line.before, line.after) == ("Able to walk", "Able to walk 100 metres\nGout")


def test_a_long_text_is_cut_down_to_its_difference() -> None:
    start = "The study began a long time ago and many words were written about it. " * 20
    before, after = around_difference(start + "It has ten people.", start + "It has twenty people.")

    assert max(len(before), len(after)) <= LONGEST
    assert before.startswith("…")
    assert before.endswith("ten people.")
    assert after.endswith("twenty people.")


def test_reordered_lines_are_no_difference_of_lines() -> None:
    assert line_differences("* a\n* b", "* b\n* a") is None


def test_a_summary_ends_with_a_sentence() -> None:
    text = "One sentence is here. " * 30

    assert first_sentences(text, 400).endswith("here.")
    assert first_sentences("word " * 200, 400).endswith("word…")
    assert first_sentences("Short.", 400) == "Short."


def test_a_first_appearance_has_a_badge() -> None:
    first = FieldChange(
        field="first_seen", path="", before=None, after="NCT00000001", weight=OTHERS["first_seen"].weight
    )

    assert words(first).badge == "New study"
