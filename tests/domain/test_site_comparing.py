"""When a place is the same one as before, and what is told of it."""

from dataclasses import replace

import pytest

from notifier.domain.aligning import name_as_read
from notifier.domain.changes import Weight
from notifier.domain.comparing import compare
from notifier.domain.trials import Site, TrialFacts
from tests.rebuilding import applied, view

BERLIN = Site(facility="Charité", city="Berlin", zip="10117", country="Germany", status="RECRUITING")
BASE = TrialFacts(nct_id="NCT00000001", status="RECRUITING", sites=(BERLIN,))


def test_sites_are_the_same_by_what_they_are() -> None:
    munich = Site(facility="Klinikum", city="Munich", country="Germany", status="NOT_YET_RECRUITING")
    before = replace(BASE, sites=(BERLIN, munich))

    (change,) = compare(before, replace(BASE, sites=(replace(munich, status="RECRUITING"), BERLIN)))

    assert (change.field, change.key) == ("site_status", "Klinikum, Munich, Germany")
    assert (change.before, change.after, change.weight) == ("NOT_YET_RECRUITING", "RECRUITING", Weight.SITE)


def test_sites_of_one_name_are_counted() -> None:
    twice = replace(BASE, sites=(BERLIN, BERLIN))

    (change,) = compare(BASE, twice)

    assert (change.field, change.before) == ("site", None)
    assert compare(twice, replace(twice, sites=(BERLIN, replace(BERLIN, zip="1")))) == ()


def test_a_site_in_another_city_is_another_site() -> None:
    hamburg = replace(BERLIN, city="Hamburg")

    changes = compare(BASE, replace(BASE, sites=(hamburg,)))

    assert [(change.field, change.after is None) for change in changes] == [("site", True), ("site", False)]


def test_an_edited_name_of_a_site_is_told_as_such() -> None:
    edited_site = replace(BERLIN, facility="Charité Campus Mitte, Neurology")
    before = replace(BASE, sites=(replace(BERLIN, facility="Charité Campus Mitte"),))

    (change,) = compare(before, replace(BASE, sites=(edited_site,)))

    assert (change.field, change.before, change.weight) == ("site_name", "Charité Campus Mitte", Weight.WORDING)


def test_numbered_sites_are_not_taken_for_each_other() -> None:
    before = replace(BASE, sites=(replace(BERLIN, facility="Research Site 101"),))

    changes = compare(before, replace(BASE, sites=(replace(BERLIN, facility="Research Site 102"),)))

    assert [change.field for change in changes] == ["site", "site"]


@pytest.mark.parametrize("city", ["Cologne", "Koeln"])
def test_a_city_spelled_anew_is_no_news(city: str) -> None:
    cologne = Site(facility="Uniklinik", city="Köln", country="Germany", latitude=50.93, longitude=6.95)

    assert compare(replace(BASE, sites=(cologne,)), replace(BASE, sites=(replace(cologne, city=city),))) == ()


def test_a_country_the_registry_renamed_is_no_news() -> None:
    seoul = Site(facility="Clinic", city="Seoul", country="Korea, Republic of", status="RECRUITING")

    assert compare(replace(BASE, sites=(seoul,)), replace(BASE, sites=(replace(seoul, country="South Korea"),))) == ()


@pytest.mark.parametrize("number", ["Local Institution - 0037", "Research Site", "Novartis Investigative Site"])
def test_a_site_that_gets_its_name_is_the_same_site(number: str) -> None:
    before = replace(BASE, sites=(replace(BERLIN, facility=number, status="NOT_YET_RECRUITING"),))

    changes = compare(before, BASE)

    assert [(change.field, change.before) for change in changes] == [
        ("site_status", "NOT_YET_RECRUITING"),
        ("site_name", number),
    ]


def test_a_site_that_loses_its_name_to_a_number_is_never_mailed_alone() -> None:
    (change,) = compare(BASE, replace(BASE, sites=(replace(BERLIN, facility="Local Institution - 101"),)))

    assert (change.field, change.before, change.weight) == ("site_name", "Charité", Weight.HOUSEKEEPING)


def test_sites_of_a_study_that_has_yet_to_open_need_no_status_of_their_own() -> None:
    numbered = replace(BERLIN, facility="Local Institution - 0122", status="NOT_YET_RECRUITING")
    munich = Site(facility="Klinikum", city="Munich", country="Germany", status="RECRUITING")
    before = replace(BASE, sites=(numbered, munich))
    silent = (replace(BERLIN, status=None), replace(munich, status=None))
    after = replace(BASE, status="NOT_YET_RECRUITING", sites=silent)

    changes = compare(before, after)

    assert [(change.field, change.before) for change in changes] == [
        ("status", "RECRUITING"), ("site_status", "RECRUITING"), ("site_name", "Local Institution - 0122"),
    ]  # fmt: skip
    assert applied(view(before), changes) == view(after)
    assert [change.field for change in compare(after, replace(after, status="RECRUITING"))] == ["status"]


def test_a_city_under_its_fuller_name_is_the_same_city() -> None:
    mainz = replace(BERLIN, city="Mainz")

    assert compare(replace(BASE, sites=(mainz,)), replace(BASE, sites=(replace(mainz, city="Mainz am Rhein"),))) == ()


def test_another_new_name_of_a_country_is_one_light_change_a_site() -> None:
    (change,) = compare(BASE, replace(BASE, sites=(replace(BERLIN, country="Deutschland"),)))

    assert (change.field, change.weight) == ("site_country", Weight.WORDING)


def test_sites_lose_their_status_with_the_study_and_that_is_no_news() -> None:
    after = replace(BASE, status="COMPLETED", sites=(replace(BERLIN, status=None),))

    assert [change.field for change in compare(BASE, after)] == ["status"]
    assert [change.field for change in compare(BASE, replace(after, status="RECRUITING"))] == ["site_status"]


def test_a_study_that_begins_again_tells_only_sites_that_stand_otherwise() -> None:
    munich = Site(facility="Klinikum", city="Munich", country="Germany", status="SUSPENDED")
    ended = replace(BASE, status="UNKNOWN", sites=(replace(BERLIN, status=None), replace(munich, status=None)))

    changes = compare(ended, replace(BASE, sites=(BERLIN, munich)))

    assert [(change.field, change.before, change.after) for change in changes] == [
        ("status", "UNKNOWN", "RECRUITING"),
        ("site_status", None, "SUSPENDED"),
    ]


@pytest.mark.parametrize("name", ["School of Medicine, Zhejiang University", "Zhejiang University School of Medicine"])
def test_words_of_a_name_in_another_order_are_no_news(name: str) -> None:
    other = "Zhejiang University, School of medicine"
    site = Site(facility=name, city="Hangzhou", country="China", status="RECRUITING")
    before = replace(BASE, sponsor=name, collaborators=(name, "Other"), sites=(site,))
    after = replace(BASE, sponsor=other, collaborators=("Other", other), sites=(replace(site, facility=other),))

    assert compare(before, after) == ()


def test_names_are_told_apart_by_their_numbers_and_short_ones_by_the_order_of_letters() -> None:
    assert name_as_read("Research Site, Boston 101") != name_as_read("Research Site, Boston 110")
    assert name_as_read("MSA") != name_as_read("ASM")


def test_a_place_where_nobody_can_join_weighs_less() -> None:
    withdrawn = replace(BERLIN, facility="Klinikum", status="WITHDRAWN")

    (added,) = compare(BASE, replace(BASE, sites=(BERLIN, withdrawn)))
    (removed,) = compare(replace(BASE, sites=(BERLIN, withdrawn)), BASE)

    assert added.weight == removed.weight == Weight.SIZE_AND_DATES


@pytest.mark.parametrize(("status", "weight"), [("RECRUITING", Weight.SITE), ("COMPLETED", Weight.SIZE_AND_DATES)])
def test_a_place_without_a_status_weighs_by_what_the_study_does(status: str, weight: Weight) -> None:
    silent = replace(BASE, status=status, sites=())

    (added,) = compare(silent, replace(silent, sites=(replace(BERLIN, status=None),)))

    assert added.weight == weight


def test_two_places_of_one_name_are_told_apart_by_their_zip_code() -> None:
    one = replace(BERLIN, facility="University Clinic")
    other = replace(one, zip="12203", status="COMPLETED")
    twins = replace(BASE, sites=(one, other))
    after = replace(BASE, sites=(one, replace(other, facility="University Clinic South")))

    (change,) = compare(twins, after)

    assert (change.field, change.key) == ("site_name", "University Clinic South (12203), Berlin, Germany")
    assert applied(view(twins), [change]) == view(after)


def test_a_new_name_for_one_of_two_places_that_nothing_tells_apart_is_a_new_place() -> None:
    one = replace(BERLIN, facility="University Clinic")
    other = replace(one, status="COMPLETED")
    twins = replace(BASE, sites=(one, other))
    after = replace(BASE, sites=(one, replace(other, facility="University Clinic South")))

    changes = compare(twins, after)

    assert [(change.field, change.before is None) for change in changes] == [("site", False), ("site", True)]
    assert applied(view(twins), changes) == view(after)
