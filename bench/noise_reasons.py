"""Explains each difference between two raw records: it was told, or why it is no news, or nobody knows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.raw_differences import ORDER, RawDifference
from notifier.domain.aligning import fold, name_as_read, same_text
from notifier.domain.changes import FieldChange, Weight
from notifier.domain.masking import mask_text
from notifier.domain.site_comparing import country_of
from notifier.domain.trials import STATUSES_WITH_SITES, STOPPED_STATUSES, TrialFacts
from notifier.registries.record_shapes import code_in, list_in, prose_in

TOLD = "told"
HOUSEKEEPING = "housekeeping, never mailed alone"
UNEXPLAINED = "unexplained"
UNSURE = "a patch alone does not say of what"
UPKEEP = "dates of upkeep"
VERSION = "version of the registry's data"
CONTACTS = "contacts, explained by the status"
LEARNED = "only learned now from a partial record"
BOOKKEEPING = "the registry's own bookkeeping"
_BOOKKEEPING = "reviewUnit"
_MONTH = len("2026-03")

_STATUS = "protocolSection.statusModule"
_DESIGN = "protocolSection.designModule"
_PLACES = "protocolSection.contactsLocationsModule"
_SITES = f"{_PLACES}.locations"
_NOT_FOLLOWED: dict[str, tuple[str, ...]] = {
    VERSION: ("derivedSection.miscInfoModule.versionHolder",),
    "day of verification": (f"{_STATUS}.statusVerifiedDate",),
    UPKEEP: (
        *(f"{_STATUS}.{kind}{what}" for kind in ("lastUpdate", "studyFirst", "resultsFirst", "dispFirst")
          for what in ("SubmitDate", "SubmitQcDate", "PostDateStruct")),
        f"{_STATUS}.resultsWaived",
        f"{_STATUS}.delayedPosting",
    ),
    "status before unknown": (f"{_STATUS}.lastKnownStatus",),
    "expanded access": (f"{_STATUS}.expandedAccessInfo", f"{_DESIGN}.expandedAccessTypes"),
    "position on the map": (f"{_SITES}.geoPoint",),
    "postal code or state": (f"{_SITES}.zip", f"{_SITES}.state", f"{_SITES}.countryCode"),
    "terms the registry derives": ("derivedSection",),
    "references": ("protocolSection.referencesModule",),
    "data sharing": ("protocolSection.ipdSharingStatementModule",),
    "oversight": ("protocolSection.oversightModule",),
    "documents": ("documentSection",),
    "annotations": ("annotationSection",),
    "what stands inside the results": ("resultsSection",),
    "who is responsible": ("protocolSection.sponsorCollaboratorsModule.responsibleParty",),
    "kind of an organisation": (
        "protocolSection.sponsorCollaboratorsModule.collaborators.class",
        "protocolSection.identificationModule.organization",
    ),
    "kind of a number": (
        "protocolSection.identificationModule.orgStudyIdInfo.type",
        "protocolSection.identificationModule.orgStudyIdInfo.link",
        "protocolSection.identificationModule.secondaryIdInfos.type",
        "protocolSection.identificationModule.secondaryIdInfos.domain",
        "protocolSection.identificationModule.secondaryIdInfos.link",
    ),
    "small print of the design": (
        f"{_DESIGN}.designInfo.maskingInfo.whoMasked",
        f"{_DESIGN}.designInfo.maskingInfo.maskingDescription",
        f"{_DESIGN}.designInfo.interventionModelDescription",
        f"{_DESIGN}.designInfo.timePerspective",
        f"{_DESIGN}.bioSpec",
        f"{_DESIGN}.patientRegistry",
        f"{_DESIGN}.targetDuration",
        f"{_DESIGN}.nPtrsToThisExpAccNctId",
    ),
    "which arm gets what, said twice": ("protocolSection.armsInterventionsModule.interventions.armGroupLabels",),
    "other outcomes": ("protocolSection.outcomesModule.otherOutcomes",),
    "age groups, said twice": ("protocolSection.eligibilityModule.stdAges",),
    "who is studied, in other words": (
        "protocolSection.eligibilityModule.genderBased",
        "protocolSection.eligibilityModule.genderDescription",
        "protocolSection.eligibilityModule.studyPopulation",
        "protocolSection.eligibilityModule.samplingMethod",
    ),
}  # fmt: skip
"""What we do not follow, and what it is called in the table; the longest path that fits counts."""

REASON_OF = {path: reason for reason, paths in _NOT_FOLLOWED.items() for path in paths}
_NAMED = (_SITES, "protocolSection.sponsorCollaboratorsModule")
CLOSED = ("resultsSection", "documentSection", "annotationSection", "protocolSection.referencesModule")
"""Nothing in these is looked at one by one."""
ALWAYS_THERE = frozenset({VERSION, UPKEEP, "day of verification"})
"""What comes with any update, and says nothing of its own."""

_CONTACT_LISTS = (f"{_PLACES}.centralContacts", f"{_PLACES}.overallOfficials", f"{_SITES}.contacts")
_TOLD_BY = {
    "has_results": ("hasResults", "resultsSection"),
    "contacts": _CONTACT_LISTS,
    "status": (f"{_STATUS}.overallStatus", f"{_STATUS}.whyStopped"),
}
"""What some kinds of change tell besides the path they stand at: a stop is told with its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Two states of one study as the service reads them, and what it makes of the difference.

    ``unsure`` are changes of members that a patch alone does not tell apart; they are not among the ``changes``.
    ``partial``: the later state answers a question for some fields; ``rebuilt``: both are put together from patches.
    """

    before: TrialFacts
    after: TrialFacts
    changes: tuple[FieldChange, ...]
    unsure: tuple[FieldChange, ...] = ()
    partial: bool = False
    rebuilt: bool = False


def reasons_for(differences: Iterable[RawDifference], step: Step) -> list[tuple[RawDifference, str]]:
    """Each difference with TOLD, a reason why it is no news, or UNEXPLAINED."""
    return [(difference, reason_for(difference, step)) for difference in differences]


def reason_for(difference: RawDifference, step: Step) -> str:
    """TOLD, a reason why a difference is no news, or UNEXPLAINED."""
    told = [change for change in step.changes if _tells(change, difference)]
    if told:
        return TOLD if any(change.weight > Weight.HOUSEKEEPING for change in told) else HOUSEKEEPING
    if any(_tells(change, difference) for change in step.unsure):
        return UNSURE
    if difference.kind == ORDER:
        return "order"
    return (
        _not_followed(difference.plain_path)
        or _same_in_the_end(difference)
        or _said_by_the_rest(difference, step)
        or UNEXPLAINED
    )


def _not_followed(path: str) -> str | None:
    if _BOOKKEEPING in path.split("."):
        return BOOKKEEPING
    fitting = [prefix for prefix in REASON_OF if path == prefix or path.startswith(f"{prefix}.")]
    return REASON_OF[max(fitting, key=len)] if fitting else None


def _tells(change: FieldChange, difference: RawDifference) -> bool:
    path = difference.plain_path
    if change.field in _TOLD_BY:
        return path.startswith(_TOLD_BY[change.field])
    noise = _not_followed(path)
    if noise and change.path not in {path, *(prefix for prefix in REASON_OF if change.path.startswith(prefix))}:
        return False
    if path != change.path and not path.startswith(f"{change.path}.") and not change.path.startswith(f"{path}."):
        return False
    return not change.key or not difference.owners or _is_about(change, difference)


def _is_about(change: FieldChange, difference: RawDifference) -> bool:
    """Whether the change names the list member in which the difference stands."""
    said = fold(" ".join((change.key, *_texts(change.before), *_texts(change.after)))).replace(" ", "")
    for owner in difference.owners[0]:
        names = _names(owner)
        if names and any(fold(name).replace(" ", "") in said for name in names):
            return True
    return not any(map(_names, difference.owners[0]))


def _names(member: Any) -> list[str]:
    if not isinstance(member, dict):
        return [prose_in(member) or ""] if isinstance(member, str) else []
    named = next(
        (member[key] for key in ("facility", "measure", "label", "name", "id", "city") if member.get(key)), None
    )
    return [prose_in(named) or ""] if named else []


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [str(part) for part in value.values() if part]
    return [str(part) for part in list_in(value)]


def _same_in_the_end(difference: RawDifference) -> str | None:
    """Why two values read the same."""
    before, after = difference.before, difference.after
    if not isinstance(before, str) or not isinstance(after, str):
        return "nothing on both sides" if not before and not after else None
    if " ".join((prose_in(before) or "").split()) == " ".join((prose_in(after) or "").split()):
        return "escapes or white space"
    if same_text(prose_in(before), prose_in(after)):
        return "signs or capitals that change no word"
    masked_before, masked_after = mask_text(before), mask_text(after)
    if masked_before == masked_after:
        return "contact details in a text, masked"
    return _same_by_what_it_is(difference.plain_path, before, after)


def _same_by_what_it_is(path: str, before: str, after: str) -> str | None:
    """Why two texts that do not read the same are the same country, name or plan."""
    if path == f"{_SITES}.country" and country_of(before) == country_of(after):
        return "known country rename"
    if path.startswith(_NAMED) and name_as_read(before) == name_as_read(after):
        return "spacing, signs and order of words in a name"
    same_month = path.endswith("DateStruct.date") and before[:_MONTH] == after[:_MONTH]
    return "another day of a planned month" if same_month else None


def _said_by_the_rest(difference: RawDifference, step: Step) -> str | None:
    """Why a difference in what we follow is no news of its own: something else says it, or nothing is known."""
    path = difference.plain_path
    one_sided = difference.before is None or difference.after is None
    if path.startswith(_CONTACT_LISTS):
        return _reason_of_contacts(difference, step)
    by_status = _said_by_status(path, step)
    if by_status:
        return by_status
    if path == f"{_SITES}.city":
        return "a town spelled anew at one and the same site"
    if path.endswith(".type") and (one_sided or step.rebuilt):
        return "planned or actual, not said on one side" if one_sided else UNSURE
    if step.partial and one_sided:
        return LEARNED if difference.before is None else "a partial record does not speak of it"
    return None


def _said_by_status(path: str, step: Step) -> str | None:
    if path == f"{_SITES}.status" and {step.before.status, step.after.status} - STATUSES_WITH_SITES:
        return "status of a site, which goes with the study's"
    if path.endswith(".whyStopped") and step.after.status not in STOPPED_STATUSES:
        return "the reason of a stop, which went with it"
    return None


def _reason_of_contacts(difference: RawDifference, step: Step) -> str | None:
    if difference.plain_path.endswith(".role") and code_in(difference.before) != code_in(difference.after):
        return "role of a contact"
    if step.before.contacts_fingerprint == step.after.contacts_fingerprint:
        return "the same contacts, elsewhere"
    if {step.before.status, step.after.status} - STATUSES_WITH_SITES:
        return CONTACTS
    places = any(change.field in {"site", "site_status"} for change in (*step.changes, *step.unsure))
    return "contacts, which come and go with places" if places else None
