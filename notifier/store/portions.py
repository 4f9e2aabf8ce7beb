"""Long lists in portions: an engine takes only so many values in one statement."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

PORTION = 10_000
"""PostgreSQL's protocol allows 65,535 values, SQLite as built by default 32,766."""


def portions(values: Iterable[T], size: int = PORTION) -> Iterator[list[T]]:
    """The values in lists of at most ``size``; none where there are no values."""
    left = iter(values)
    while portion := list(islice(left, size)):
        yield portion
