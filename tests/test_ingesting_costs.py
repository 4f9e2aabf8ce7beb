"""What taking records in costs: few statements, because on SQLite everybody else waits until they are done."""

from typing import Any

from sqlalchemy import event

from notifier.ingesting import CHUNK
from tests.studies import make_study
from tests.world import World

MOST_A_RECORD = 8


def count_statements(world: World, *records: dict[str, Any]) -> int:
    """How many statements it takes to take these in."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(world.installation.database.engine, "before_cursor_execute", note)
    world.ingest(*records)
    event.remove(world.installation.database.engine, "before_cursor_execute", note)
    return len(asked)


def test_a_portion_of_records_is_written_with_few_statements(either_world: World) -> None:
    numbers = range(1, CHUNK + 1)
    new = [make_study(number, conditions=(f"Condition {number % 5}",)) for number in numbers]
    changed = [make_study(number, conditions=("Another",), enrollment=120) for number in numbers]

    assert count_statements(either_world, *new) < MOST_A_RECORD * CHUNK
    assert count_statements(either_world, *changed) < MOST_A_RECORD * CHUNK
