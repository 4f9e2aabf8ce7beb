"""Pauses: until when a reader wants no mails, from what they chose."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from notifier.domain.languages import gettext_noop
from notifier.domain.schedules import begins, months_later
from notifier.errors import WrongChoice

UNTIL = "until"
"""The choice of a day of their own."""
SPANS = {"2w": (14, 0), "1m": (0, 1), "3m": (0, 3)}
"""By what the form calls them: days and months."""
MOST_MONTHS = 12

_NO_DAY = gettext_noop("Choose for how long, or write the day as 2026-12-24.")
_PAST = gettext_noop("Choose a day that is still to come.")
_TOO_FAR = gettext_noop("A pause can be a year at most. Choose an earlier day.")


def read_pause(choice: str, *, until: str, time_zone: str, now: datetime) -> datetime:
    """The moment, in UTC, at which a pause ends: when the day begins, where the reader is, on which mails may come.

    Args:
        choice: one of `SPANS`, or `UNTIL`.
        until: the day, as ISO 8601 writes it, where the choice is `UNTIL`.
        time_zone: the reader's.
        now: when this is.

    Raises:
        WrongChoice: it is no choice, no day, not later than today, or more than a year away.
    """
    today = now.astimezone(ZoneInfo(time_zone)).date()
    day = _day_of(choice, until=until, today=today)
    if day <= today:
        raise WrongChoice("pause", _PAST)
    if day > months_later(today, months=MOST_MONTHS):
        raise WrongChoice("pause", _TOO_FAR)
    return begins(day, time_zone=time_zone)


def last_day(today: date) -> date:
    """The last day that a pause may end on."""
    return months_later(today, months=MOST_MONTHS)


def day_after(paused_until: datetime, *, time_zone: str) -> date:
    """The day on which mails may come again, where the reader is."""
    return paused_until.astimezone(ZoneInfo(time_zone)).date()


def _day_of(choice: str, *, until: str, today: date) -> date:
    if choice in SPANS:
        days, months = SPANS[choice]
        return date.fromordinal(months_later(today, months=months).toordinal() + days)
    try:
        if choice == UNTIL:
            return date.fromisoformat(until.strip())
    except ValueError:
        pass
    raise WrongChoice("pause", _NO_DAY)
