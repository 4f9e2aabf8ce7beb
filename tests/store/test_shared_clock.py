"""Workers whose clocks differ agree on the time."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.store.database import open_database
from notifier.store.shared_clock import ASK_AGAIN, SharedClock
from tests.servers import free_port
from tests.world import World

WRONG = datetime(2020, 1, 1, tzinfo=UTC)
SOON = timedelta(minutes=1)


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
def test_time_goes_on_between_two_questions_and_while_the_server_is_away(postgres_world: World) -> None:
    steady = Steady()
    clock = SharedClock(postgres_world.installation.database, own=lambda: WRONG, steady=steady)
    first = clock()

    steady.at += ASK_AGAIN - 1
    assert clock() - first == timedelta(seconds=ASK_AGAIN - 1)
    postgres_world.installation.database.engine.dispose()
    away = SharedClock(open_database(f"postgresql+psycopg://x@127.0.0.1:{free_port()}/x"), own=lambda: WRONG)
    assert away() == WRONG
