"""What is read out of a ClinicalTrials.gov record."""

from typing import Any

import pytest

from notifier.domain.trials import Contact, Enrollment, RegistryDate, Term
from notifier.errors import InvalidRecord
from notifier.registries import ctgov
from tests.records import OWN_RECORDS, facts_of, kept, own_facts, own_record


def record_with(module: str, **values: Any) -> dict[str, Any]:
    return {"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}, module: values}}


def test_a_stroke_study_is_read_whole() -> None:
    facts = own_facts("NCT07635758.second")

    assert facts.conditions == ("ACUTE ISCHEMIC STROKE",)
    assert facts.meshes == (Term(id="D000083242", name="Ischemic Stroke"),)
    assert "Stroke" in {term.name for term in facts.ancestors}
    assert (facts.sites[0].city, facts.sites[0].status) == ("Beijing", "RECRUITING")
    assert facts.start == RegistryDate(value="2026-07-06", kind="ACTUAL")
    assert facts.enrollment == Enrollment(count=240, kind="ESTIMATED")
    assert facts.contacts == (Contact(role="CONTACT", phone=True, email=True),)


def test_an_observational_study_has_no_phase() -> None:
    facts = own_facts("NCT07400458")

    assert (facts.study_type, facts.phases, facts.observational_model) == ("OBSERVATIONAL", (), "COHORT")
    assert facts.sites[0].contacts == (Contact(role="CONTACT", phone=True, email=False),)
    assert facts.contacts == ()


def test_a_completed_study_of_two_phases_is_read_whole() -> None:
    facts = own_facts("NCT04325594")

    assert (facts.status, facts.phases) == ("COMPLETED", ("PHASE1", "PHASE2"))
    assert len(facts.conditions) == 3
    assert (facts.minimum_age, facts.maximum_age) == ("18 Years", None)
    assert "1×10⁷ cells" in (facts.brief_summary or "")


def test_escapes_are_taken_out_of_texts() -> None:
    assert "10^9 cells" in (own_facts("NCT04325594").interventions[0].description or "")
    assert "Blood pressure >= 150 mmHg" in (own_facts("NCT07635758.first").eligibility or "")


def test_bullets_and_paragraphs_of_a_text_stay() -> None:
    text = "Inclusion Criteria:\r\n\r\n\r\n* one\t \\> two\n  * three\u200b &lt; four\n"

    eligibility = facts_of(record_with("eligibilityModule", eligibilityCriteria=text)).eligibility

    assert eligibility == "Inclusion Criteria:\n\n* one > two\n  * three < four"


def test_a_masked_record_says_the_same_of_a_study_as_a_plain_one() -> None:
    for name in OWN_RECORDS:
        record = own_record(name)

        assert ctgov.read_facts(kept(record)) == facts_of(record)


def test_nothing_but_the_number_is_needed() -> None:
    facts = ctgov.read_facts(record_with("statusModule"))

    assert (facts.nct_id, facts.status, facts.sites, facts.healthy_volunteers) == ("NCT00000001", None, (), None)


@pytest.mark.parametrize(
    ("module", "values", "fact", "expected"),
    [
        ("conditionsModule", {"conditions": "Asthma", "keywords": {}}, "conditions", ("Asthma",)),
        ("conditionsModule", {"keywords": {}}, "keywords", ()),
        ("eligibilityModule", {"healthyVolunteers": "No"}, "healthy_volunteers", False),
        ("eligibilityModule", {"healthyVolunteers": "perhaps"}, "healthy_volunteers", None),
        ("designModule", {"enrollmentInfo": {"count": "1,200"}}, "enrollment", Enrollment(count=1200)),
        ("designModule", {"enrollmentInfo": 12}, "enrollment", Enrollment(count=12)),
        ("designModule", {"enrollmentInfo": {"count": "many"}}, "enrollment", None),
        ("designModule", {"phases": "PHASE2"}, "phases", ("PHASE2",)),
        ("designModule", {"studyType": "SOMETHING_NEW"}, "study_type", "SOMETHING_NEW"),
        ("statusModule", {"overallStatus": "Not yet recruiting"}, "status", "NOT_YET_RECRUITING"),
        ("statusModule", {"startDateStruct": "2026-03"}, "start", RegistryDate(value="2026-03")),
        ("statusModule", {"startDateStruct": {"date": "soon"}}, "start", None),
        ("sponsorCollaboratorsModule", {"leadSponsor": "Example"}, "sponsor", "Example"),
        ("descriptionModule", {"briefSummary": {}}, "brief_summary", None),
        ("contactsLocationsModule", {"locations": "Berlin", "centralContacts": {}}, "sites", ()),
    ],
)
def test_bent_values_are_read_as_what_they_mean(
    module: str, values: dict[str, Any], fact: str, expected: object
) -> None:
    assert getattr(facts_of(record_with(module, **values)), fact) == expected


def test_a_lone_site_stands_for_a_list_of_one() -> None:
    site = {"facility": "Clinic", "city": "Graz", "geoPoint": {"lat": "47.1", "lon": 15}}

    (found,) = facts_of(record_with("contactsLocationsModule", locations=site)).sites

    assert (found.facility, found.latitude, found.longitude) == ("Clinic", 47.1, 15.0)


@pytest.mark.parametrize(
    ("record", "path"),
    [
        ([], "$"),
        ("NCT00000001", "$"),
        ({}, "protocolSection"),
        ({"protocolSection": []}, "protocolSection"),
        ({"protocolSection": {}}, "protocolSection.identificationModule.nctId"),
        ({"protocolSection": {"identificationModule": {"nctId": None}}}, "protocolSection.identificationModule.nctId"),
        (
            {"protocolSection": {"identificationModule": {"nctId": "2022-500244-37"}}},
            "protocolSection.identificationModule.nctId",
        ),
    ],
)
def test_a_record_without_a_number_is_refused_by_its_path(record: object, path: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        ctgov.nct_id_of(record)

    assert refused.value.path == path


def test_a_number_is_written_in_capitals() -> None:
    assert ctgov.nct_id_of({"protocolSection": {"identificationModule": {"nctId": " nct00000001 "}}}) == "NCT00000001"


def test_what_nobody_reads_is_left_out() -> None:
    record = own_record("NCT04325594")
    record["protocolSection"]["referencesModule"] = {"references": [{"citation": "A paper"}]}
    record |= {"resultsSection": {"moreInfoModule": {}}, "annotationSection": {}, "documentSection": {}}
    record["derivedSection"]["conditionBrowseModule"]["browseLeaves"] = [{"id": "M1"}]

    reduced = ctgov.reduce_record(record)

    assert set(reduced) == {"protocolSection", "derivedSection", "hasResults"}
    assert "referencesModule" not in reduced["protocolSection"]
    assert set(reduced["derivedSection"]["conditionBrowseModule"]) == {"meshes", "ancestors"}
    assert reduced["hasResults"] is True


def test_old_mesh_numbers_are_written_as_today() -> None:
    record = own_record("NCT04325594")
    record["derivedSection"]["conditionBrowseModule"]["meshes"] = [{"id": "D000011024", "term": "Pneumonia, Viral"}]

    assert facts_of(record).meshes == (Term(id="D011024", name="Pneumonia, Viral"),)


def test_content_is_the_same_whatever_the_version() -> None:
    record, other = own_record("NCT07400458"), own_record("NCT07400458")
    other["derivedSection"]["miscInfoModule"]["versionHolder"] = "2031-01-01"
    other["protocolSection"] = dict(reversed(other["protocolSection"].items()))

    assert ctgov.content_bytes(record) == ctgov.content_bytes(other)


def test_content_differs_where_a_contact_does() -> None:
    record, other = own_record("NCT07400458"), own_record("NCT07400458")
    other["protocolSection"]["contactsLocationsModule"]["locations"][0]["contacts"][0]["phone"] = "+43 316 5550199"

    assert ctgov.content_bytes(record) != ctgov.content_bytes(other)
    assert ctgov.contact_values(record) != ctgov.contact_values(other)


def test_contacts_are_the_same_in_any_order() -> None:
    people = [{"name": "A", "phone": "1"}, {"name": "B", "email": "b@example.org"}]
    record, other = (record_with("contactsLocationsModule", centralContacts=order) for order in (people, people[::-1]))

    assert ctgov.contact_values(record) == ctgov.contact_values(other)


def test_later_states_compare_greater() -> None:
    first, second = own_record("NCT07635758.first"), own_record("NCT07635758.second")

    assert ctgov.order_of(first) == ("2026-06-05", "2026-06-05")
    assert ctgov.order_of(first) < ctgov.order_of(second)
    assert ctgov.order_of({}) == ("", "")
