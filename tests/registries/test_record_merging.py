"""How a newer record is joined to the one held."""

from typing import Any

from notifier.registries import ctgov
from tests.records import OWN_RECORDS, kept, own_record

NAME = "NCT07635758.second"


def partial(**modules: Any) -> dict[str, Any]:
    return {"protocolSection": {"identificationModule": {"nctId": "NCT07635758"}, **modules}}


def test_our_own_records_are_whole() -> None:
    assert all(ctgov.is_complete(own_record(name)) for name in OWN_RECORDS)


def test_an_answer_for_some_fields_is_not_whole() -> None:
    record = own_record(NAME)
    del record["protocolSection"]["sponsorCollaboratorsModule"]

    assert not ctgov.is_complete(record)


def test_a_partial_record_never_erases_what_is_held() -> None:
    held = kept(own_record(NAME))
    new = partial(statusModule={"overallStatus": "COMPLETED"}, armsInterventionsModule={}, eligibilityModule={})

    before, after = ctgov.read_facts(held), ctgov.read_facts(ctgov.merge_record(held, new))

    assert after.status == "COMPLETED"
    assert (after.start, after.arms, after.eligibility) == (before.start, before.arms, before.eligibility)
    assert (after.contacts, after.contacts_fingerprint) == (before.contacts, before.contacts_fingerprint)
    assert after.meshes == before.meshes


def test_a_partial_list_of_sites_keeps_what_it_does_not_speak_of() -> None:
    held = kept(own_record(NAME))
    sites = [{"facility": "Example Capital Hospital", "city": "Beijing"}, {"facility": "Other", "city": "Wuhan"}]

    merged = ctgov.read_facts(ctgov.merge_record(held, partial(contactsLocationsModule={"locations": sites})))

    assert [(site.city, site.status, site.country) for site in merged.sites] == [
        ("Beijing", "RECRUITING", "China"),
        ("Wuhan", None, None),
    ]


def test_a_new_date_does_not_keep_the_kind_of_the_old_one() -> None:
    held = kept(own_record(NAME))

    merged = ctgov.merge_record(held, partial(statusModule={"completionDateStruct": {"date": "2029-01"}}))

    completion = ctgov.read_facts(merged).completion
    assert completion is not None
    assert (completion.value, completion.kind) == ("2029-01", None)


def test_a_whole_record_takes_away_what_its_modules_lack() -> None:
    held, new = kept(own_record(NAME)), kept(own_record(NAME))
    del new["protocolSection"]["identificationModule"]["acronym"]
    del new["protocolSection"]["outcomesModule"]

    merged = ctgov.read_facts(ctgov.merge_record(held, new))

    assert merged.acronym is None
    assert merged.primary_outcomes == ctgov.read_facts(held).primary_outcomes


def test_merging_alters_neither_record() -> None:
    held, new = kept(own_record("NCT07635758.first")), partial(statusModule={"overallStatus": "WITHDRAWN"})

    ctgov.merge_record(held, new)

    assert held == kept(own_record("NCT07635758.first"))
    assert new == partial(statusModule={"overallStatus": "WITHDRAWN"})


def test_some_contacts_are_not_taken_for_all_of_them() -> None:
    held = kept(own_record(NAME))
    new = kept(partial(contactsLocationsModule={"centralContacts": [{"name": "Somebody", "phone": "555 0100"}]}))

    merged = ctgov.merge_record(held, new)

    assert merged[ctgov.CONTACTS_FINGERPRINT] == held[ctgov.CONTACTS_FINGERPRINT]
    assert ctgov.read_facts(new).contacts_fingerprint is None


def test_a_partial_record_of_a_study_that_goes_on_drops_why_it_was_stopped() -> None:
    held = kept(own_record(NAME))
    held["protocolSection"]["statusModule"] |= {"overallStatus": "SUSPENDED", "whyStopped": "Waiting for a review."}

    goes_on = ctgov.merge_record(held, partial(statusModule={"overallStatus": "RECRUITING"}))
    still = ctgov.merge_record(held, partial(statusModule={"overallStatus": "TERMINATED"}))

    assert ctgov.read_facts(goes_on).why_stopped is None
    assert ctgov.read_facts(still).why_stopped == "Waiting for a review."
    assert ctgov.read_facts(held).why_stopped == "Waiting for a review."
