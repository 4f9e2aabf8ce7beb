"""Tells whether a change lets more people join, or fewer."""

import re

from notifier.domain.changes import FieldChange, Value

WIDER = "wider"
NARROWER = "narrower"

_AGE = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)\s*(minute|hour|day|week|month|year)s?", re.IGNORECASE)
_DAYS = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}
_NO_LIMIT = frozenset({"", "n/a", "na", "none", "no limit"})
_EVERYBODY = "ALL"


def widening(change: FieldChange) -> str | None:
    """`WIDER` or `NARROWER` for a change of the ages, the sex or healthy volunteers; None where neither can be said."""
    if change.field in {"minimum_age", "maximum_age"}:
        return _ages_widening(change)
    if change.field == "sex":
        return _sex_widening(change.before, change.after)
    if change.field == "healthy_volunteers" and {change.before, change.after} == {True, False}:
        return _said(change.after is True)
    return None


def age_in_days(age: str | None) -> float | None:
    """An age as the registry writes it, such as ``18 Years``, in days; None where it sets no limit or is no age."""
    match = _AGE.fullmatch((age or "").strip())
    return float(match[1]) * _DAYS[match[2].lower()] if match else None


def _ages_widening(change: FieldChange) -> str | None:
    if not (_is_age(change.before) and _is_age(change.after)):
        return None
    open_end = 0.0 if change.field == "minimum_age" else float("inf")
    before, after = (_limit(side, open_end) for side in (change.before, change.after))
    if before == after:
        return None
    return _said((after < before) == (change.field == "minimum_age"))


def _sex_widening(before: Value, after: Value) -> str | None:
    if before == _EVERYBODY and after is not None:
        return NARROWER
    return WIDER if after == _EVERYBODY and before is not None else None


def _is_age(side: Value) -> bool:
    if side is None:
        return True
    return isinstance(side, str) and (side.strip().casefold() in _NO_LIMIT or age_in_days(side) is not None)


def _limit(side: Value, open_end: float) -> float:
    days = age_in_days(side) if isinstance(side, str) else None
    return open_end if days is None else days


def _said(wider: bool) -> str:
    return WIDER if wider else NARROWER
