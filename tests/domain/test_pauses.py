"""Until when a pause is, by the reader's own calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest

from notifier.domain.pauses import day_after, read_pause
from notifier.errors import WrongChoice

LATE = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
"""It is February already in Berlin."""


@pytest.mark.parametrize(
    ("choice", "until", "day"),
    [
        ("2w", "", date(2026, 2, 15)),
        ("1m", "", date(2026, 3, 1)),
        ("3m", "", date(2026, 5, 1)),
        ("until", "2026-02-02", date(2026, 2, 2)),
        ("until", " 2027-02-01 ", date(2027, 2, 1)),
    ],
)
def test_a_pause_ends_when_a_day_begins_where_the_reader_is(choice: str, until: str, day: date) -> None:
    found = read_pause(choice, until=until, time_zone="Europe/Berlin", now=LATE)

    assert day_after(found, time_zone="Europe/Berlin") == day
    assert found.astimezone(UTC).hour in {22, 23}


def test_a_month_after_the_last_of_january_is_the_last_of_february() -> None:
    found = read_pause("1m", until="", time_zone="UTC", now=LATE)

    assert found == datetime(2026, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("choice", "until"),
    [
        ("until", "2026-02-01"),
        ("until", "2025-12-24"),
        ("until", "2027-02-02"),
        ("until", "9999-99-99"),
        ("until", "tomorrow"),
        ("until", ""),
        ("4m", "2026-03-01"),
        ("", ""),
    ],
)
def test_what_is_no_day_within_a_year_is_refused(choice: str, until: str) -> None:
    with pytest.raises(WrongChoice):
        read_pause(choice, until=until, time_zone="Europe/Berlin", now=LATE)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Santiago", "Africa/Cairo", "America/Havana", "Asia/Beirut"])
def test_a_day_begins_with_its_first_moment_also_where_clocks_skip_midnight(zone: str) -> None:
    for days in range(1, 365):
        day = date(2026, 3, 1) + timedelta(days=days)
        found = read_pause("until", until=day.isoformat(), time_zone=zone, now=datetime(2026, 3, 1, 12, tzinfo=UTC))

        assert day_after(found, time_zone=zone) == day
        assert day_after(found - timedelta(seconds=1), time_zone=zone) == day - timedelta(days=1)
