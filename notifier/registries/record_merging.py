"""Joins a newer record to the one held, so that what it does not speak of is not lost."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from notifier.domain.trials import STOPPED_STATUSES
from notifier.registries.record_shapes import Json, code_in, object_in

CONTACTS_FINGERPRINT = "contactsFingerprint"
"""Where a masked record keeps the keyed fingerprint of its contacts."""

_SECTIONS = ("protocolSection", "derivedSection")
_WHAT_IT_IS = ("facility", "city", "country", "measure", "label", "name", "id")


def is_complete(record: Json) -> bool:
    """Whether a record is whole, or an answer to a question for some of its fields.

    Every whole record names these, and no question for what readers look at asks for all of them.
    """
    protocol = object_in(record.get("protocolSection"))
    identification = object_in(protocol.get("identificationModule"))
    status = object_in(protocol.get("statusModule"))
    sponsors = object_in(protocol.get("sponsorCollaboratorsModule"))
    return (
        {"orgStudyIdInfo", "organization", "briefTitle"} <= identification.keys()
        and {"overallStatus", "statusVerifiedDate", "studyFirstSubmitDate", "lastUpdateSubmitDate"} <= status.keys()
        and "leadSponsor" in sponsors
        and bool(protocol.get("conditionsModule"))
        and "studyType" in object_in(protocol.get("designModule"))
    )


def merge_record(held: Json, new: Json) -> Json:
    """A record that says all the new one says, and what only the held one says; neither is altered.

    A whole record replaces module by module: what is gone from a module it brings is gone. A partial one replaces key
    by key, and what it does not name is kept, in the members of a list too.
    """
    whole = is_complete(new)
    merged = {**held, **{key: value for key, value in new.items() if key not in _SECTIONS}}
    for name in _SECTIONS:
        before, after = object_in(held.get(name)), object_in(new.get(name))
        if before or after:
            merged[name] = {**before, **after} if whole else _joined(before, after)
    if not whole:
        _drop_outdated_reason(merged, new)
    if not whole or "contactsLocationsModule" not in object_in(new.get("protocolSection")):
        merged.pop(CONTACTS_FINGERPRINT, None)
        if CONTACTS_FINGERPRINT in held:
            merged[CONTACTS_FINGERPRINT] = held[CONTACTS_FINGERPRINT]
    return merged


def _drop_outdated_reason(merged: Json, new: Json) -> None:
    """Take away why a study was stopped where a partial record says that it goes on and no more."""
    said = object_in(object_in(new.get("protocolSection")).get("statusModule"))
    if code_in(said.get("overallStatus")) in {None, *STOPPED_STATUSES} or said.get("whyStopped"):
        return
    protocol = merged["protocolSection"]
    status = {key: value for key, value in object_in(protocol.get("statusModule")).items() if key != "whyStopped"}
    merged["protocolSection"] = {**protocol, "statusModule": status}


def _joined(held: Json, new: Json) -> Json:
    if "date" in new and new["date"] != held.get("date"):
        return new
    return {**held, **{key: _joined_value(held.get(key), value) for key, value in new.items()}}


def _joined_value(held: object, new: object) -> object:
    if new is None or new in ({}, [], ""):
        return held
    if isinstance(held, dict) and isinstance(new, dict):
        return _joined(held, new)
    if isinstance(held, list) and isinstance(new, list):
        return _joined_lists(held, new)
    return new


def _joined_lists(held: list[Any], new: list[Any]) -> list[Any]:
    """The new members, each with what nobody asked about this time, taken from the held member it is.

    A key that some new member names was asked for; a member without it has lost it.
    """
    if not all(isinstance(member, dict) for member in (*held, *new)):
        return new
    asked = {key for member in new for key in member}
    known = [key for key in _WHAT_IT_IS if key in asked]
    waiting: defaultdict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for member in held:
        waiting[_identity(member, known)].append(member)
    joined = []
    for member in new:
        same = waiting[_identity(member, known)]
        before = same.pop(0) if known and same else {}
        joined.append({**{key: value for key, value in before.items() if key not in asked}, **member})
    return joined


def _identity(member: Mapping[str, Any], known: list[str]) -> tuple[str, ...]:
    return tuple(str(member.get(key)) for key in known)
