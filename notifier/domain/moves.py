"""Tells where a change leads: to a status, wider or narrower, later or earlier, added or removed."""

from collections.abc import Callable

from notifier.domain.changes import FieldChange, Value
from notifier.domain.trials import RegistryDate
from notifier.domain.vocabulary import AGAIN, HEARD
from notifier.domain.widening import widening

_STEPS = {
    "NOT_YET_RECRUITING": 0,
    "RECRUITING": 1,
    "ENROLLING_BY_INVITATION": 1,
    "AVAILABLE": 1,
    "ACTIVE_NOT_RECRUITING": 2,
    "TEMPORARILY_NOT_AVAILABLE": 2,
    "SUSPENDED": 3,
    "COMPLETED": 4,
    "TERMINATED": 4,
    "WITHDRAWN": 4,
    "NO_LONGER_AVAILABLE": 4,
}
"""How far a study has come; one that goes to a lower step goes backwards."""
_NOT_KNOWN = (None, "UNKNOWN")


def direction(change: FieldChange) -> str:
    """Whether something was added, removed or changed."""
    if change.before is None:
        return "added"
    return "removed" if change.after is None else "changed"


def towards(change: FieldChange) -> str | None:
    """Where a change leads, as the tables of words name it."""
    lead = _LEADS.get(change.field)
    return lead(change) if lead else widening(change) or direction(change)


def date_of(value: Value) -> RegistryDate | None:
    """A date of the study as one side of a change holds it; None where there is none."""
    if isinstance(value, dict) and value.get("date"):
        return RegistryDate(value=value["date"] or "", kind=value.get("kind"))
    return None


def count_of(value: Value) -> int | None:
    """The number of people as one side of a change holds it; None where there is none."""
    count = value.get("count") if isinstance(value, dict) else None
    return int(count) if count else None


def became_actual(change: FieldChange) -> bool:
    """Whether a plan has become a fact."""
    return _kind(change.before) == "ESTIMATED" and _kind(change.after) == "ACTUAL"


def _kind(value: Value) -> str | None:
    return value.get("kind") if isinstance(value, dict) else None


def _status(change: FieldChange) -> str | None:
    """The new status, marked where the study or the site went backwards, or where nobody knew how the study was."""
    before, after = change.before, change.after
    if not isinstance(after, str):
        return "removed"
    if change.field == "status" and before in _NOT_KNOWN:
        return after + HEARD
    known = isinstance(before, str) and before in _STEPS and after in _STEPS
    return after + AGAIN if known and _STEPS[str(before)] > _STEPS[after] else after


def _listing(change: FieldChange) -> str:
    return change.after.partition(":")[0] if isinstance(change.after, str) else "removed"


def _results(change: FieldChange) -> str:
    return "added" if change.after else "removed"


def _date(change: FieldChange) -> str:
    """Later or earlier is told of plans only: a fact does not move, it is put right."""
    if became_actual(change):
        return "actual"
    old, new = date_of(change.before), date_of(change.after)
    if old is None or new is None or new.kind != "ESTIMATED":
        return direction(change)
    length = min(len(old.value), len(new.value))
    before, after = old.value[:length], new.value[:length]
    if before == after:
        return "changed"
    return "later" if after > before else "earlier"


def _size(change: FieldChange) -> str:
    if became_actual(change):
        return "actual"
    old, new = count_of(change.before), count_of(change.after)
    if old is None or new is None or old == new or _kind(change.after) != "ESTIMATED":
        return direction(change)
    return "more" if new > old else "fewer"


_LEADS: dict[str, Callable[[FieldChange], str | None]] = {
    "status": _status,
    "site_status": _status,
    "listing": _listing,
    "has_results": _results,
    "start": _date,
    "primary_completion": _date,
    "completion": _date,
    "enrollment": _size,
}
