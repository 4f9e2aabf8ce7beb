"""When a reader is due: as it happens, daily or weekly at an hour of their own time zone."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from notifier.errors import InvalidRequest

CADENCES = ("instant", "daily", "weekly")
ALWAYS_DUE = datetime(1970, 1, 1, tzinfo=UTC)
"""When "as it happens" is next due: always."""
FURTHEST = {"daily": timedelta(days=3), "weekly": timedelta(days=9)}
"""No schedule is next due later than this from now, whatever its clocks or calendar skip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often, at which local hour (0 to 23), on which weekday (0 is Monday; weekly only), in which time zone."""

    cadence: str = "daily"
    hour: int = 8
    weekday: int = 0
    time_zone: str = "UTC"


def read_cadence(*, cadence: str, hour: int, weekday: int, time_zone: str) -> Cadence:
    """Check what somebody chose; what the cadence does not use is set to one value, so that schedules are shared.

    Raises:
        InvalidRequest: an unknown cadence, hour, weekday or time zone.
    """
    if cadence not in CADENCES:
        raise InvalidRequest("How often must be one of: instant, daily, weekly.")
    if not 0 <= hour <= 23:
        raise InvalidRequest("The hour must be between 0 and 23.")
    if not 0 <= weekday <= 6:
        raise InvalidRequest("The weekday must be between 0 (Monday) and 6 (Sunday).")
    if time_zone not in time_zones():
        raise InvalidRequest("This time zone is not known. It should look like Europe/Berlin.")
    if cadence == "instant":
        return Cadence(cadence=cadence, hour=0, weekday=0, time_zone="UTC")
    return Cadence(cadence=cadence, hour=hour, weekday=weekday if cadence == "weekly" else 0, time_zone=time_zone)


@cache
def time_zones() -> frozenset[str]:
    """The names of all time zones; to list them anew takes 10 ms of searching folders, too long for each form."""
    return frozenset(available_timezones())


def next_due(schedule: Cadence, *, after: datetime) -> datetime:
    """The first moment later than ``after`` at which the schedule is due, in UTC.

    An hour that the clocks skip means the next valid minute, one that they repeat its first occurrence. A day that the
    calendar skips, as one did on Samoa in 2011, has no daily digest: the next day's follows at once.
    """
    if schedule.cadence == "instant":
        return ALWAYS_DUE
    zone = ZoneInfo(schedule.time_zone)
    day = after.astimezone(zone).date() - timedelta(days=1)
    while True:
        day += timedelta(days=1)
        if schedule.cadence == "weekly" and day.weekday() != schedule.weekday:
            continue
        due = _moment(day, schedule.hour, zone)
        if due > after and (schedule.cadence == "weekly" or not _is_skipped(day, due, zone)):
            return due


def start_of_day(time_zone: str, *, now: datetime) -> datetime:
    """The moment, in UTC, at which the day began that it is now in a time zone."""
    zone = ZoneInfo(time_zone)
    return _moment(now.astimezone(zone).date(), 0, zone)


def begins(day: date, *, time_zone: str) -> datetime:
    """The moment, in UTC, at which a day begins in a time zone."""
    return _moment(day, 0, ZoneInfo(time_zone))


def months_later(day: date, *, months: int) -> date:
    """The same day some months later, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def period(schedule: Cadence, *, due: datetime) -> str:
    """The local day for which a digest is due: with kind and subscriber it names one mail.

    Where the clocks skip the last hour of a day, it is due when the next one begins, and still that day's.
    """
    zone = ZoneInfo(schedule.time_zone)
    day = due.astimezone(zone).date()
    before = day - timedelta(days=1)
    is_late = due == _moment(before, schedule.hour, zone) != _moment(day, schedule.hour, zone)
    return (before if is_late else day).isoformat()


def _is_skipped(day: date, due: datetime, zone: ZoneInfo) -> bool:
    """Whether there is no such day at all; only then a moment of its own comes when the next one has begun."""
    return due.astimezone(zone).date() != day and _moment(day, 0, zone).astimezone(zone).date() != day


def _moment(day: date, hour: int, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, time(hour), tzinfo=zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    # Skipped by the clocks: with fold=1 the offset after the jump applies, and the jump itself lies between the two.
    start, end = local.replace(fold=1).astimezone(UTC), moment
    return _jump(min(start, end), max(start, end), zone)


def _jump(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    before = start.astimezone(zone).utcoffset()
    while end - start > timedelta(minutes=1):
        middle = start + (end - start) / 2
        if middle.astimezone(zone).utcoffset() == before:
            start = middle
        else:
            end = middle
    return end.replace(second=0, microsecond=0)
