"""Reads ClinicalTrials.gov API v2 records: which study, which part we keep, and what it says."""

import re
from typing import Any

import msgspec

from notifier.domain.conditions import mesh_id
from notifier.domain.trials import Arm, Contact, Enrollment, Intervention, Outcome, Site, Term, TrialFacts
from notifier.errors import InvalidRecord
from notifier.registries.listings import listing_of
from notifier.registries.record_merging import CONTACTS_FINGERPRINT, is_complete, merge_record
from notifier.registries.record_shapes import (
    Json,
    code_in,
    coordinate_in,
    date_in,
    day_in,
    flag_in,
    line_in,
    lines_in,
    number_in,
    object_in,
    objects_in,
    outline_in,
    prose_in,
)

__all__ = [
    "CONTACTS_FINGERPRINT",
    "NAME",
    "aliases_of",
    "check_modules",
    "contact_values",
    "content_bytes",
    "is_complete",
    "merge_record",
    "nct_id_of",
    "order_of",
    "read_facts",
    "reduce_record",
]

NAME = "ctgov"

_NCT_ID = re.compile(r"NCT[0-9]{8}")
_MESH_ID = re.compile(r"[A-Z][0-9]{1,11}")
_NCT_ID_PATH = "protocolSection.identificationModule.nctId"
_LEFT_OUT = ("referencesModule", "ipdSharingStatementModule")
_BROWSED = ("conditionBrowseModule", "interventionBrowseModule")
_PERSON_KEYS = ("name", "phone", "phoneExt", "email")
_ENCODER = msgspec.json.Encoder(order="deterministic")


def nct_id_of(record: object) -> str:
    """The registry number of a record.

    Raises:
        InvalidRecord: the record is not one of ClinicalTrials.gov, or carries no number.
    """
    if not isinstance(record, dict):
        raise InvalidRecord("$", f"expected a record, found {_kind(record)}")
    protocol = record.get("protocolSection")
    if not isinstance(protocol, dict):
        raise InvalidRecord("protocolSection", "not a ClinicalTrials.gov record: this section is missing")
    text = line_in(object_in(protocol.get("identificationModule")).get("nctId"))
    if text is None:
        raise InvalidRecord(_NCT_ID_PATH, "the registry number is missing")
    number = text.upper()
    if not _NCT_ID.fullmatch(number):
        raise InvalidRecord(_NCT_ID_PATH, f"expected NCT and eight digits, found {text[:40]!r}")
    return number


def check_modules(record: Json) -> None:
    """See that no module is what it can never be: read as nothing, it would wipe out what is known of the study.

    Raises:
        InvalidRecord: a module is there and is no object.
    """
    for section in ("protocolSection", "derivedSection"):
        held = record.get(section)
        if held is not None and not isinstance(held, dict):
            raise InvalidRecord(section, f"expected an object, found {_kind(held)}")
        for name, module in object_in(held).items():
            if module is not None and name.endswith("Module") and not isinstance(module, dict):
                raise InvalidRecord(f"{section}.{name}", f"expected an object, found {_kind(module)}")


def aliases_of(record: Json) -> tuple[str, ...]:
    """The other registry numbers that a record names as its own."""
    return _aliases(object_in(object_in(record.get("protocolSection")).get("identificationModule")))


def reduce_record(record: Json) -> Json:
    """The part of a record we keep, sharing its values with the record.

    References and data sharing plans, results, documents and annotations stay outside; of the registry's derived
    section only the MeSH terms and the version stay.
    """
    protocol = object_in(record.get("protocolSection"))
    kept: Json = {"protocolSection": {name: module for name, module in protocol.items() if name not in _LEFT_OUT}}
    derived = _reduced_derived(object_in(record.get("derivedSection")))
    if derived:
        kept["derivedSection"] = derived
    if record.get("resultsSection") or "hasResults" in record:
        kept["hasResults"] = bool(record.get("resultsSection")) or flag_in(record.get("hasResults")) is True
    return kept


def content_bytes(record: Json) -> bytes:
    """What tells whether anything we keep has changed since last time: one byte string for one content.

    Covers the contacts, so it is for keyed fingerprints only; leaves out the version that moves every day.
    """
    kept = reduce_record(record)
    kept.get("derivedSection", {}).pop("miscInfoModule", None)
    return _ENCODER.encode(kept)


def contact_values(record: Json) -> bytes:
    """All contact people of a raw record, in an order of their own: for the keyed fingerprint of contacts."""
    module = _contacts_module(record)
    people = [*objects_in(module.get("centralContacts")), *objects_in(module.get("overallOfficials"))]
    for location in objects_in(module.get("locations")):
        people.extend(objects_in(location.get("contacts")))
    return _ENCODER.encode(sorted({tuple(line_in(person.get(key)) or "" for key in _PERSON_KEYS) for person in people}))


def order_of(record: Json) -> tuple[str, str]:
    """When the registry posted this state and when it last refreshed it; later states compare greater."""
    status = object_in(object_in(record.get("protocolSection")).get("statusModule"))
    posted = date_in(status.get("lastUpdatePostDateStruct"))
    return posted.value if posted else "", _version(record) or ""


def read_facts(record: Json) -> TrialFacts:
    """What a reduced and masked record says.

    A partial record may speak of some contacts and not of others, so its fingerprint of contacts says nothing.

    Raises:
        InvalidRecord: the record carries no registry number. Whatever else is bent or missing is read as what it
            evidently means, or left out.
    """
    nct_id = nct_id_of(record)
    protocol = object_in(record.get("protocolSection"))
    derived = object_in(object_in(record.get("derivedSection")).get("conditionBrowseModule"))
    return TrialFacts(
        nct_id=nct_id,
        meshes=_terms(derived.get("meshes")),
        ancestors=_terms(derived.get("ancestors")),
        contacts_fingerprint=line_in(record.get(CONTACTS_FINGERPRINT)) if is_complete(record) else None,
        has_results=flag_in(record.get("hasResults")) is True or bool(record.get("resultsSection")),
        listing=listing_of(record),
        data_version=_version(record),
        **_identification(object_in(protocol.get("identificationModule"))),
        **_status(object_in(protocol.get("statusModule"))),
        **_sponsors(object_in(protocol.get("sponsorCollaboratorsModule"))),
        **_description(object_in(protocol.get("descriptionModule"))),
        **_conditions(object_in(protocol.get("conditionsModule"))),
        **_design(object_in(protocol.get("designModule"))),
        **_arms(object_in(protocol.get("armsInterventionsModule"))),
        **_outcomes(object_in(protocol.get("outcomesModule"))),
        **_eligibility(object_in(protocol.get("eligibilityModule"))),
        **_places(_contacts_module(record)),
    )


def _kind(value: object) -> str:
    return "a list" if isinstance(value, list) else "nothing" if value is None else f"a {type(value).__name__}"


def _reduced_derived(derived: Json) -> Json:
    kept: Json = {}
    for name in _BROWSED:
        module = object_in(derived.get(name))
        lists = {key: module[key] for key in ("meshes", "ancestors") if key in module}
        if lists:
            kept[name] = lists
    version = object_in(derived.get("miscInfoModule")).get("versionHolder")
    if version is not None:
        kept["miscInfoModule"] = {"versionHolder": version}
    return kept


def _contacts_module(record: Json) -> Json:
    return object_in(object_in(record.get("protocolSection")).get("contactsLocationsModule"))


def _version(record: Json) -> str | None:
    return day_in(object_in(object_in(record.get("derivedSection")).get("miscInfoModule")).get("versionHolder"))


def _terms(value: object) -> tuple[Term, ...]:
    named = ((line_in(term.get("id")) or "", line_in(term.get("term"))) for term in objects_in(value))
    return tuple(Term(id=mesh_id(number), name=name) for number, name in named if name and _MESH_ID.fullmatch(number))


def _identification(module: Json) -> dict[str, Any]:
    return {
        "aliases": _aliases(module),
        "org_study_id": line_in(object_in(module.get("orgStudyIdInfo")).get("id")),
        "secondary_ids": lines_in([member.get("id") for member in objects_in(module.get("secondaryIdInfos"))]),
        "brief_title": line_in(module.get("briefTitle")),
        "official_title": line_in(module.get("officialTitle")),
        "acronym": line_in(module.get("acronym")),
    }


def _aliases(identification: Json) -> tuple[str, ...]:
    named = (alias.upper() for alias in lines_in(identification.get("nctIdAliases")))
    return tuple(alias for alias in named if _NCT_ID.fullmatch(alias))


def _status(module: Json) -> dict[str, Any]:
    first, last = date_in(module.get("studyFirstPostDateStruct")), date_in(module.get("lastUpdatePostDateStruct"))
    results = date_in(module.get("resultsFirstPostDateStruct"))
    return {
        "status": code_in(module.get("overallStatus")),
        "last_known_status": code_in(module.get("lastKnownStatus")),
        "why_stopped": prose_in(module.get("whyStopped")),
        "start": date_in(module.get("startDateStruct")),
        "primary_completion": date_in(module.get("primaryCompletionDateStruct")),
        "completion": date_in(module.get("completionDateStruct")),
        "verified": day_in(module.get("statusVerifiedDate")),
        "first_posted": first.value if first else None,
        "last_update_posted": last.value if last else None,
        "results_first_posted": results.value if results else None,
    }


def _sponsors(module: Json) -> dict[str, Any]:
    lead = module.get("leadSponsor")
    named = lead if isinstance(lead, dict) else {"name": lead}
    collaborators = [member.get("name") for member in objects_in(module.get("collaborators"))]
    return {
        "sponsor": line_in(named.get("name")),
        "sponsor_class": code_in(named.get("class")),
        "collaborators": lines_in(collaborators),
    }


def _description(module: Json) -> dict[str, Any]:
    return {
        "brief_summary": prose_in(module.get("briefSummary")),
        "detailed_description": prose_in(module.get("detailedDescription")),
    }


def _conditions(module: Json) -> dict[str, Any]:
    return {"conditions": lines_in(module.get("conditions")), "keywords": lines_in(module.get("keywords"))}


def _design(module: Json) -> dict[str, Any]:
    design = object_in(module.get("designInfo"))
    masking = design.get("maskingInfo")
    size = module.get("enrollmentInfo")
    sized = size if isinstance(size, dict) else {"count": size}
    count = number_in(sized.get("count"))
    phases = (code_in(phase) for phase in lines_in(module.get("phases")))
    return {
        "study_type": code_in(module.get("studyType")),
        "phases": tuple(phase for phase in phases if phase),
        "allocation": code_in(design.get("allocation")),
        "intervention_model": code_in(design.get("interventionModel")),
        "observational_model": code_in(design.get("observationalModel")),
        "primary_purpose": code_in(design.get("primaryPurpose")),
        "masking": code_in(masking.get("masking") if isinstance(masking, dict) else masking),
        "enrollment": None if count is None else Enrollment(count=count, kind=code_in(sized.get("type"))),
    }


def _arms(module: Json) -> dict[str, Any]:
    arms = (
        Arm(
            label=label,
            kind=code_in(arm.get("type")),
            description=prose_in(arm.get("description")),
            interventions=lines_in(arm.get("interventionNames")),
        )
        for arm in objects_in(module.get("armGroups"))
        if (label := line_in(arm.get("label")))
    )
    interventions = (
        Intervention(
            name=name,
            kind=code_in(intervention.get("type")),
            description=prose_in(intervention.get("description")),
            other_names=lines_in(intervention.get("otherNames")),
        )
        for intervention in objects_in(module.get("interventions"))
        if (name := line_in(intervention.get("name")))
    )
    return {"arms": tuple(arms), "interventions": tuple(interventions)}


def _outcomes(module: Json) -> dict[str, Any]:
    return {
        "primary_outcomes": _measures(module.get("primaryOutcomes")),
        "secondary_outcomes": _measures(module.get("secondaryOutcomes")),
    }


def _measures(value: object) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(
            measure=measure,
            description=prose_in(outcome.get("description")),
            time_frame=line_in(outcome.get("timeFrame")),
        )
        for outcome in objects_in(value)
        if (measure := line_in(outcome.get("measure")))
    )


def _eligibility(module: Json) -> dict[str, Any]:
    return {
        "eligibility": outline_in(module.get("eligibilityCriteria")),
        "sex": code_in(module.get("sex")),
        "minimum_age": line_in(module.get("minimumAge")),
        "maximum_age": line_in(module.get("maximumAge")),
        "healthy_volunteers": flag_in(module.get("healthyVolunteers")),
    }


def _places(module: Json) -> dict[str, Any]:
    return {
        "sites": tuple(_site(location) for location in objects_in(module.get("locations"))),
        "contacts": _contacts(module.get("centralContacts")),
    }


def _site(location: Json) -> Site:
    point = object_in(location.get("geoPoint"))
    return Site(
        facility=line_in(location.get("facility")),
        city=line_in(location.get("city")),
        state=line_in(location.get("state")),
        zip=line_in(location.get("zip")),
        country=line_in(location.get("country")),
        status=code_in(location.get("status")),
        latitude=coordinate_in(point.get("lat")),
        longitude=coordinate_in(point.get("lon")),
        contacts=_contacts(location.get("contacts")),
    )


def _contacts(value: object) -> tuple[Contact, ...]:
    return tuple(
        Contact(role=code_in(person.get("role")), phone=bool(person.get("phone")), email=bool(person.get("email")))
        for person in objects_in(value)
    )
