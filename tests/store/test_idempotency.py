"""Requests that come at the same time with one key are begun once, on both engines."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from notifier.store.idempotency_store import Asked, Earlier, claim, keep_answer, release
from notifier.store.models import IdempotentAnswer
from tests.world import World

pytestmark = pytest.mark.rules
ASKED = Asked(api_key_id=3, key_digest=b"key", request_digest=b"request")


def claimed(world: World, now: datetime) -> Earlier | None:
    with world.installation.database.writing() as session:
        return claim(session, ASKED, now=now)


def test_of_many_at_once_one_is_done(either_world: World, now: datetime) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: claimed(either_world, now), range(8)))

    assert found.count(None) == 1
    assert found.count(Earlier(is_same=True, status=None, body=b"")) == 7


def test_of_many_who_take_over_one_does(either_world: World, now: datetime) -> None:
    claimed(either_world, now)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: claimed(either_world, now + timedelta(minutes=2)), range(8)))

    assert found.count(None) == 1


def test_what_was_released_may_come_again_and_what_was_kept_stays(either_world: World, now: datetime) -> None:
    claimed(either_world, now)
    with either_world.installation.database.writing() as session:
        release(session, ASKED)
    assert claimed(either_world, now) is None

    with either_world.installation.database.writing() as session:
        keep_answer(session, ASKED, status=201, body=b"{}")
        release(session, ASKED)

    assert claimed(either_world, now) == Earlier(is_same=True, status=201, body=b"{}")


def test_answers_whose_day_is_over_are_cleared_away(either_world: World, now: datetime) -> None:
    claimed(either_world, now)

    with either_world.installation.database.writing() as session:
        other = Asked(api_key_id=3, key_digest=b"other", request_digest=b"request")
        claim(session, other, now=now + timedelta(days=1))

        assert [one.key_digest for one in session.query(IdempotentAnswer)] == [b"other"]
