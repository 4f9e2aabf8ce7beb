"""Counts in one process's memory cost the same however many there are, and do not pile up."""

import threading

import pytest

from notifier.web import own_counts
from notifier.web.own_counts import OwnCounts


def test_counting_starts_no_thread() -> None:
    counts, before = OwnCounts(), threading.active_count()

    for number in range(100):
        counts.incr(f"network {number}", 60)

    assert threading.active_count() <= before


def test_what_has_run_out_is_let_go_of_and_the_rest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_counts, "TIDY_SECONDS", 0)
    counts = OwnCounts()
    counts.incr("over", -1)
    counts.incr("kept", 60)

    counts.tidy()

    assert (dict(counts.storage), counts.get("kept")) == ({"kept": 1}, 1)


def test_there_are_never_very_many() -> None:
    counts = OwnCounts(most=100)

    for number in range(1000):
        counts.incr(f"network {number}", 60 + number)
        counts.tidy()

    assert len(counts.storage) <= 101
    assert counts.get("network 999") == 1
