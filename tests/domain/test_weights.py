"""What the table of changes says: everything weighs something, stops most, and no way around is lighter."""

import itertools

import pytest

from notifier.domain.change_table import FIELDS, SHARED, TRANSITIONS, weight_of
from notifier.domain.changes import IMPORTANT, Weight
from notifier.domain.site_comparing import NOT_LOOKING, NOT_SAID
from notifier.domain.trials import OPEN_STATUSES, STOPPED_STATUSES

STATUSES = (
    None, "ACTIVE_NOT_RECRUITING", "COMPLETED", "ENROLLING_BY_INVITATION", "NOT_YET_RECRUITING", "RECRUITING",
    "SUSPENDED", "TERMINATED", "WITHDRAWN", "AVAILABLE", "NO_LONGER_AVAILABLE", "TEMPORARILY_NOT_AVAILABLE",
    "APPROVED_FOR_MARKETING", "WITHHELD", "UNKNOWN", "A_WORD_OF_TOMORROW",
)  # fmt: skip
REASONS = (None, "Too few people", "A danger was found")


@pytest.mark.parametrize(("field", "words"), [("status", STATUSES), ("why_stopped", REASONS)])
def test_no_way_around_is_lighter_than_the_way_itself(field: str, words: tuple[str | None, ...]) -> None:
    for start, middle, end in itertools.product(words, repeat=3):
        if len({start, middle, end}) == 3:
            around = max(weight_of(field, start, middle), weight_of(field, middle, end))
            assert weight_of(field, start, end) <= around, (start, middle, end)


def test_no_way_around_is_lighter_at_a_place_that_comes_opens_closes_and_goes() -> None:
    words = (None, NOT_SAID, NOT_LOOKING, *filter(None, STATUSES))

    def weigh(before: str | None, after: str | None) -> Weight:
        return weight_of("site" if before is None or after is None else "site_status", before, after)

    for start, middle, end in itertools.permutations(words, 3):
        assert weigh(start, end) <= max(weigh(start, middle), weigh(middle, end)), (start, middle, end)


def test_a_stop_outweighs_every_edit() -> None:
    others = [field.weight for field in FIELDS.values()]

    for before, stopped in itertools.product(STATUSES, STOPPED_STATUSES):
        if before != stopped:
            assert weight_of("status", before, stopped) == Weight.SAFETY_STOP
            assert weight_of("status", before, stopped) > max(others)


def test_opening_and_closing_outweigh_all_but_a_stop() -> None:
    for before, after in itertools.permutations(STATUSES, 2):
        if {before, after} & OPEN_STATUSES:
            assert weight_of("status", before, after) >= Weight.RECRUITING


@pytest.mark.parametrize(
    ("field", "before", "after", "weight"),
    [
        ("status", "NOT_YET_RECRUITING", "UNKNOWN", Weight.SIZE_AND_DATES),
        ("status", "UNKNOWN", "COMPLETED", Weight.RECRUITING),
        ("status", "COMPLETED", "RECRUITING", Weight.RECRUITING),
        ("site_status", "NOT_YET_RECRUITING", "RECRUITING", Weight.SITE),
        ("site_status", "RECRUITING", "COMPLETED", Weight.SITE),
        ("site_status", "RECRUITING", "SUSPENDED", Weight.SITE),
        ("site_status", "ACTIVE_NOT_RECRUITING", "COMPLETED", Weight.SIZE_AND_DATES),
        ("site_status", "NOT_SAID", "COMPLETED", Weight.SITE),
        ("site", None, "RECRUITING", Weight.SITE),
        ("site", None, "NOT_SAID", Weight.SITE),
        ("site", None, "WITHDRAWN", Weight.SIZE_AND_DATES),
        ("site", "COMPLETED", None, Weight.SIZE_AND_DATES),
        ("site", "SUSPENDED", None, Weight.SITE),
        ("why_stopped", None, "A danger was found", Weight.SAFETY_STOP),
        ("why_stopped", "Too few people", "Too few took part", Weight.ELIGIBILITY),
        ("listing", None, "GONE", Weight.RECRUITING),
        ("inclusion", None, "Adults", Weight.ELIGIBILITY),
    ],
)
def test_a_transition_weighs_what_the_table_says(
    field: str, before: str | None, after: str | None, weight: Weight
) -> None:
    assert weight_of(field, before, after) == weight


def test_the_table_names_only_fields_there_are() -> None:
    assert {transition.field for transition in TRANSITIONS} <= set(FIELDS)
    assert all(field.path for field in FIELDS.values())


def test_what_many_studies_may_share_is_never_important() -> None:
    assert {"site_country", "site_name", "sponsor", "conditions", "phases"} <= SHARED
    assert all(FIELDS[name].weight < IMPORTANT for name in SHARED)
