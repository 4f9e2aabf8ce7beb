"""Compares two states of one trial: what a reader would see changed, heaviest first, and nothing else."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from notifier.domain.aligning import align, fold, same_text, squeezed, text_likeness
from notifier.domain.change_table import FACTS, FIELDS, MEMBERS, OTHERS, PLANNED, SETS, TRANSITIONS, Field
from notifier.domain.changes import FIRST_SEEN, FieldChange, Value, Weight
from notifier.domain.site_comparing import STATUSES_WITH_SITES, compare_sites
from notifier.domain.trials import OPEN_STATUSES, Arm, Enrollment, Intervention, Outcome, RegistryDate, TrialFacts

Member: TypeAlias = Arm | Intervention | Outcome

_PARTS: dict[type, tuple[str, ...]] = {
    Arm: ("label", "kind", "description", "interventions"),
    Intervention: ("name", "kind", "description", "other_names"),
    Outcome: ("measure", "time_frame", "description"),
}


def compare(before: TrialFacts, after: TrialFacts) -> tuple[FieldChange, ...]:
    """What changed from one state of a trial to another, heaviest first; empty when a reader would see no difference.

    Things are the same by what they are, never by their place in a list. Order, white space, positions on the map,
    verification and update dates and the registry's own version are not changes.
    """
    if before == after:
        return ()
    found = [
        *_compare_status(before, after),
        *compare_sites(before, after),
        *_compare_facts(before, after),
        *_compare_planned(before, after),
        *_compare_sets(before, after),
        *_compare_members(before, after),
        *_compare_results_date(before, after),
        *_compare_contacts(before, after),
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


def status_weight(before: str | None, after: str | None) -> Weight:
    """What a move of the whole study from one status to another weighs."""
    for transition in TRANSITIONS:
        fits_before = not transition.before or before in transition.before
        if fits_before and (not transition.after or after in transition.after):
            return transition.weight
    return OTHERS["status"].weight


def _order(change: FieldChange) -> tuple[int, int, str, str]:
    return -change.weight, FIELDS[change.field].rank, change.key, repr((change.before, change.after))


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


def _change(row: Field, before: Value, after: Value, *, key: str = "") -> FieldChange:
    return FieldChange(field=row.name, path=row.path, before=before, after=after, weight=row.weight, key=key)


def _compare_status(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    if before.status == after.status:
        return
    yield FieldChange(
        field="status",
        path=OTHERS["status"].path,
        before=before.status,
        after=after.status,
        weight=status_weight(before.status, after.status),
    )


def _compare_facts(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    for row in FACTS:
        old, new = getattr(before, row.fact), getattr(after, row.fact)
        if old == new or (isinstance(old, str) and isinstance(new, str) and same_text(old, new)):
            continue
        yield _change(row, old, new)


def _compare_planned(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    for row in PLANNED:
        old, new = getattr(before, row.fact), getattr(after, row.fact)
        if not _is_same_plan(old, new):
            yield _change(row, _plan(old), _plan(new))


def _is_same_plan(old: RegistryDate | Enrollment | None, new: RegistryDate | Enrollment | None) -> bool:
    """A kind that one side does not name is no difference: old records lack it."""
    if old is None or new is None or old == new:
        return old == new
    same_kind = old.kind == new.kind or old.kind is None or new.kind is None
    return same_kind and _amount(old) == _amount(new)


def _plan(value: RegistryDate | Enrollment | None) -> Value:
    if value is None:
        return None
    return {"date" if isinstance(value, RegistryDate) else "count": _amount(value), "kind": value.kind}


def _amount(value: RegistryDate | Enrollment) -> str:
    return value.value if isinstance(value, RegistryDate) else str(value.count)


def _compare_sets(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    for row in SETS:
        old, new = getattr(before, row.fact), getattr(after, row.fact)
        if old != new and {squeezed(text) for text in old} != {squeezed(text) for text in new}:
            yield _change(row, list(old) or None, list(new) or None)


def _compare_members(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    for row in MEMBERS:
        old, new = getattr(before, row.fact), getattr(after, row.fact)
        if old != new:
            yield from _compare_lists(row, old, new)


def _compare_lists(row: Field, before: tuple[Member, ...], after: tuple[Member, ...]) -> Iterator[FieldChange]:
    name = row.known_by[-1]

    def known_by(member: Member) -> tuple[str, ...]:
        return tuple(fold(getattr(member, part)) for part in row.known_by)

    def named(member: Member) -> str:
        return fold(getattr(member, name))

    def likeness(one: Member, other: Member) -> float:
        return text_likeness(getattr(one, name), getattr(other, name))

    alignment = align(before, after, keys=(_seen, known_by, named), likeness=likeness)
    for member in alignment.removed:
        yield _change(row, _shown(member), None, key=getattr(member, name))
    for member in alignment.added:
        yield _change(row, None, _shown(member), key=getattr(member, name))
    for old, new in alignment.pairs:
        if _seen(old) != _seen(new):
            yield _change(row, _shown(old), _shown(new), key=getattr(new, name))


def _seen(member: Member) -> tuple[object, ...]:
    return tuple(_seen_part(getattr(member, part)) for part in _PARTS[type(member)])


def _seen_part(part: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
    return tuple(sorted({squeezed(text) or "" for text in part})) if isinstance(part, tuple) else squeezed(part)


def _shown(member: Member) -> dict[str, str | None]:
    shown: dict[str, str | None] = {}
    for part in _PARTS[type(member)]:
        value = getattr(member, part)
        shown[part] = "; ".join(sorted(value)) or None if isinstance(value, tuple) else value
    return shown


def _compare_results_date(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    """The day results were posted, where that is not told already by their being there."""
    if before.has_results == after.has_results and before.results_first_posted != after.results_first_posted:
        yield _change(OTHERS["results_first_posted"], before.results_first_posted, after.results_first_posted)


def _compare_contacts(before: TrialFacts, after: TrialFacts) -> Iterator[FieldChange]:
    """That contacts were given, taken away or updated, and no more than that.

    Where one side never spoke of contacts there is nothing to compare, and when a study stops looking for people its
    contacts go: that is explained by the status.
    """
    old, new = before.contacts_fingerprint, after.contacts_fingerprint
    if old is None or new is None or old == new:
        return
    given, still_given = _has_contacts(before), _has_contacts(after)
    if given == still_given:
        yield _change(OTHERS["contacts"], "given", "updated")
    elif (before if still_given else after).status in STATUSES_WITH_SITES:
        yield _change(OTHERS["contacts"], "given" if given else None, "given" if still_given else None)


def _has_contacts(facts: TrialFacts) -> bool:
    return bool(facts.contacts) or any(site.contacts for site in facts.sites)
