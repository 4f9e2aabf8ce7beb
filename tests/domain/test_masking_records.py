"""A record keeps no contact detail, in whatever shape it comes, and everything else stays."""

import copy
import json
from typing import Any

import pytest

from notifier.domain.masking import EMAIL_MARK, NO_CONTACTS, PERSON_MARK, PHONE_MARK, collect_contacts, mask_record

RECORD: dict[str, Any] = {
    "protocolSection": {
        "identificationModule": {"nctId": "NCT01234567", "orgStudyIdInfo": {"id": "6175550199"}},
        "sponsorCollaboratorsModule": {
            "responsibleParty": {"investigatorFullName": "Jane Q Roe", "investigatorAffiliation": "617-555-0142"},
            "leadSponsor": {"name": "Acme Pharma", "class": "INDUSTRY"},
        },
        "descriptionModule": {"briefSummary": "Ask Dr. Jane Roe, MD, on 555 0 123 or at roe@example.org (6175550123)."},
        "contactsLocationsModule": {
            "centralContacts": [
                {
                    "name": "Jane Q. Roe, MD",
                    "role": "CONTACT",
                    "phone": "617-555-0123",
                    "phoneExt": "77",
                    "email": "r@x.org",
                },
                {"name": "Call 1-877-CTEXAMP", "role": "CONTACT", "phone": "1-877-555-0123"},
            ],
            "overallOfficials": [{"name": "John Doe", "affiliation": "66855501234", "role": "PRINCIPAL_INVESTIGATOR"}],
            "locations": [
                {
                    "facility": "Example Hospital, 617-555-0188",
                    "city": "Boston",
                    "zip": "02115-6175",
                    "country": "United States",
                    "geoPoint": {"lat": 42.35843, "lon": -71.05977},
                    "contacts": [{"role": "CONTACT", "email": "site@example.org"}],
                }
            ],
        },
        "referencesModule": {
            "references": [{"citation": "Roe J. 2020;617(5):5550199. doi: 10.1/6175559999. roe@x.org"}]
        },
    },
    "resultsSection": {
        "moreInfoModule": {
            "pointOfContact": {
                "title": "John Doe",
                "organization": "Acme, roe@x.org",
                "phone": "6175550123",
                "phoneExt": "5",
            }
        },
    },
    "hasResults": True,
}


def test_a_record_keeps_no_contact_detail() -> None:
    shown = json.dumps(mask_record(RECORD), ensure_ascii=False)

    for detail in (
        "Roe,",
        "Jane",
        "John",
        "Doe",
        "555-01",
        "5550123",
        "CTEXAMP",
        "roe@",
        "r@x",
        "site@",
        "66855501234",
        '"77"',
    ):
        assert detail not in shown


def test_a_contact_becomes_its_role_and_the_marks_of_what_it_had() -> None:
    masked = mask_record(RECORD)
    module = masked["protocolSection"]["contactsLocationsModule"]  # type: ignore[index]

    assert module["centralContacts"] == [
        {"role": "CONTACT", "phone": PHONE_MARK, "email": EMAIL_MARK},
        {"role": "CONTACT", "phone": PHONE_MARK},
    ]
    assert module["locations"][0]["contacts"] == [{"role": "CONTACT", "email": EMAIL_MARK}]
    assert module["overallOfficials"] == [
        {"name": PERSON_MARK, "affiliation": PHONE_MARK, "role": "PRINCIPAL_INVESTIGATOR"}
    ]
    assert masked["resultsSection"]["moreInfoModule"]["pointOfContact"] == {  # type: ignore[index]
        "organization": f"Acme, {EMAIL_MARK}",
        "phone": PHONE_MARK,
    }


def test_numbers_dates_places_and_sources_stay() -> None:
    before, after = RECORD["protocolSection"], mask_record(RECORD)["protocolSection"]
    site_before, site_after = (part["contactsLocationsModule"]["locations"][0] for part in (before, after))  # type: ignore[index]

    assert after["identificationModule"] == before["identificationModule"]  # type: ignore[index]
    assert {key: site_after[key] for key in ("city", "zip", "country", "geoPoint")} == {
        key: site_before[key] for key in ("city", "zip", "country", "geoPoint")
    }
    citation = after["referencesModule"]["references"][0]["citation"]  # type: ignore[index]
    assert citation == f"Roe J. 2020;617(5):5550199. doi: 10.1/6175559999. {EMAIL_MARK}"


def test_the_record_given_is_left_as_it_is() -> None:
    given_record = copy.deepcopy(RECORD)

    mask_record(given_record)

    assert given_record == RECORD


def test_masking_a_masked_record_changes_nothing() -> None:
    once = mask_record(RECORD)

    assert mask_record(once) == once


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        (None, None),
        ([], []),
        ("Jane Roe, 617-555-0123", PERSON_MARK),
        (["Jane Roe"], [PERSON_MARK]),
        ({"name": ["Jane Roe"], "phone": 6175550123}, {"phone": PHONE_MARK}),
        ([{"phone": None, "email": "", "role": ["CONTACT"]}], [{"role": ["CONTACT"]}]),
        ([[{"name": 5, "email": ["a@example.org"]}]], [[{"email": EMAIL_MARK}]]),
    ],
)
def test_contacts_of_any_shape_are_masked(contacts: object, expected: object) -> None:
    masked = mask_record({"contactsLocationsModule": {"centralContacts": contacts}, "note": "Jane Roe 617-555-0123"})

    assert masked["contactsLocationsModule"] == {"centralContacts": expected}
    assert "555" not in str(masked["note"])


def test_a_detail_in_a_field_nobody_expects_is_masked() -> None:
    masked = mask_record({"someModule": {"phone": "12", "email": "x", "phoneExt": "7", "deep": [["roe@example.org"]]}})

    assert masked == {"someModule": {"phone": PHONE_MARK, "email": EMAIL_MARK, "deep": [[EMAIL_MARK]]}}


def test_what_is_known_is_never_printed() -> None:
    known = collect_contacts(RECORD)

    assert known != NO_CONTACTS
    assert "Roe" not in repr(known)
    assert "5550123" not in repr(known)
