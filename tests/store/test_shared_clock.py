"""Workers whose clocks differ agree on the time."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from notifier.errors import StoreUnavailable
from notifier.store import shared_clock
from notifier.store.database import open_database
from notifier.store.shared_clock import ASK_AGAIN, LOOKS, SharedClock
from tests.servers import free_port
from tests.world import World

WRONG = datetime(2020, 1, 1, tzinfo=UTC)
SOON = timedelta(minutes=1)
HELD_UP = timedelta(minutes=20)


class Steady:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_on_sqlite_it_is_the_time_of_this_machine(world: World) -> None:
    assert SharedClock(world.installation.database, own=lambda: WRONG)() == WRONG


@pytest.mark.postgres
def test_on_postgresql_it_is_the_time_of_the_server(postgres_world: World) -> None:
    clock = SharedClock(postgres_world.installation.database, own=lambda: WRONG)

    assert abs(clock() - datetime.now(UTC)) < SOON
    assert clock().tzinfo is UTC


@pytest.mark.postgres
def test_time_goes_on_between_two_questions(postgres_world: World) -> None:
    steady = Steady()
    clock = SharedClock(postgres_world.installation.database, own=lambda: WRONG, steady=steady)
    first = clock()

    steady.at += ASK_AGAIN - 1
    assert clock() - first == timedelta(seconds=ASK_AGAIN - 1)


@pytest.mark.postgres
def test_a_clock_that_was_never_told_says_so(postgres_world: World) -> None:
    away = SharedClock(open_database(f"postgresql+psycopg://x@127.0.0.1:{free_port()}/x"), own=lambda: WRONG)

    with pytest.raises(StoreUnavailable):
        away()


@pytest.mark.postgres
def test_time_goes_on_while_the_server_is_away(postgres_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    steady = Steady()
    clock = SharedClock(postgres_world.installation.database, own=lambda: WRONG, steady=steady)
    first = clock()
    monkeypatch.setattr(clock, "_database", open_database(f"postgresql+psycopg://x@127.0.0.1:{free_port()}/x"))

    steady.at += ASK_AGAIN + 1

    assert clock() - first == timedelta(seconds=ASK_AGAIN + 1)


@pytest.mark.postgres
def test_time_that_is_set_anew_on_the_server_is_gone_by(postgres_world: World) -> None:
    steady = Steady()
    clock = SharedClock(postgres_world.installation.database, own=lambda: WRONG, steady=steady)
    first = clock()

    steady.at += ASK_AGAIN * 1000

    assert clock() - first < SOON


@pytest.mark.postgres
def test_an_answer_that_had_to_wait_for_a_connection_is_not_gone_by(postgres_world: World) -> None:
    steady = Steady()
    hold_answers_up(postgres_world, steady, times=1)

    clock = SharedClock(postgres_world.installation.database, own=lambda: WRONG, steady=steady)

    assert abs(clock() - datetime.now(UTC)) < SOON


@pytest.mark.postgres
def test_slow_answers_leave_a_better_one_in_force(postgres_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_clock, "ASK_AGAIN", 0.0)
    steady = Steady()
    clock = SharedClock(postgres_world.installation.database, own=lambda: WRONG, steady=steady)
    first = clock()
    hold_answers_up(postgres_world, steady, times=LOOKS)

    assert clock() - first == LOOKS * HELD_UP


def hold_answers_up(world: World, steady: Steady, *, times: int) -> None:
    """Have the next answers take so long that half of it matters."""
    left = iter(range(times))

    def hold_up(*_: object) -> None:
        if next(left, None) is not None:
            steady.at += HELD_UP.total_seconds()

    event.listen(world.installation.database.engine, "after_cursor_execute", hold_up)
