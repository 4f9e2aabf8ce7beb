"""What stands on the card of a study."""

from dataclasses import replace
from datetime import date

import pytest

from notifier.domain.cards import MOST_LINES, History, build_card, history_words
from notifier.domain.comparing import compare
from notifier.domain.conditions import concerns_of
from notifier.domain.digests import Card, MaskedContact
from notifier.domain.masking import EMAIL_MARK, PHONE_MARK
from notifier.domain.trials import Contact, RegistryDate, Site, TrialFacts
from tests.records import own_facts

HISTORY = History(first_seen=date(2026, 3, 3))
BASE = TrialFacts(nct_id="NCT00000001", brief_title="A study", status="RECRUITING")


def card_of(before: TrialFacts | None, after: TrialFacts, history: History = HISTORY) -> Card:
    changes = compare(before, after) if before is not None else None
    return build_card(changes=changes, after=after, history=history, page_url="https://x.example", language="en")


def facts_on(card: Card) -> dict[str, str]:
    return {fact.label: fact.value for fact in card.facts}


def test_the_stroke_study_opens_in_beijing() -> None:
    history = History(first_seen=date(2026, 6, 5), last_updated=date(2026, 7, 10), updates=1)

    card = card_of(own_facts("NCT07635758.first"), own_facts("NCT07635758.second"), history)

    assert (card.kind, card.tone, card.headline) == ("changed", "open", "This study is now looking for people")
    assert facts_on(card)["Conditions"] == "ACUTE ISCHEMIC STROKE"
    assert card.where == ("Example Capital Hospital, Beijing, China: Recruiting",)
    assert card.contacts == (MaskedContact(role="Contact", phone=PHONE_MARK, email=EMAIL_MARK),)
    seen = "First seen by us on 5 June 2026 · 1 change seen since then"
    assert card.history == f"{seen} · Last update in the registry: 10 July 2026"


def test_the_stroke_study_concerns_stroke_in_three_ways() -> None:
    concerns = {concern.name: concern.how for concern in concerns_of(own_facts("NCT07635758.second"))}

    assert concerns["Ischemic Stroke"] == "derived"
    assert concerns["ACUTE ISCHEMIC STROKE"] == "listed"
    assert concerns["Stroke"] == "broader"


def test_the_observational_study_has_no_phase_and_no_counter() -> None:
    card = card_of(None, own_facts("NCT07400458"))

    assert (card.kind, card.headline) == ("new", "A new study that is looking for people")
    assert facts_on(card)["Study type"] == "Observational"
    assert card.contacts == (MaskedContact(role="Contact", phone=PHONE_MARK, email=None),)
    assert card.history == "First seen by us on 3 March 2026"
    assert card.summary is not None


def test_the_completed_study_shows_its_phases_and_ages() -> None:
    facts = facts_on(card_of(None, own_facts("NCT04325594")))

    assert facts["Study type"] == "Interventional, Phase 1 and 2"
    assert facts["Ages"] == "18 years and older"
    assert facts["Status"] == "Completed: the study has ended in the normal way"
    assert facts["Size"] == "24 people (actual)"
    assert "Sex" not in facts


@pytest.mark.parametrize("name", ["stroke", "HIV", "hepatitis", "epilepsy", "porphyria"])
def test_what_the_completed_study_excludes_is_not_what_it_is_about(name: str) -> None:
    concerns = [concern.key for concern in concerns_of(own_facts("NCT04325594"))]

    assert [key for key in concerns if name.casefold() in key] == []


def test_a_stop_carries_its_reason() -> None:
    card = card_of(BASE, replace(BASE, status="TERMINATED", why_stopped="Too few people joined"))

    (line,) = card.lines
    assert (card.headline, card.tone) == ("This study was stopped early", "stop")
    assert line.note == "The reason given: “Too few people joined”"


def test_a_stop_without_a_reason_says_so() -> None:
    (line,) = card_of(BASE, replace(BASE, status="SUSPENDED")).lines

    assert line.note == "We found no reason for it in the record."


def test_many_sites_of_one_kind_share_a_line() -> None:
    sites = tuple(
        Site(facility=f"Clinic {city}", city=city, country="France") for city in ("Paris", "Lyon", "Nice", "Metz")
    )

    card = card_of(BASE, replace(BASE, sites=sites))

    (line,) = card.lines
    assert (card.headline, line.label) == ("4 places were added", "4 places were added")
    assert line.after == "France: Lyon, Metz, Nice, Paris"


def test_one_opened_site_is_the_headline() -> None:
    site = Site(facility="Clinic", city="Paris", country="France", status="NOT_YET_RECRUITING")

    card = card_of(replace(BASE, sites=(site,)), replace(BASE, sites=(replace(site, status="RECRUITING"),)))

    assert (card.headline, card.tone) == ("A place of this study is now looking for people", "site")


def test_lines_beyond_the_limit_are_counted() -> None:
    after = own_facts("NCT04325594")

    card = card_of(replace(BASE, nct_id=after.nct_id), after)

    assert len(card.lines) == MOST_LINES
    assert card.more > 0


def test_very_many_places_are_counted_by_country() -> None:
    towns = [("Germany", f"Town {number}") for number in range(7)] + [
        ("France", f"Ville {number}") for number in range(5)
    ]
    sites = tuple(Site(facility="Clinic", city=town, country=country) for country, town in towns)

    (line,) = card_of(BASE, replace(BASE, sites=sites)).lines

    assert (line.label, line.after) == ("12 places were added", "Germany (7); France (5)")


def test_places_with_different_news_are_told_together() -> None:
    before = tuple(Site(facility="Clinic", city=f"Town {n}", country="France", status="RECRUITING") for n in range(3))
    after = (replace(before[0], status="SUSPENDED"), *(replace(site, status="WITHDRAWN") for site in before[1:]))

    card = card_of(replace(BASE, sites=before), replace(BASE, sites=after))

    assert card.headline == "2 places were withdrawn and 1 place is on hold"


def test_many_rules_are_told_by_what_became_of_them() -> None:
    rules = "\n".join(f"* A rule about {word}" for word in ("sleep", "pain", "mood", "travel"))
    before = replace(BASE, eligibility="Inclusion Criteria:\n\n* Adults\n\nExclusion Criteria:\n\n* Gout")
    after = replace(before, eligibility=f"Inclusion Criteria:\n\n* Adults\n{rules}\n\nExclusion Criteria:\n\n* Asthma")

    card = card_of(before, after)

    assert card.headline == "Who can join this study changed"
    assert {line.label for line in card.lines} == {
        "4 rules on who can join were added",
        "Who cannot join (exclusion criterion)",
    }


def test_one_light_change_is_the_headline() -> None:
    assert card_of(BASE, replace(BASE, acronym="NEW")).headline == "The short name of this study changed"


def test_light_changes_are_named_in_the_headline() -> None:
    some = replace(BASE, acronym="NEW", sponsor="S")
    many = replace(BASE, keywords=("K",), conditions=("C",), sponsor="S", start=RegistryDate(value="2026-03"))

    assert card_of(BASE, some).headline == "Changed: sponsor and short name"
    assert card_of(BASE, many).headline == "Changed: dates, sponsor, conditions and more"


def test_results_and_their_day_are_one_line() -> None:
    (line,) = card_of(BASE, replace(BASE, has_results=True, results_first_posted="2026-03-04")).lines

    assert line.badge == "Results posted"


def test_it_is_said_once_that_only_the_differences_are_shown() -> None:
    text = "Many words were written about this made-up study. " * 20
    before = replace(BASE, brief_summary=f"{text}Ten.", detailed_description=f"{text}Ten.")
    after = replace(BASE, brief_summary=f"{text}Twenty.", detailed_description=f"{text}Twenty.")

    assert [line.note is None for line in card_of(before, after).lines] == [False, True]


def test_places_where_people_can_join_come_first() -> None:
    sites = tuple(Site(city=f"Town {number}", status="COMPLETED") for number in range(6))

    card = card_of(None, replace(BASE, sites=(*sites, Site(city="Open", status="RECRUITING"))))

    assert card.where[0] == "Open: Recruiting"
    assert (len(card.where), card.more_sites) == (5, 2)


def test_central_contacts_stand_for_all_and_only_once() -> None:
    both, phone = Contact(phone=True, email=True), Contact(phone=True)
    site = Site(city="Graz", contacts=(Contact(email=True),))

    card = card_of(None, replace(BASE, contacts=(both, both, phone, Contact(role="CONTACT")), sites=(site,)))

    assert [(contact.phone, contact.email) for contact in card.contacts] == [
        (PHONE_MARK, EMAIL_MARK),
        (PHONE_MARK, None),
    ]


def test_the_counter_counts() -> None:
    history = History(first_seen=date(2026, 3, 3), last_updated=date(2026, 5, 4), updates=2)

    seen = "First seen by us on 3 March 2026 · 2 changes seen since then"
    assert history_words(history, "en") == f"{seen} · Last update in the registry: 4 May 2026"


def test_places_that_nobody_can_tell_apart_are_one_line() -> None:
    site = Site(facility="A sponsor's site", city="Seoul", country="South Korea", status="RECRUITING")
    one, other = replace(site, zip="06351"), replace(site, zip="03080")

    card = card_of(BASE, replace(BASE, sites=(one, other)))

    assert [line.after for line in card.lines] == ["A sponsor's site, Seoul, South Korea: Recruiting (2)"]
    assert (card.headline, card.more) == ("2 places were added", 0)


def test_the_headline_counts_as_many_places_as_the_line() -> None:
    sites = tuple(
        Site(facility=f"Clinic {town}", city=town, country="Germany", status=status)
        for town, status in (("Bonn", "RECRUITING"), ("Köln", "RECRUITING"), ("Ulm", "COMPLETED"))
    )

    card = card_of(BASE, replace(BASE, sites=sites))

    assert card.headline == card.lines[0].label == "3 places were added"


def test_main_data_and_end_that_move_together_share_a_line() -> None:
    june, july = RegistryDate(value="2026-06", kind="ESTIMATED"), RegistryDate(value="2026-07", kind="ESTIMATED")

    card = card_of(
        replace(BASE, primary_completion=june, completion=june),
        replace(BASE, primary_completion=july, completion=july),
    )

    assert [(line.label, line.note) for line in card.lines] == [
        ("Main data complete and study end", "That is 1 month later.")
    ]
    assert card.more == 0


def test_many_new_names_of_places_are_told() -> None:
    before = tuple(Site(facility=f"Local Institution - {n}", city=f"Town {n}", country="Germany") for n in (1, 2, 3))
    after = tuple(replace(site, facility=f"Clinic of {site.city}") for site in before)

    (line,) = card_of(replace(BASE, sites=before), replace(BASE, sites=after)).lines

    assert (line.before, line.after) == (
        "Local Institution - 1\nLocal Institution - 2\nLocal Institution - 3",
        "Clinic of Town 1\nClinic of Town 2\nClinic of Town 3",
    )
