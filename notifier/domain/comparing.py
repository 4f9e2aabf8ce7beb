"""Compares two states of one trial: what a reader would see changed, heaviest first, and nothing else."""

from collections.abc import Iterable, Iterator

from notifier.domain.aligning import as_read, name_as_read, same_text
from notifier.domain.change_table import FACTS, FIELDS, OTHERS, PLANNED, SETS, Field, change_of
from notifier.domain.changes import FIRST_SEEN, FieldChange, Value, Weight
from notifier.domain.contact_comparing import compare_contacts
from notifier.domain.criteria import LISTS
from notifier.domain.criteria_comparing import compare_criteria
from notifier.domain.member_comparing import compare_members
from notifier.domain.site_comparing import compare_sites
from notifier.domain.trials import (
    OPEN_STATUSES,
    STATUSES_WITH_SITES,
    STOPPED_STATUSES,
    Enrollment,
    RegistryDate,
    TrialFacts,
)

ACTUAL = "ACTUAL"


def compare(before: TrialFacts, after: TrialFacts) -> tuple[FieldChange, ...]:
    """What changed from one state of a trial to another, heaviest first; empty when a reader would see no difference.

    Things are the same by what they are, never by their place in a list. Order, white space, capitals, positions on the
    map, verification and update dates and the registry's own version are not changes. Criteria of one list follow each
    other as in the record, all else of one field by its key.
    """
    if before == after:
        return ()
    sites = list(compare_sites(before, after))
    found = [
        *_compare_status(before, after),
        *sites,
        *compare_criteria(before.eligibility, after.eligibility),
        *_compare_facts(before, after),
        *_compare_planned(before, after),
        *_compare_sets(before, after),
        *compare_members(before, after),
        *_compare_results_date(before, after),
        *compare_contacts(before, after, site_changes=sites),
    ]
    return tuple(sorted(found, key=_order))


def first_appearance(facts: TrialFacts) -> tuple[FieldChange, ...]:
    """The Change of a trial we have not held before: that it is there; heavier when people can join, or soon can."""
    row = OTHERS[FIRST_SEEN]
    weight = Weight.RECRUITING if facts.status in STATUSES_WITH_SITES else row.weight
    return (FieldChange(field=FIRST_SEEN, path=row.path, before=None, after=facts.nct_id, weight=weight),)


def opens(changes: Iterable[FieldChange]) -> bool:
    """Whether people can join since these changes who could not before: the study opened, or a site did."""
    return any(_is_opening(change) for change in changes)


def closes(changes: Iterable[FieldChange]) -> bool:
    """Whether people who could join before these changes no longer can: the study closed, or is not listed any more."""
    return any(_is_closing(change) for change in changes)


def reason_of_stop(facts: TrialFacts) -> str | None:
    """Why the study stopped; None once it goes on, even where the record still has the reason."""
    return facts.why_stopped if facts.status in STOPPED_STATUSES else None


def value_as_read(row: Field, value: str | int | bool | None) -> str | int | bool | None:
    """One side of a single fact, or one text of a list, in the form in which it is compared."""
    if not isinstance(value, str):
        return value
    return name_as_read(value) if row.is_name else as_read(value)


def planned_amount(value: RegistryDate | Enrollment) -> str:
    """A number or a date, as it is compared while it is a plan.

    Of a planned date only the month counts: registrants move the day along with today, and no reader plans by it.
    """
    return value.value[: len("2026-03")] if isinstance(value, RegistryDate) else str(value.count)


def _order(change: FieldChange) -> tuple[int, int, str, str]:
    known_by = ("", "") if change.field in LISTS else (change.key, repr((change.before, change.after)))
    return -change.weight, FIELDS[change.field].rank, *known_by


def _is_opening(change: FieldChange) -> bool:
    if change.field == "site":
        return isinstance(change.after, dict) and change.after.get("status") in OPEN_STATUSES
    if change.field not in {"status", "site_status"}:
        return False
    return change.after in OPEN_STATUSES and change.before not in OPEN_STATUSES


def _is_closing(change: FieldChange) -> bool:
    if change.field == "listing":
        return change.before is None
    return change.field == "status" and change.before in OPEN_STATUSES and change.after not in OPEN_STATUSES


def _compare_status(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    """The status, and the reason of a stop; that a study goes on explains that the reason went."""
    if before.status != after.status:
        yield change_of("status", before.status, after.status)
    old, new = reason_of_stop(before), reason_of_stop(after)
    if after.status in STOPPED_STATUSES and not same_text(old, new):
        yield change_of("why_stopped", old, new)


def _compare_facts(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    for row in FACTS:
        old, new = getattr(before, row.fact), getattr(after, row.fact)
        if old != new and value_as_read(row, old) != value_as_read(row, new):
            yield change_of(row.name, old, new)


def _compare_planned(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    for row in PLANNED:
        old, new = getattr(before, row.fact), getattr(after, row.fact)
        if not _is_same_plan(old, new):
            yield change_of(row.name, _plan(old), _plan(new))


def _is_same_plan(old: RegistryDate | Enrollment | None, new: RegistryDate | Enrollment | None) -> bool:
    """A kind that one side does not name is no difference: old records lack it. Neither is another day of a plan."""
    if old is None or new is None or old == new:
        return old == new
    same_kind = old.kind == new.kind or old.kind is None or new.kind is None
    if ACTUAL in {old.kind, new.kind}:
        return same_kind and _amount(old) == _amount(new)
    return same_kind and planned_amount(old) == planned_amount(new)


def _plan(value: RegistryDate | Enrollment | None) -> Value:
    if value is None:
        return None
    return {"date" if isinstance(value, RegistryDate) else "count": _amount(value), "kind": value.kind}


def _amount(value: RegistryDate | Enrollment) -> str:
    return value.value if isinstance(value, RegistryDate) else str(value.count)


def _compare_sets(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    for row in SETS:
        old, new = getattr(before, row.fact), getattr(after, row.fact)
        if old != new and {value_as_read(row, text) for text in old} != {value_as_read(row, text) for text in new}:
            yield change_of(row.name, list(old) or None, list(new) or None)


def _compare_results_date(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    """The day results were posted, where that is not told already by their being there."""
    if before.has_results == after.has_results and before.results_first_posted != after.results_first_posted:
        yield change_of("results_first_posted", before.results_first_posted, after.results_first_posted)
