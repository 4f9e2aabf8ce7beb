"""What stands where in a digest: the heaviest first, one's own country first, readings, and subjects by choice."""

from typing import Any

import pytest
from sqlalchemy import update

from notifier.domain.digests import Reading
from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import EVERYTHING, IMPORTANT
from notifier.emails.templates import render_digest
from notifier.rounds import make_composer
from notifier.store.models import Subscriber
from notifier.supplying import supply_reading, withdraw_reading
from tests.studies import STROKE, make_study
from tests.world import World

STUDY = "NCT90000001"
PLACES = tuple(
    {"facility": f"House {number}", "city": "Town", "country": country, "status": "RECRUITING"}
    for country in ("France", "Germany", "Italy", "Spain", "Japan")
    for number in range(3)
)


def choose(world: World, reader: int, **choices: Any) -> None:
    with world.installation.database.writing() as session:
        session.execute(update(Subscriber).where(Subscriber.id == reader).values(**choices))


def supply(world: World, summary: str, *, language: str = "en") -> None:
    reading = Reading(summary=summary)
    supply_reading(
        database=world.installation.database, number=STUDY, language=language, reading=reading, now=world.now
    )


def test_the_heaviest_stand_first_and_what_is_new_to_join_beside_what_opened(world: World) -> None:
    world.ingest(make_study(1, enrollment=1), make_study(2), make_study(3, status="RECRUITING"))
    world.subscribe("a@example.org", condition="Stroke", wants=EVERYTHING)
    world.ingest(
        make_study(1, enrollment=2),
        make_study(2, status="RECRUITING"),
        make_study(3, status="TERMINATED"),
        make_study(4, status="RECRUITING", updated="2026-02-25"),
    )
    world.tick()

    text = world.text_to("a@example.org")

    assert sorted(range(1, 5), key=lambda number: text.index(f"NCT9000000{number}")) == [3, 4, 2, 1]


def test_sections_stand_in_the_order_of_their_heaviest_study(world: World) -> None:
    world.ingest(make_study(1, conditions=("Migraine",), meshes=(), ancestors=()), make_study(2, status="RECRUITING"))
    world.subscribe("a@example.org", condition="Migraine", wants=EVERYTHING)
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(make_study(1, enrollment=120, conditions=("Migraine",), meshes=(), ancestors=()))
    world.ingest(make_study(3, status="RECRUITING"))
    world.tick()

    text = world.text_to("a@example.org")

    assert text.index("NCT90000003") < text.index("NCT90000001")


def test_studies_followed_one_by_one_share_a_section_by_what_is_wanted_of_them(world: World) -> None:
    world.ingest(*(make_study(number) for number in range(1, 6)))
    reader = world.subscribe("a@example.org", trial=STUDY)
    choose(world, reader, detailed_subjects=True)
    for number in (2, 3, 4):
        world.subscribe("a@example.org", trial=f"NCT9000000{number}", wants=IMPORTANT if number > 2 else EVERYTHING)
    world.subscribe("a@example.org", condition="Stroke", wants=EVERYTHING)
    world.ingest(*(make_study(number, status="RECRUITING") for number in range(1, 6)))
    world.tick()

    (mail,) = world.mails("a@example.org")
    text = " ".join(world.text_to("a@example.org").split())

    assert text.count("You asked to hear when these studies change.") == 1
    assert text.count("You asked to hear when something important changes in these studies.") == 1
    assert [text.count(f"Stop mails about NCT9000000{number}:") for number in range(1, 6)] == [1, 1, 1, 1, 0]
    assert "Stop mails about: Studies on Stroke" in text
    assert all(f"NCT9000000{number}" in mail["Subject"] for number in range(1, 5))


def test_the_only_study_that_is_followed_has_a_section_of_its_own(world: World) -> None:
    world.ingest(make_study(1), make_study(2))
    world.subscribe("a@example.org", trial=STUDY)
    world.subscribe("a@example.org", trial="NCT90000002", wants=IMPORTANT)
    world.ingest(make_study(1, enrollment=120), make_study(2, status="RECRUITING"))
    world.tick()

    text = " ".join(world.text_to("a@example.org").split())

    assert "You asked to hear when this study changes." in text
    assert "You asked to hear when something important changes in this study." in text
    assert "these studies" not in text


@pytest.mark.parametrize(
    ("choices", "first"), [({"country": None}, "France"), ({"country": "JP"}, "Japan"), ({"country": "AT"}, "France")]
)
def test_places_of_the_readers_country_stand_first(world: World, choices: dict[str, str | None], first: str) -> None:
    world.ingest(make_study(1, sites=PLACES))
    reader = world.subscribe("a@example.org", trial=STUDY)
    choose(world, reader, **choices)
    world.ingest(make_study(1, sites=PLACES, enrollment=120))
    world.tick()

    places = [line for line in world.text_to("a@example.org").splitlines() if "House" in line]

    assert first in places[0]


def test_a_clock_tells_the_country_where_nobody_said_it(world: World) -> None:
    world.ingest(make_study(1, sites=PLACES))
    world.subscribe("a@example.org", trial=STUDY, cadence=Cadence(cadence="daily", hour=8, time_zone="Europe/Berlin"))
    world.ingest(make_study(1, sites=PLACES, enrollment=120))
    world.tick(after=world.day)

    places = [line for line in world.text_to("a@example.org").splitlines() if "House" in line]

    assert "Germany" in places[0]


def test_cards_are_shared_by_all_readers_of_a_country(world: World) -> None:
    world.ingest(make_study(1, sites=PLACES), make_study(2))
    for number in range(40):
        reader = world.subscribe(f"r{number}@example.org", trial=STUDY)
        choose(world, reader, country=("FR", "DE", "IT", "ES", "AT")[number % 5])
        world.subscribe(f"r{number}@example.org", trial="NCT90000002")
    world.ingest(make_study(1, sites=PLACES, enrollment=120), make_study(2, enrollment=120))

    assert world.tick().sent == 40
    # One for each country with places there, one for all others; the study with few places has one for all.
    assert len(world.service.composer._teller._kept) == 5 + 1


def test_a_new_study_is_told_by_its_reading_in_the_readers_language_or_in_english(world: World) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition="Stroke")
    reader = world.subscribe("b@example.org", condition="Stroke")
    choose(world, reader, language="de")
    world.ingest(make_study(1, status="RECRUITING"))
    supply(world, "A made-up medicine is tried out.")

    composer = make_composer(world.installation)
    world.match()
    with world.installation.database.reading() as session:
        both = [composer.compose_digest(session, reader, language=language) for language in ("en", "de")]
    supply(world, "Ein Mittel wird erprobt.", language="de")
    supply(world, "Another medicine is tried out.")
    with world.installation.database.reading() as session:
        later = [composer.compose_digest(session, reader, language=language) for language in ("en", "de")]

    said = ["A made-up medicine", "A made-up medicine", "Another medicine", "Ein Mittel wird erprobt"]
    for digest, words in zip([*both, *later], said, strict=True):
        assert digest is not None
        text = render_digest(digest).text
        assert words in text
        assert "We ask whether something made up helps." not in text


def test_a_reading_that_changes_or_goes_mails_nobody(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", trial=STUDY)
    supply(world, "A made-up medicine is tried out.")
    withdraw_reading(database=world.installation.database, number=STUDY, language="en")

    assert world.tick().sent == 0


@pytest.mark.parametrize("detailed", [False, True])
def test_the_illness_is_named_outside_the_mail_only_by_choice(world: World, *, detailed: bool) -> None:
    world.ingest(make_study(9))
    reader = world.subscribe("a@example.org", condition=STROKE["term"])
    choose(world, reader, detailed_subjects=detailed)
    world.ingest(make_study(1, status="RECRUITING", title="Walking after a stroke"))
    world.tick()

    (mail,) = world.mails("a@example.org")
    headers = {name: str(value).lower() for name, value in mail.items()}
    html = mail.get_body(("html",))
    assert html is not None

    assert mail["Subject"] == ("Stroke: 1 new study" if detailed else "1 new study for you")
    assert [name for name, value in headers.items() if "stroke" in value] == (["Subject"] if detailed else [])
    preheader = str(html.get_content()).split("<body")[1].split("</div>")[0]
    assert "stroke" not in preheader.lower()


def test_the_reason_names_what_was_asked_for(world: World) -> None:
    world.ingest(make_study(9))
    wanted = ReaderFilter(only_recruiting=True, countries=frozenset({"GB"}))
    world.subscribe("a@example.org", condition="Stroke", filter=wanted)
    world.ingest(make_study(1, status="RECRUITING"))
    world.tick()

    text = " ".join(world.text_to("a@example.org").split())

    assert "Of these: only studies that people can join now; only with a place in: United Kingdom." in text
