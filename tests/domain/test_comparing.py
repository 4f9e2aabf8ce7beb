"""What counts as a change of a study, what does not, and what it weighs."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.change_table import FIELDS, weight_of
from notifier.domain.changes import FIRST_SEEN, Weight, heaviest
from notifier.domain.comparing import closes, compare, first_appearance, opens
from notifier.domain.trials import (
    Contact,
    Enrollment,
    Outcome,
    RegistryDate,
    Site,
    TrialFacts,
    is_over,
)
from notifier.domain.wording import words
from notifier.registries.record_files import FoundRecord, iter_records
from tests.rebuilding import applied, view
from tests.records import OWN_RECORDS, facts_of, own_facts, own_record, written_differently

STUDIES = Path(__file__).resolve().parents[2].parent / "shared" / "registry" / "studies.zip"
BERLIN = Site(facility="Charité", city="Berlin", zip="10117", country="Germany", status="RECRUITING")
BASE = TrialFacts(nct_id="NCT00000001", status="RECRUITING", sites=(BERLIN,))

Edit = Callable[[TrialFacts], TrialFacts]
EDITS: tuple[Edit, ...] = (
    lambda facts: replace(facts, status="TERMINATED", why_stopped="Too few people"),
    lambda facts: replace(facts, status="RECRUITING"),
    lambda facts: replace(facts, status=None),
    lambda facts: replace(facts, status="COMPLETED", sites=tuple(replace(site, status=None) for site in facts.sites)),
    lambda facts: replace(facts, listing="GONE"),
    lambda facts: replace(facts, eligibility=f"{facts.eligibility or ''}\n* Able to walk"),
    lambda facts: replace(facts, sites=facts.sites[1:]),
    lambda facts: replace(facts, sites=(*facts.sites, BERLIN)),
    lambda facts: replace(facts, sites=tuple(replace(site, status="COMPLETED") for site in facts.sites)),
    lambda facts: replace(facts, sites=tuple(replace(site, facility="New name") for site in facts.sites)),
    lambda facts: replace(facts, eligibility="Inclusion Criteria:\n\n* Adults"),
    lambda facts: replace(facts, minimum_age=None, maximum_age="99 Years"),
    lambda facts: replace(facts, healthy_volunteers=True),
    lambda facts: replace(facts, phases=("PHASE3",)),
    lambda facts: replace(facts, primary_outcomes=(*facts.primary_outcomes, Outcome(measure="Pain"))),
    lambda facts: replace(facts, secondary_outcomes=()),
    lambda facts: replace(facts, arms=facts.arms[:1]),
    lambda facts: replace(facts, interventions=()),
    lambda facts: replace(facts, enrollment=Enrollment(count=7, kind="ACTUAL")),
    lambda facts: replace(facts, completion=RegistryDate(value="2030-01", kind="ESTIMATED")),
    lambda facts: replace(facts, conditions=("Migraine",), keywords=()),
    lambda facts: replace(facts, sponsor="Someone else", collaborators=("A", "B")),
    lambda facts: replace(facts, brief_title="Another title", acronym="NEW"),
    lambda facts: replace(facts, brief_summary="Something else.", detailed_description=None),
    lambda facts: replace(facts, has_results=True, results_first_posted="2026-01-01"),
    lambda facts: replace(facts, contacts=(Contact(phone=True),), contacts_fingerprint="f1"),
    lambda facts: replace(facts, contacts=(), contacts_fingerprint="f2"),
    lambda facts: replace(facts, study_type="NEW_TYPE", masking="NEW_MASKING", allocation="NEW", sex="FEMALE"),
    lambda facts: replace(facts, secondary_ids=("X",), aliases=("NCT00000002",), org_study_id="Y"),
)


@cache
def records() -> tuple[dict[str, Any], ...]:
    """Our own records, and every twentieth real one where they are here."""
    own = tuple(own_record(name) for name in OWN_RECORDS)
    real = (
        [found.record for found in iter_records(STUDIES) if isinstance(found, FoundRecord)] if STUDIES.exists() else []
    )
    return own + tuple(real[::20])


some_record = st.integers(min_value=0, max_value=999).map(lambda number: records()[number % len(records())])
some_edits = st.lists(st.sampled_from(range(len(EDITS))), min_size=1, max_size=5)


def edited(facts: TrialFacts, numbers: list[int]) -> TrialFacts:
    for number in numbers:
        facts = EDITS[number](facts)
    return facts


@settings(max_examples=60, deadline=None)
@given(some_record, st.integers())
def test_a_record_written_differently_is_no_change(record: dict[str, Any], seed: int) -> None:
    assert compare(facts_of(record), facts_of(written_differently(record, seed))) == ()


@settings(max_examples=150, deadline=None)
@given(some_record, some_edits)
def test_a_change_is_seen_from_both_sides(record: dict[str, Any], numbers: list[int]) -> None:
    before = facts_of(record)
    after = edited(before, numbers)

    assert bool(compare(before, after)) == bool(compare(after, before))
    assert compare(before, before) == ()


@settings(max_examples=150, deadline=None)
@given(some_record, some_edits)
def test_every_change_has_a_path_a_weight_and_words(record: dict[str, Any], numbers: list[int]) -> None:
    before = facts_of(record)

    for change in compare(before, edited(before, numbers)):
        line = words(change)
        assert change.path == FIELDS[change.field].path
        assert change.before != change.after
        assert line.label
        assert line.badge
        assert line.before or line.after or line.note


@settings(max_examples=150, deadline=None)
@given(some_record, some_edits)
def test_the_changes_told_rebuild_what_a_reader_would_see(record: dict[str, Any], numbers: list[int]) -> None:
    before = facts_of(record)
    after = edited(before, numbers)

    assert applied(view(before), compare(before, after)) == view(after)
    assert applied(view(after), compare(after, before)) == view(before)


@settings(max_examples=60, deadline=None)
@given(some_record, some_record)
def test_even_changes_between_two_studies_rebuild_the_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    before, after = facts_of(one), replace(facts_of(other), nct_id=facts_of(one).nct_id)

    assert applied(view(before), compare(before, after)) == view(after)


@settings(max_examples=100, deadline=None)
@given(some_record, some_edits, some_edits)
def test_changes_one_after_the_other_rebuild_the_last(
    record: dict[str, Any], first: list[int], second: list[int]
) -> None:
    before = facts_of(record)
    between = edited(before, first)
    after = edited(between, second)

    known = applied(view(before), compare(before, between))

    assert applied(known, compare(between, after)) == view(after)


@settings(max_examples=100, deadline=None)
@given(some_record, some_edits, some_edits)
def test_what_weighs_much_in_the_end_weighed_as_much_on_the_way(
    record: dict[str, Any], first: list[int], second: list[int]
) -> None:
    before = facts_of(record)
    between = edited(before, first)
    after = edited(between, second)

    on_the_way = max(heaviest(compare(before, between)), heaviest(compare(between, after)))

    assert heaviest(compare(before, after)) <= on_the_way


@settings(max_examples=100, deadline=None)
@given(some_record, some_edits, st.integers())
def test_changes_do_not_depend_on_the_order_of_lists(record: dict[str, Any], numbers: list[int], seed: int) -> None:
    before, shuffled = facts_of(record), facts_of(written_differently(record, seed))
    after = edited(before, numbers)

    fields = [(change.field, change.weight) for change in compare(before, after)]

    assert [(change.field, change.weight) for change in compare(shuffled, after)] == fields


def test_the_heaviest_change_comes_first() -> None:
    changes = compare(BASE, replace(BASE, status="SUSPENDED", brief_title="New", minimum_age="18 Years", sites=()))

    assert [change.weight for change in changes] == sorted((change.weight for change in changes), reverse=True)
    assert changes[0].field == "status"


@pytest.mark.parametrize(
    ("before", "after", "weight"),
    [
        ("RECRUITING", "TERMINATED", Weight.SAFETY_STOP),
        ("NOT_YET_RECRUITING", "WITHDRAWN", Weight.SAFETY_STOP),
        (None, "SUSPENDED", Weight.SAFETY_STOP),
        ("SUSPENDED", "RECRUITING", Weight.RECRUITING),
        ("COMPLETED", "RECRUITING", Weight.RECRUITING),
        ("RECRUITING", "ACTIVE_NOT_RECRUITING", Weight.RECRUITING),
        ("RECRUITING", "UNKNOWN", Weight.RECRUITING),
        ("NOT_YET_RECRUITING", "UNKNOWN", Weight.SIZE_AND_DATES),
        ("ACTIVE_NOT_RECRUITING", "SOMETHING_NEW", Weight.RECRUITING),
    ],
)
def test_a_status_weighs_by_where_it_came_from_and_went(before: str | None, after: str, weight: Weight) -> None:
    (change,) = compare(replace(BASE, status=before), replace(BASE, status=after))

    assert (change.field, change.before, change.after) == ("status", before, after)
    assert change.weight == weight_of("status", before, after) == weight


@pytest.mark.parametrize("edit", [
    {"verified": "2026-05"},
    {"last_update_posted": "2026-05-05"},
    {"data_version": "2026-05-05"},
    {"last_known_status": "RECRUITING"},
    {"meshes": (), "ancestors": ()},
    {"first_posted": "2020-01-01"},
    {"sites": (replace(BERLIN, zip="10115", state="Berlin", latitude=52.5, longitude=13.4),)},
    {"sites": (replace(BERLIN, facility="CHARITE "),)},
])  # fmt: skip
def test_what_a_reader_would_not_see_is_no_change(edit: dict[str, Any]) -> None:
    assert compare(BASE, replace(BASE, **edit)) == ()


def test_white_space_is_no_change() -> None:
    before = replace(BASE, eligibility="Inclusion:\n\n* one\n* two", brief_title="A title")

    assert compare(before, replace(before, eligibility="Inclusion:\n* one * two", brief_title="A  title")) == ()


def test_capitals_are_no_change() -> None:
    before = replace(
        BASE, brief_title="Sleep in asthma", acronym="Sleep", conditions=("Asthma",), keywords=("Sleep",),
        primary_outcomes=(Outcome(measure="Hours of sleep"),), status="SUSPENDED", why_stopped="Too few people",
    )  # fmt: skip
    after = replace(
        BASE, brief_title="SLEEP IN ASTHMA", acronym="SLEEP", conditions=("asthma",), keywords=("sleep",),
        primary_outcomes=(Outcome(measure="HOURS OF SLEEP"),), status="SUSPENDED", why_stopped="TOO FEW PEOPLE",
    )  # fmt: skip

    assert compare(before, after) == ()
    assert view(before) == view(after)


def test_the_reason_of_a_stop_goes_with_the_stop() -> None:
    stopped = replace(BASE, status="SUSPENDED", why_stopped="Too few people")

    assert [change.field for change in compare(stopped, BASE)] == ["status"]
    assert [change.field for change in compare(BASE, stopped)] == ["status", "why_stopped"]


def test_contacts_are_told_without_details() -> None:
    before = replace(BASE, contacts=(Contact(phone=True),), contacts_fingerprint="a")

    (change,) = compare(before, replace(before, contacts_fingerprint="b"))

    assert (change.field, change.before, change.after) == ("contacts", "given", "updated")
    assert change.weight == Weight.CONTACTS


def test_contacts_that_go_when_recruiting_ends_are_not_told() -> None:
    before = replace(BASE, contacts=(Contact(phone=True),), contacts_fingerprint="a")
    after = replace(BASE, contacts=(), contacts_fingerprint="b")

    assert [change.field for change in compare(before, replace(after, status="COMPLETED"))] == ["status"]
    assert [(change.field, change.after) for change in compare(before, after)] == [("contacts", None)]


def test_contacts_that_go_with_a_site_are_not_told() -> None:
    site = replace(BERLIN, contacts=(Contact(phone=True),))
    before = replace(BASE, sites=(site,), contacts=(Contact(email=True),), contacts_fingerprint="a")
    closed = replace(site, status="COMPLETED", contacts=())

    changes = compare(before, replace(before, sites=(closed,), contacts_fingerprint="b"))

    assert [change.field for change in changes] == ["site_status"]


def test_contacts_that_were_never_spoken_of_are_not_told() -> None:
    assert compare(BASE, replace(BASE, contacts=(Contact(phone=True),), contacts_fingerprint="a")) == ()


def test_a_plan_that_came_true_is_a_change() -> None:
    before = replace(BASE, enrollment=Enrollment(count=9, kind="ESTIMATED"))

    (change,) = compare(before, replace(before, enrollment=Enrollment(count=9, kind="ACTUAL")))

    assert change.after == {"count": "9", "kind": "ACTUAL"}
    assert compare(before, replace(before, enrollment=Enrollment(count=9))) == ()


@pytest.mark.parametrize(("kind", "later", "is_told"), [
    ("ESTIMATED", "2030-01-31", False),
    ("ESTIMATED", "2030-01", False),
    (None, "2030-01-31", False),
    ("ESTIMATED", "2030-02-01", True),
    ("ACTUAL", "2030-01-31", True),
    ("ACTUAL", "2030-01", True),
])  # fmt: skip
def test_of_a_planned_date_only_the_month_counts(kind: str | None, later: str, is_told: bool) -> None:
    before = replace(BASE, completion=RegistryDate(value="2030-01-02", kind=kind))

    assert bool(compare(before, replace(BASE, completion=RegistryDate(value=later, kind=kind)))) == is_told


def test_a_planned_day_that_came_is_told_even_in_the_same_month() -> None:
    before = replace(BASE, start=RegistryDate(value="2030-01-02", kind="ESTIMATED"))

    (change,) = compare(before, replace(BASE, start=RegistryDate(value="2030-01-09", kind="ACTUAL")))

    assert change.after == {"date": "2030-01-09", "kind": "ACTUAL"}


def test_results_are_one_change() -> None:
    (change,) = compare(BASE, replace(BASE, has_results=True, results_first_posted="2026-01-01"))

    assert (change.field, change.path, change.weight) == ("has_results", "hasResults", Weight.RESULTS)


def test_the_two_states_of_the_stroke_study_differ_in_what_happened() -> None:
    changes = compare(own_facts("NCT07635758.first"), own_facts("NCT07635758.second"))

    assert [change.field for change in changes] == ["status", "site_status", "start"]
    assert opens(changes)


def test_opening_is_told_from_other_news() -> None:
    closed = replace(BASE, sites=(replace(BERLIN, status="NOT_YET_RECRUITING"),))

    assert opens(compare(closed, BASE))
    assert opens(compare(replace(BASE, sites=()), BASE))
    assert not opens(compare(BASE, closed))
    assert not opens(compare(BASE, replace(BASE, status="COMPLETED")))
    assert not opens(compare(replace(BASE, status="AVAILABLE"), BASE))


def test_closing_is_told_from_other_news() -> None:
    assert closes(compare(BASE, replace(BASE, status="COMPLETED")))
    assert closes(compare(BASE, replace(BASE, listing="GONE")))
    assert not closes(compare(replace(BASE, status="NOT_YET_RECRUITING"), BASE))
    assert not closes(compare(BASE, replace(BASE, status="AVAILABLE")))
    assert not closes(compare(BASE, replace(BASE, brief_title="New")))


def test_a_study_is_over_when_it_ended_or_is_gone() -> None:
    assert is_over(replace(BASE, status="COMPLETED"))
    assert is_over(replace(BASE, status="UNKNOWN", has_results=True))
    assert not is_over(replace(BASE, status="RECRUITING", has_results=True))
    assert is_over(replace(BASE, listing="MERGED:NCT00000002"))
    assert not is_over(replace(BASE, listing="WITHHELD"))
    assert not is_over(BASE)


def test_a_first_appearance_is_one_change() -> None:
    (change,) = first_appearance(BASE)

    assert (change.field, change.after, change.weight) == (FIRST_SEEN, BASE.nct_id, Weight.RECRUITING)
    assert first_appearance(replace(BASE, status="COMPLETED"))[0].weight < Weight.RECRUITING
