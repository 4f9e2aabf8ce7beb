"""The last mail: to who ended everything on a page, once, and not to who came back."""

import pytest

from notifier.leaving import end_everything, end_subscription
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

READER = "a@example.org"


def follow(world: World) -> int:
    world.ingest(make_study(1), make_study(2))
    world.subscribe(READER, trial="NCT90000001")
    return world.subscribe(READER, trial="NCT90000002")


def end_all(world: World, reader: int, *, reason: str = "reader") -> None:
    with world.installation.database.writing() as session:
        end_everything(session, reader, reason=reason, now=world.now)


def test_who_ends_everything_with_the_button_gets_one_last_mail(either_world: World) -> None:
    reader = follow(either_world)
    end_all(either_world, reader)
    end_all(either_world, reader)

    sent = [either_world.tick().sent for _ in range(3)]

    assert sent == [1, 0, 0]
    assert either_world.mails(READER)[0]["Subject"] == "Your e-mails have ended"
    assert "List-Unsubscribe" not in either_world.mails(READER)[0]


def test_one_click_is_answered_by_silence(either_world: World) -> None:
    end_all(either_world, follow(either_world), reason="one_click")

    assert either_world.tick().sent == 0


def test_ending_the_last_of_several_is_ending_everything(either_world: World) -> None:
    follow(either_world)
    sent = []
    for subscription in (1, 2, 2):
        with either_world.installation.database.writing() as session:
            end_subscription(session, subscription, reason="reader", now=either_world.now)
        sent.append(either_world.tick().sent)

    assert sent == [0, 1, 0]


def test_who_comes_back_before_it_is_sent_gets_none(either_world: World) -> None:
    end_all(either_world, follow(either_world))
    either_world.subscribe(READER, trial="NCT90000001")

    assert either_world.tick().sent == 0


def test_who_leaves_again_later_gets_another(world: World) -> None:
    end_all(world, follow(world))
    world.tick()
    reader = world.subscribe(READER, trial="NCT90000001")
    end_all(world, reader)
    world.tick()

    assert len(world.mails(READER)) == 2


def test_a_last_mail_says_nothing_of_the_disease(world: World) -> None:
    end_all(world, follow(world))
    world.tick()

    assert "stroke" not in world.mails(READER)[0].as_string().lower()
    assert "NCT" not in world.text_to(READER)
