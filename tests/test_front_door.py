"""The front door on PostgreSQL, small: every kind of request is answered, and no big table is read from end to end."""

import pytest

from bench.front_door import measure
from bench.reader_database import Size

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis]

SMALL = Size(studies=60, conditions=12_000, readers=24_000, subscriptions=36_000, known=300, suppressed=12_000)


def test_what_readers_ask_for_at_the_front_door_is_found_by_indexes() -> None:
    figures = measure(SMALL, rate=20, seconds=4)

    assert figures.waits.wrong == []
    assert len(figures.waits.seconds) == 5
    assert figures.scanned == frozenset(), [plan for plan in figures.plans if plan.scans & figures.scanned]
    assert any("INSERT INTO pending_requests" in plan.statement for plan in figures.plans)
    assert any("UPDATE subscribers" in plan.statement for plan in figures.plans)
