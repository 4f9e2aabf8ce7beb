"""Reads a moment as an operator types it."""

from datetime import UTC, datetime

from notifier.errors import ConfigurationError

YEARS = range(1971, 9_000)
"""Some time can be taken from such a moment, or added to it."""


def read_moment(text: str) -> datetime:
    """The moment of an ISO time or day, in UTC, which is also meant where it names no zone.

    Raises:
        ConfigurationError: it is none, or of no year that we can count with.
    """
    try:
        moment = datetime.fromisoformat(text.strip().upper())
        found = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.year not in YEARS:
        raise ConfigurationError(
            f"“{text}” is no time that can be used: write it like 2026-11-22T03:00:00Z. Without Z, or a zone such as "
            "+01:00, it is UTC."
        )
    return found
