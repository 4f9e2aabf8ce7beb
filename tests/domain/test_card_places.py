"""What a card says first and how much it matters: the reader's own country, new studies, records nobody checked."""

from dataclasses import replace
from datetime import date

import pytest

from notifier.domain.cards import History, build_card, homes_that_matter
from notifier.domain.changes import Weight
from notifier.domain.digests import Card, Reading
from notifier.domain.homes import home_of
from notifier.domain.trials import Site, TrialFacts

STUDY = TrialFacts(
    nct_id="NCT90000001",
    brief_summary="We ask whether something made up helps.",
    status="RECRUITING",
    data_version="2026-03-01",
    sites=(
        *(Site(city=f"Town {number}", country="France", status="RECRUITING") for number in range(5)),
        Site(city="Bonn", country="Germany", status="COMPLETED"),
        Site(city="Ulm", country="Germany", status="RECRUITING"),
    ),
)


def new_card(
    facts: TrialFacts, *, home: str | None = None, reading: Reading | None = None, language: str = "en"
) -> Card:
    history = History(first_seen=date(2026, 3, 2))
    return build_card(
        changes=None, after=facts, history=history, page_url="", language=language, home=home, reading=reading
    )


def test_places_of_the_own_country_come_first_and_open_ones_before_closed_ones() -> None:
    assert [place.split(",")[0] for place in new_card(STUDY, home="DE").where[:3]] == ["Ulm", "Bonn", "Town 0"]
    assert [place.split(",")[0] for place in new_card(STUDY).where[:2]] == ["Town 0", "Town 1"]


@pytest.mark.parametrize("status", ["TERMINATED", "COMPLETED", "ACTIVE_NOT_RECRUITING", "UNKNOWN", "SUSPENDED"])
def test_no_place_takes_people_where_the_study_takes_nobody(status: str) -> None:
    assert new_card(replace(STUDY, status=status)).where[0] == "Town 0, France"
    assert new_card(replace(STUDY, listing="WITHHELD")).where[0] == "Town 0, France"
    assert new_card(STUDY).where[0] == "Town 0, France: Recruiting"


def test_a_country_matters_only_where_some_places_are_not_shown() -> None:
    assert homes_that_matter(STUDY) == {"FR", "DE"}
    assert homes_that_matter(replace(STUDY, sites=STUDY.sites[2:])) == frozenset()


@pytest.mark.parametrize(
    ("country", "time_zone", "home"),
    [
        ("AT", "Europe/Berlin", "AT"),
        (None, "Europe/Berlin", "DE"),
        (None, "Asia/Kolkata", "IN"),
        (None, "US/Eastern", "US"),
        (None, "UTC", None),
        (None, "Etc/GMT+1", None),
        (None, "CET", None),
        (None, "Nowhere/Zone", None),
    ],
)
def test_a_reader_is_at_home_where_they_say_or_where_their_clock_is(
    country: str | None, time_zone: str, home: str | None
) -> None:
    assert home_of(country, time_zone=time_zone) == home


@pytest.mark.parametrize(
    ("status", "weight"),
    [
        ("RECRUITING", Weight.RECRUITING),
        ("NOT_YET_RECRUITING", Weight.SITE),
        ("COMPLETED", Weight.SIZE_AND_DATES),
        (None, Weight.SIZE_AND_DATES),
    ],
)
def test_a_new_study_that_people_can_join_weighs_as_one_that_opens(status: str | None, weight: Weight) -> None:
    assert new_card(replace(STUDY, status=status)).weight == weight


@pytest.mark.parametrize(
    ("verified", "status", "said"),
    [
        ("2019-03", "RECRUITING", "The sponsor last checked this record in March 2019."),
        ("2024-02", "ACTIVE_NOT_RECRUITING", "The sponsor last checked this record in February 2024."),
        ("2024-03", "RECRUITING", None),
        ("2019-03", "COMPLETED", None),
        (None, "RECRUITING", None),
    ],
)
def test_a_record_that_nobody_checked_for_two_years_says_so(
    verified: str | None, status: str, said: str | None
) -> None:
    assert new_card(replace(STUDY, verified=verified, status=status)).verified == said


def test_it_is_said_in_german_too() -> None:
    card = new_card(replace(STUDY, verified="2019-03-15"), language="de")

    assert card.verified == "Der Sponsor hat diesen Eintrag zuletzt im März 2019 geprüft."


def test_a_reading_stands_in_the_place_of_the_registrys_sentences() -> None:
    reading = Reading(summary="A made-up medicine is tried out.")

    assert (new_card(STUDY, reading=reading).reading, new_card(STUDY, reading=reading).summary) == (reading, None)
    assert new_card(STUDY).summary == "We ask whether something made up helps."
