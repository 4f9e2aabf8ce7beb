"""Lists for programs walk an index from where they go on, on both engines, however much is held."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from notifier.store.listing_store import (
    StudyList,
    list_changes,
    list_conditions,
    list_studies,
    list_trial_changes,
)
from tests.world import World

pytestmark = pytest.mark.rules
THEN = datetime.fromisoformat("2026-03-01T00:00:00+00:00")

LISTS: list[tuple[str, Callable[[Session], Any]]] = [
    ("trials", lambda session: list_studies(session, StudyList(), after=(5,), limit=100)),
    ("trials", lambda session: list_studies(session, StudyList(status="WITHHELD"), after=(5,), limit=100)),
    ("trials", lambda session: list_studies(session, StudyList(updated_since=THEN), after=(THEN, 5), limit=100)),
    ("trial_conditions", lambda session: list_studies(session, StudyList(condition_id=3), after=(5,), limit=100)),
    (
        "changes",
        lambda session: list_changes(session, since=THEN, until=THEN + timedelta(days=1), after=(THEN, 5), limit=100),
    ),
    ("changes", lambda session: list_trial_changes(session, 7, before=5, limit=100)),
    ("conditions", lambda session: list_conditions(session, after=5, limit=100)),
]


def plan_of(session: Session, ask: Callable[[Session], Any]) -> str:
    """How the database would answer, if it were large."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    engine = session.get_bind().engine
    event.listen(engine, "before_cursor_execute", note)
    ask(session)
    event.remove(engine, "before_cursor_execute", note)
    on_sqlite = engine.dialect.name == "sqlite"
    if not on_sqlite:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
    explain = "EXPLAIN QUERY PLAN " if on_sqlite else "EXPLAIN "
    rows = session.connection().exec_driver_sql(explain + asked[-1][0], asked[-1][1]).all()
    return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("number", range(len(LISTS)))
def test_a_list_walks_an_index(either_world: World, number: int) -> None:
    table, ask = LISTS[number]
    with either_world.installation.database.reading() as session:
        plan = plan_of(session, ask)

    assert f"SCAN {table}" not in plan, plan
    assert "Seq Scan" not in plan, plan
    assert "TEMP B-TREE" not in plan, plan
    assert not any(line.strip().startswith("->  Sort") for line in plan.splitlines()), plan
