"""Who asked for a condition alone hears nothing of studies on its kinds, and all of those on itself."""

from typing import Any

import pytest

from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.wishes import EVERYTHING, OPENINGS
from notifier.preferring import change_subscription
from notifier.store.subscriber_store import list_open
from tests.studies import make_study
from tests.world import World

READER = "a@example.org"
ITSELF: dict[str, Any] = {"conditions": ("Stroke", "Palsy"), "meshes": (), "ancestors": ()}


def follow_alone(world: World, *, wants: str = EVERYTHING, wanted: ReaderFilter = NO_FILTER) -> None:
    """Somebody who follows stroke and none of its kinds."""
    reader = world.subscribe(READER, condition="Stroke", wants=wants)
    with world.installation.database.writing() as session:
        one = list_open(session, reader)[0]
        change_subscription(session, one.id, wants=wants, wanted=wanted, urgent=False, narrower=False)


def sent(world: World, record: dict[str, Any]) -> int:
    world.ingest(record)
    return world.tick().sent


@pytest.mark.parametrize("wanted", [NO_FILTER, ReaderFilter(sex="FEMALE")])
def test_a_study_on_a_kind_of_it_is_not_told_and_one_on_itself_is(either_world: World, wanted: ReaderFilter) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2, **ITSELF))
    follow_alone(world, wanted=wanted)
    world.subscribe("b@example.org", condition="Stroke")

    assert sent(world, make_study(1, enrollment=120)) == 1
    assert world.mailbox.recipients == ["b@example.org"]
    assert sent(world, make_study(2, enrollment=120, **ITSELF)) == 2


def test_a_study_that_turns_from_a_kind_to_the_condition_itself_begins_to_be_told(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1, status="RECRUITING"))
    follow_alone(world, wants=OPENINGS)
    world.subscribe("b@example.org", condition="Stroke", wants=OPENINGS)

    assert sent(world, make_study(1, status="RECRUITING", version="2026-03-02", **ITSELF)) == 1
    assert world.mailbox.recipients == [READER]


def test_a_study_that_turns_to_a_kind_of_it_is_closed_with_a_word(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1, **ITSELF))
    follow_alone(world)
    world.subscribe("b@example.org", condition="Stroke")
    assert sent(world, make_study(1, enrollment=120, **ITSELF)) == 2

    assert sent(world, make_study(1, enrollment=130, version="2026-03-03")) == 2
    assert "no longer" in world.text_to(READER)
    assert "no longer" not in world.text_to("b@example.org")
    assert sent(world, make_study(1, enrollment=140, version="2026-03-04")) == 1


def test_what_waits_of_a_kind_comes_to_nothing_once_they_want_the_condition_alone(world: World) -> None:
    world.ingest(make_study(1))
    reader = world.subscribe(READER, condition="Stroke")
    world.ingest(make_study(1, enrollment=120))
    world.match()

    with world.installation.database.writing() as session:
        one = list_open(session, reader)[0]
        change_subscription(session, one.id, wants=EVERYTHING, wanted=NO_FILTER, urgent=False, narrower=False)

    assert world.tick().sent == 0
    assert world.endings() == ["collapsed"]
