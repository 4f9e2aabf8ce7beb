"""How changes and facts are said to readers."""

import pytest

from notifier.domain.amounts import age_words, date_words, phase_words, size_words
from notifier.domain.change_table import FIELDS, OTHERS
from notifier.domain.changes import FieldChange, Value
from notifier.domain.excerpts import first_sentences
from notifier.domain.trials import STOPPED_STATUSES, Enrollment, RegistryDate
from notifier.domain.vocabulary import LANGUAGES, language_of
from notifier.domain.wording import move_of, words

ENGLISH = language_of("en")
STATUSES = tuple(ENGLISH.table["terms"]["status"])
TONES = {"stop", "open", "closed", "site", "results", "join", "plan", "info"}


def change(field: str, before: Value, after: Value, *, key: str = "") -> FieldChange:
    row = FIELDS[field]
    return FieldChange(field=field, path=row.path, before=before, after=after, weight=row.weight, key=key)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_field_has_words_in_every_language(code: str) -> None:
    fields = LANGUAGES[code].table["fields"]

    assert set(fields) == set(FIELDS)
    assert {row["tone"] for row in fields.values()} <= TONES
    assert all(row["label"] and row["badge"] for row in fields.values())


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
        ("2022-10", "2026-06-30", "That is 3 years and 8 months later."),
        ("2019-09-01", "2026-06-01", "That is 6 years and 9 months later."),
        ("2024-01", "2026-01", "That is 2 years later."),
    ],
)
def test_a_moved_date_says_by_how_much(before: str, after: str, note: str | None) -> None:
    assert words(change("completion", {"date": before, "kind": None}, {"date": after, "kind": None})).note == note


def test_lists_tell_what_came_and_what_went() -> None:
    line = words(change("conditions", ["Stroke", "Asthma"], ["Asthma", "Migraine", "Ague"]))

    assert (line.before, line.after) == ("Stroke", "Migraine; Ague")
    assert line.note == "The rest of the list is as it was."


def test_a_removed_site_had_its_status_until_now() -> None:
    site: Value = {"facility": "Charité", "city": "Berlin", "country": "Germany", "status": "RECRUITING"}

    line = words(change("site", site, None, key="Charité, Berlin, Germany"))

    assert (line.before, line.after) == ("Charité, Berlin, Germany (until now: Recruiting)", None)


def test_a_place_without_a_status_any_more_says_so() -> None:
    line = words(change("site_status", "NOT_YET_RECRUITING", None, key="Charité, Berlin, Germany"))

    assert (line.before, line.after) == ("Not yet recruiting: people cannot join here yet", "not given")


def test_what_a_group_gets_is_said_in_the_language_of_the_reader() -> None:
    arm: Value = {"label": "A", "interventions": "Drug: Aspirin; Dietary Supplement: Iron; Rest"}

    line = words(change("arm", None, arm), language="de")

    assert line.after == "A\nBekommt: Medikament: Aspirin; Nahrungsergänzung: Iron; Rest"


def test_an_added_site_names_the_place() -> None:
    site: Value = {"facility": "Charité", "city": "Berlin", "country": "Germany", "status": "RECRUITING"}

    line = words(change("site", None, site, key="Charité, Berlin, Germany"))

    assert (line.badge, line.before, line.after) == ("New place", None, "Charité, Berlin, Germany: Recruiting")


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


@pytest.mark.parametrize(
    ("field", "before", "after", "badge", "sides"),
    [
        ("inclusion", None, "Adults", "Rule added", (None, "Adults")),
        ("exclusion", "Gout", None, "Rule removed", ("Gout", None)),
        ("inclusion", "Able to walk", "Able to run", "Rule reworded", ("Able to walk", "Able to run")),
    ],
)
def test_a_criterion_says_what_became_of_it(
    field: str, before: str | None, after: str | None, badge: str, sides: tuple[str | None, str | None]
) -> None:
    line = words(change(field, before, after, key=after or before or ""))

    assert (line.badge, (line.before, line.after)) == (badge, sides)


def test_a_reworded_criterion_has_its_words_marked() -> None:
    line = words(change("inclusion", "Able to walk 10 metres alone", "Able to walk 50 metres alone"))

    assert [piece.text for piece in line.after_marks if piece.marked] == ["50"]
    assert "".join(piece.text for piece in line.after_marks) == line.after


def test_a_long_text_is_cut_down_to_its_differences() -> None:
    text = "The study began a long time ago and many words were written about it. " * 20

    line = words(change("detailed_description", f"{text}It has ten people.", f"{text}It has twenty people."))

    assert line.before is not None
    assert line.before.startswith("…")
    assert line.before.endswith("ten people.")
    assert line.note == "Only what changed is shown here. The full record has all of it."


@pytest.mark.parametrize(
    ("field", "before", "after", "note"),
    [
        ("minimum_age", "18 Years", "12 Years", "This lets in people who were too young before."),
        ("minimum_age", None, "18 Years", "This leaves out younger people."),
        ("maximum_age", "65 Years", None, "This lets in people who were too old before."),
        ("maximum_age", "grown up", "65 Years", None),
    ],
)
def test_an_age_says_whom_it_lets_in(field: str, before: str | None, after: str | None, note: str | None) -> None:
    assert words(change(field, before, after)).note == note


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("GONE", "The registry no longer shows this study."),
        ("WITHHELD", "The registry does not show this study for now."),
        ("MERGED:NCT00000002", "Its number is now NCT00000002."),
        (None, "The registry shows this study again."),
        ("NEW_THING", "How the registry lists this study changed."),
    ],
)
def test_a_study_that_leaves_the_registry_says_so(after: str | None, said: str) -> None:
    assert said in (words(change("listing", None if after else "GONE", after)).note or "")


@pytest.mark.parametrize(
    ("before", "after", "headline"),
    [
        ("ACTIVE_NOT_RECRUITING", "RECRUITING", "This study is looking for people again"),
        ("NOT_YET_RECRUITING", "RECRUITING", "This study is now looking for people"),
        ("UNKNOWN", "RECRUITING", "The registry now says that this study is looking for people"),
        ("RECRUITING", "NOT_YET_RECRUITING", "People cannot join this study now, but it may open later"),
        ("SUSPENDED", "ACTIVE_NOT_RECRUITING", "This study goes on again, but takes nobody new"),
        ("COMPLETED", "TERMINATED", "This study was stopped early"),
        ("COMPLETED", "SUSPENDED", "This study is on hold"),
    ],
)
def test_a_status_that_goes_backwards_says_so(before: str, after: str, headline: str) -> None:
    assert move_of(change("status", before, after), ENGLISH).headline == headline


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_every_move_of_a_status_has_words_of_its_own(before: str, after: str) -> None:
    move = move_of(change("status", before, after), ENGLISH)

    assert move.headline != ENGLISH.table["fields"]["status"]["headline"]
    assert (move.tone == "stop") == (after in STOPPED_STATUSES)


def test_a_plan_that_became_a_fact_says_so() -> None:
    before, after = {"count": "35", "kind": "ESTIMATED"}, {"count": "4", "kind": "ACTUAL"}

    line = words(change("enrollment", dict(before), dict(after)))

    assert line.note == "That is 31 fewer. This is no longer a plan: it is the actual number."


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
