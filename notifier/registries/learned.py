"""Tells what changed about a study from what we merely learn of it, where only part of its record was held."""

from collections.abc import Iterator

from notifier.domain import comparing
from notifier.domain.changes import FieldChange
from notifier.domain.trials import TrialFacts
from notifier.registries.listings import WITHHELD
from notifier.registries.record_merging import is_complete
from notifier.registries.record_shapes import Json, list_in

_KEYS = {"kind": "type", "time_frame": "timeFrame", "interventions": "interventionNames", "other_names": "otherNames"}
"""What the registry calls the parts of a list's member, where we call them otherwise."""
_SAID_BY = {
    "why_stopped": "protocolSection.statusModule.overallStatus",
    "listing": "protocolSection.identificationModule.nctId",
}
"""What is left out where it does not apply: a status without a reason says that there is none."""


def changes_between(held_record: Json, before: TrialFacts, after: TrialFacts) -> tuple[FieldChange, ...]:
    """What changed from one state of a study to another, heaviest first, without what was only not known before.

    Args:
        held_record: the record of the earlier state, as it is stored; where it is whole, everything counts.
        before: what it says.
        after: what the later state says.
    """
    changes = comparing.compare(before, after)
    if before.listing == before.status == WITHHELD:
        # Never shown to us before: all of it is merely learned.
        return tuple(change for change in changes if change.field == "listing")
    if is_complete(held_record):
        return changes
    return tuple(change for change in changes if not _is_learned(change, held_record))


def _is_learned(change: FieldChange, held: Json) -> bool:
    """Whether the held record said nothing of it; a list that it did carry was the whole list then."""
    path = _SAID_BY.get(change.field, change.path)
    if change.before is None or change.before is False:
        return not _is_carried(held, path)
    if not isinstance(change.before, dict) or not isinstance(change.after, dict):
        return False
    differing = [part for part, value in change.after.items() if change.before.get(part) != value]
    return all(
        change.before.get(part) is None and not _is_carried(held, f"{path}.{_KEYS.get(part, part)}")
        for part in differing
    )


def _is_carried(record: Json, path: str) -> bool:
    return any(value not in (None, "", [], {}) for value in _values_at(record, path.split(".")))


def _values_at(value: object, keys: list[str]) -> Iterator[object]:
    """What stands at a path, in each member of the lists on the way."""
    if not keys:
        yield value
        return
    for member in list_in(value):
        if isinstance(member, dict):
            yield from _values_at(member.get(keys[0]), keys[1:])
