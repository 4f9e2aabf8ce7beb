"""Whether more people may join after a change, or fewer."""

import pytest

from notifier.domain.change_table import change_of
from notifier.domain.changes import Value
from notifier.domain.widening import age_in_days, widening


@pytest.mark.parametrize(
    ("field", "before", "after", "said"),
    [
        ("minimum_age", "18 Years", "16 Years", "wider"),
        ("minimum_age", "18 Years", None, "wider"),
        ("minimum_age", "6 Months", "1 Year", "narrower"),
        ("maximum_age", "65 Years", "N/A", "wider"),
        ("maximum_age", None, "80 Years", "narrower"),
        ("maximum_age", "24 Months", "2 Years", None),
        ("maximum_age", "65 Years", "very old", None),
        ("sex", "FEMALE", "ALL", "wider"),
        ("sex", "ALL", "MALE", "narrower"),
        ("sex", "MALE", "FEMALE", None),
        ("healthy_volunteers", False, True, "wider"),
        ("healthy_volunteers", True, False, "narrower"),
        ("healthy_volunteers", None, True, None),
        ("enrollment", None, "7", None),
    ],
)
def test_a_change_lets_more_people_join_or_fewer(field: str, before: Value, after: Value, said: str | None) -> None:
    assert widening(change_of(field, before, after)) == said


def test_an_age_is_counted_in_days() -> None:
    assert (age_in_days("2 Weeks"), age_in_days("N/A"), age_in_days(None)) == (14, None, None)
