"""Notes in a stored record how the registry lists its study: a record itself never says that it is gone or merged."""

from notifier.registries.record_merging import merge_record
from notifier.registries.record_shapes import Json, code_in, line_in, object_in

LISTING = "listing"
"""Where a stored record keeps it; what comes from outside is reduced first, so a stranger's key never gets here."""
GONE = "GONE"
WITHHELD = "WITHHELD"

_MERGED = "MERGED:"
_NUMBERS = ("nctId", "nctIdAliases")
_UPKEEP = ("lastUpdatePostDateStruct", "lastUpdateSubmitDate", "statusVerifiedDate")
_LONGEST = 32


def merged_into(number: str) -> str:
    """The listing of a study that goes on under another number."""
    return f"{_MERGED}{number}"


def listing_of(record: Json) -> str | None:
    """How a stored record's study is listed; None while the registry shows it."""
    listing = line_in(record.get(LISTING))
    return listing if listing and len(listing) <= _LONGEST else None


def listed_as(record: Json, listing: str | None) -> Json:
    """The record with this listing, or without one; the one given is left as it is."""
    kept = {key: value for key, value in record.items() if key != LISTING}
    return {**kept, LISTING: listing} if listing else kept


def is_withheld(record: Json) -> bool:
    """Whether the registry gives a record only to say that it does not show the study for now."""
    return code_in(_module(record, "statusModule").get("overallStatus")) == WITHHELD


def join_record(held: Json | None, new: Json) -> Json:
    """What is known of a study after a newer record: it is shown again, or withheld.

    A withheld record has brackets and blanks where a study was described. What is held of the study stays as it was,
    status included; only the listing and the dates of upkeep follow.
    """
    if not is_withheld(new):
        return listed_as(merge_record(held, new) if held else new, None)
    return listed_as(_kept_behind(held, new) if held else new, WITHHELD)


def _kept_behind(held: Json, new: Json) -> Json:
    modules = {
        "identificationModule": _with_newer(held, new, "identificationModule", _NUMBERS),
        "statusModule": _with_newer(held, new, "statusModule", _UPKEEP),
    }
    kept = {**held, "protocolSection": {**object_in(held.get("protocolSection")), **modules}}
    version = object_in(new.get("derivedSection")).get("miscInfoModule")
    if version:
        kept["derivedSection"] = {**object_in(held.get("derivedSection")), "miscInfoModule": version}
    return kept


def _with_newer(held: Json, new: Json, module: str, keys: tuple[str, ...]) -> Json:
    said = _module(new, module)
    return {**_module(held, module), **{key: said[key] for key in keys if key in said}}


def _module(record: Json, name: str) -> Json:
    return object_in(object_in(record.get("protocolSection")).get(name))
