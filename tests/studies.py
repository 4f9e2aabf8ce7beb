"""Small whole records for tests, every field defaulted, and the edits that tests make to them."""

from copy import deepcopy
from typing import Any

STROKE = {"id": "D020521", "term": "Stroke"}
ISCHEMIC_STROKE = {"id": "D000083242", "term": "Ischemic Stroke"}


def make_study(
    number: int = 1,
    *,
    title: str = "A made-up study",
    status: str = "NOT_YET_RECRUITING",
    conditions: tuple[str, ...] = ("Acute Ischemic Stroke",),
    meshes: tuple[dict[str, str], ...] = (ISCHEMIC_STROKE,),
    ancestors: tuple[dict[str, str], ...] = (STROKE,),
    posted: str = "2026-02-20",
    updated: str = "2026-02-20",
    enrollment: int = 100,
    why_stopped: str | None = None,
    eligibility: str = "Inclusion Criteria:\n\n* Adults\n\nExclusion Criteria:\n\n* Epilepsy",
    summary: str = "We ask whether something made up helps.",
    sites: tuple[dict[str, Any], ...] = ({"facility": "Made-up Clinic", "city": "Leeds", "country": "United Kingdom"},),
    version: str = "2026-03-01",
) -> dict[str, Any]:
    """A complete API v2 record of study NCT9000 and four digits."""
    record: dict[str, Any] = {
        "protocolSection": {
            "identificationModule": {
                "nctId": f"NCT9000{number:04}",
                "orgStudyIdInfo": {"id": f"ORG-{number}"},
                "organization": {"fullName": "Made-up Hospital", "class": "OTHER"},
                "briefTitle": title,
            },
            "statusModule": {
                "overallStatus": status,
                "statusVerifiedDate": "2026-02",
                "studyFirstSubmitDate": posted,
                "studyFirstPostDateStruct": {"date": posted, "type": "ACTUAL"},
                "lastUpdateSubmitDate": updated,
                "lastUpdatePostDateStruct": {"date": updated, "type": "ACTUAL"},
            },
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Made-up Hospital", "class": "OTHER"}},
            "descriptionModule": {"briefSummary": summary},
            "conditionsModule": {"conditions": list(conditions)},
            "designModule": {
                "studyType": "OBSERVATIONAL",
                "enrollmentInfo": {"count": enrollment, "type": "ESTIMATED"},
            },
            "eligibilityModule": {"eligibilityCriteria": eligibility, "sex": "ALL", "minimumAge": "18 Years"},
            "contactsLocationsModule": {"locations": [dict(site) for site in sites]},
        },
        "derivedSection": {
            "miscInfoModule": {"versionHolder": version},
            "conditionBrowseModule": {"meshes": list(meshes), "ancestors": list(ancestors)},
        },
        "hasResults": False,
    }
    if why_stopped:
        record["protocolSection"]["statusModule"]["whyStopped"] = why_stopped
    return record


def with_contact(record: dict[str, Any], *, phone: str, email: str, name: str = "Quillon Tresk") -> dict[str, Any]:
    """The record with one central contact."""
    changed = deepcopy(record)
    contact = {"name": name, "role": "CONTACT", "phone": phone, "email": email}
    changed["protocolSection"]["contactsLocationsModule"]["centralContacts"] = [contact]
    return changed
