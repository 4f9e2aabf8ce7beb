"""What studies share in a change, and what is left of a change for somebody who knows that."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.breaking import Breaker, Rename, is_nothing_else, rename_of, with_missed, without
from notifier.domain.change_table import FIELDS, SHARED
from notifier.domain.changes import FieldChange, Value, Weight

TRIPPED = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def change(field: str, before: Value, after: Value, *, key: str = "") -> FieldChange:
    row = FIELDS[field]
    return FieldChange(field=field, path=row.path, before=before, after=after, weight=row.weight, key=key)


def rename(field: str, before: Value, after: Value) -> Rename:
    found = rename_of(change(field, before, after))
    assert found is not None
    return found


COUNTRY = rename("site_country", "Oldland", "Newland")
TERM = rename("conditions", ["Old name"], ["New name"])


def test_what_never_is_one_change_in_many_studies_may_not_be_shared() -> None:
    own = {"status", "why_stopped", "site_status", "site", "has_results", "listing", "inclusion", "exclusion", "start"}

    assert SHARED & own == set()


def test_the_place_does_not_count() -> None:
    here = rename_of(change("site_country", "Oldland", "Newland", key="A clinic, Leeds, Newland"))

    assert here == COUNTRY


def test_of_a_list_only_what_went_and_came_counts() -> None:
    assert rename("conditions", ["Gout", "Old name"], ["New  name", "Gout"]).signature == TERM.signature


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("site_country", None, "Newland"),
        ("conditions", ["Gout"], ["Gout", "Stroke"]),
        ("conditions", ["Gout"], None),
        ("status", "RECRUITING", "COMPLETED"),
        ("site_status", "RECRUITING", "COMPLETED"),
        ("sponsor_class", "OTHER", "OTHER_GOV"),
    ],
)
def test_these_are_no_renames(field: str, before: Value, after: Value) -> None:
    assert rename_of(change(field, before, after)) is None


def test_a_change_with_anything_else_to_see_is_more_than_the_rename() -> None:
    renamed, stopped = change("site_country", "Oldland", "Newland"), change("status", "RECRUITING", "TERMINATED")

    assert is_nothing_else([renamed], {COUNTRY.signature})
    assert not is_nothing_else([renamed, stopped], {COUNTRY.signature})
    assert not is_nothing_else([], {COUNTRY.signature})


def test_who_knows_the_rename_reads_the_rest() -> None:
    changes = [change("site_country", "Oldland", "Newland"), change("site_country", "Oldland", "Otherland")]

    assert without(changes, [COUNTRY, TERM]) == (changes[1],)


def test_of_a_list_who_knows_the_rename_reads_the_rest() -> None:
    [left] = without([change("conditions", ["Gout", "Old name"], ["New name", "Stroke"])], [TERM])

    assert (left.before, left.after) == (["Gout", "New name"], ["New name", "Stroke"])


def test_a_list_with_nothing_but_renames_is_no_change() -> None:
    second = rename("conditions", ["Second"], ["Zweite"])

    assert without([change("conditions", ["Old name", "Second"], ["Zweite", "New name"])], [TERM, second]) == ()


def test_what_was_missed_stands_beside_what_is_told() -> None:
    told, missed = change("enrollment", {"count": "1"}, {"count": "2"}), change("site_country", "Oldland", "Newland")

    assert with_missed([told], [told, missed], [COUNTRY]) == (told, missed)


def test_what_was_missed_of_a_list_is_told_with_the_rest_of_it() -> None:
    told = change("conditions", ["Gout", "New name"], ["Gout", "New name", "Stroke"])
    since = change("conditions", ["Old name"], ["Gout", "New name", "Stroke"])

    [joined] = with_missed([told], [since], [TERM])

    assert (joined.before, joined.after) == (["Gout", "Old name"], told.after)


def test_what_no_longer_holds_was_not_missed() -> None:
    assert with_missed([], [change("site_country", "Oldland", "Otherland")], [COUNTRY]) == ()


def test_the_heaviest_comes_first_still() -> None:
    told, missed = change("acronym", "A", "B"), change("study_type", "OBSERVATIONAL", "EXPANDED_ACCESS")
    kind = rename("study_type", "OBSERVATIONAL", "EXPANDED_ACCESS")

    assert [one.weight for one in with_missed([told], [missed], [kind])] == [Weight.MEASURES, Weight.WORDING]


@pytest.mark.parametrize(
    ("state", "moment", "left_out"),
    [
        ("held", None, True),
        ("dropped", None, True),
        ("released", None, False),
        ("held", TRIPPED - HOUR, False),
        ("held", TRIPPED + HOUR, True),
        ("released", TRIPPED + HOUR, True),
        ("released", TRIPPED + 3 * HOUR, False),
    ],
)
def test_a_mail_leaves_out_what_it_left_out_when_it_was_made(
    state: str, moment: datetime | None, left_out: bool
) -> None:
    decided = None if state == "held" else TRIPPED + 2 * HOUR
    breaker = Breaker(id=1, rename=COUNTRY, state=state, tripped_at=TRIPPED, decided_at=decided)

    assert breaker.leaves_out(moment) is left_out
