"""Who hears of what: by study, by condition and its broader ones, before and after, and only of news."""

from datetime import timedelta

import pytest

from notifier import matching
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import OPENINGS
from notifier.store import match_store
from tests.records import own_record
from tests.studies import make_study
from tests.world import World

LATER = "2026-03-02"


def test_two_readers_of_one_study_both_hear(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("a@example.org", trial="NCT90000001")
    either_world.subscribe("b@example.org", trial="NCT90000001")

    either_world.ingest(make_study(1, updated=LATER, enrollment=120))

    assert either_world.tick().sent == 2
    assert either_world.mailbox.recipients == ["a@example.org", "b@example.org"]


def test_matching_again_matches_nothing_more(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("a@example.org", trial="NCT90000001")
    either_world.ingest(make_study(1, updated=LATER, enrollment=120))

    assert (either_world.match(), either_world.match()) == (1, 0)


def test_stroke_covers_acute_ischemic_stroke(either_world: World) -> None:
    either_world.ingest(make_study(9))
    either_world.subscribe("a@example.org", condition="stroke")

    either_world.ingest(make_study(1, conditions=("ACUTE ISCHEMIC STROKE",)))

    assert either_world.tick().sent == 1


def test_stroke_covers_acute_ischemic_stroke_without_derived_terms(world: World) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition="stroke")

    world.ingest(make_study(1, conditions=("ACUTE ISCHEMIC STROKE",), meshes=(), ancestors=()))

    assert world.match() == 1


@pytest.mark.parametrize("condition", ["Stroke", "HIV", "Hepatitis", "Epilepsy", "Porphyria"])
def test_what_a_study_only_excludes_does_not_match(world: World, condition: str) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition=condition, accept_unknown=True)

    world.ingest(own_record("NCT04325594"))

    assert world.match() == 0


def test_a_study_and_its_condition_are_one_card(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", trial="NCT90000001")
    world.subscribe("a@example.org", condition="Stroke")

    world.ingest(make_study(1, updated=LATER, enrollment=120))

    assert (world.match(), world.tick().sent) == (2, 1)
    assert world.text_to("a@example.org").count("120 people") == 1
    assert world.endings() == ["delivered", "delivered"]


def test_what_was_seen_before_somebody_subscribed_is_no_news(world: World) -> None:
    world.ingest(make_study(1))
    world.ingest(make_study(1, updated=LATER, enrollment=120))
    world.subscribe("a@example.org", trial="NCT90000001")

    assert world.match() == 0


def test_a_study_registered_long_ago_is_not_new(world: World) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition="Stroke")

    world.ingest(make_study(1, posted="2019-05-01"), make_study(2, posted="2026-02-20"))

    assert world.match() == 1


def test_openings_leave_out_other_changes(world: World) -> None:
    world.ingest(make_study(1), make_study(2))
    world.subscribe("a@example.org", condition="Stroke", wants=OPENINGS)

    world.ingest(make_study(1, updated=LATER, enrollment=120), make_study(2, updated=LATER, status="RECRUITING"))

    assert world.match() == 1


def test_a_condition_that_is_added_makes_the_study_new_there(world: World) -> None:
    world.ingest(make_study(1), make_study(9, conditions=("Migraine",), meshes=(), ancestors=()))
    world.subscribe("a@example.org", condition="Migraine", wants=OPENINGS)

    world.ingest(make_study(1, updated=LATER, conditions=("Acute Ischemic Stroke", "Migraine")))

    assert world.match() == 1


def test_a_condition_that_is_removed_is_heard_of_once(world: World) -> None:
    world.ingest(make_study(1, conditions=("Migraine", "Stroke")))
    world.subscribe("a@example.org", condition="Migraine")

    world.ingest(make_study(1, updated=LATER, conditions=("Stroke",)))
    removed = world.match()
    world.ingest(make_study(1, updated=LATER, conditions=("Stroke",), enrollment=120))

    assert (removed, world.match()) == (1, 0)


def test_a_first_load_makes_no_news(world: World) -> None:
    world.subscribe("a@example.org", condition="Stroke", accept_unknown=True)

    world.ingest(make_study(1), make_study(1, updated=LATER, enrollment=120))

    assert world.match() == 0


def test_a_baseline_makes_no_news(world: World) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition="Stroke")

    world.ingest(make_study(1), baseline=True)

    assert world.match() == 0


def test_who_left_hears_nothing(world: World) -> None:
    world.ingest(make_study(1))
    subscriber = world.subscribe("a@example.org", trial="NCT90000001")
    world.leave(subscriber)

    world.ingest(make_study(1, updated=LATER, enrollment=120))

    assert world.match() == 0


def test_a_large_batch_is_matched_in_several_transactions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MATCHES", 3)
    world.ingest(*(make_study(number) for number in range(5)))
    for number in range(4):
        world.subscribe(f"r{number}@example.org", condition="Stroke")
    world.ingest(*(make_study(number, enrollment=120) for number in range(5)))

    assert world.match() == 20


def test_following_a_study_that_already_waits_through_a_condition_misses_nothing(either_world: World) -> None:
    daily = Cadence(cadence="daily", hour=18)
    either_world.ingest(make_study(1, enrollment=100))
    either_world.subscribe("a@example.org", condition="Stroke", wants=OPENINGS, cadence=daily)
    either_world.ingest(make_study(1, enrollment=100, status="RECRUITING"))
    either_world.match()
    either_world.subscribe("a@example.org", trial="NCT90000001", cadence=daily)

    either_world.ingest(make_study(1, enrollment=150, status="RECRUITING"))

    assert either_world.match() == 1
    either_world.tick(after=timedelta(hours=12))
    assert "Recruiting: people can join now" in either_world.text_to("a@example.org")
    assert "150 people" in either_world.text_to("a@example.org")


def test_a_batch_is_not_cut_for_readers_to_whom_it_says_nothing(world: World) -> None:
    world.ingest(*(make_study(number) for number in range(5)))
    for number in range(4):
        world.subscribe(f"r{number}@example.org", condition="Stroke", wants=OPENINGS)
    world.ingest(
        *(make_study(number, title="Another title") for number in range(4)), make_study(4, status="RECRUITING")
    )

    with world.installation.database.reading() as session:
        first, *_later = match_store.list_unmatched(session, limit=100, matches=3, now=world.now)
        [rest] = match_store.list_unmatched(session, limit=100, matches=4, now=world.now)

    assert (len(first.change_ids), len(rest.change_ids)) == (4, 5)
