"""Planning on PostgreSQL costs the same for each reader however many there are, whatever its tables were counted as."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, insert, select, text, update
from sqlalchemy.orm import Session

from notifier import planning
from notifier.domain.schedules import Cadence
from notifier.matching import match_changes
from notifier.planning import plan_digests, plan_urgent
from notifier.store.models import Delivery, Schedule, Subscriber, Subscription
from tests.many_readers import follow
from tests.studies import make_study
from tests.world import World, open_world, settings_for

pytestmark = [pytest.mark.postgres, pytest.mark.rules]
FEW, MANY = 300, 1500
A_FEW = 100
"""Rows in all steps of all statements for a reader; 30 to 45 by look-ups, hundreds where tables are gone through."""


@contextmanager
def work_of(engine: Engine, *, beginning: tuple[str, ...] = ("SELECT", "INSERT", "WITH")) -> Iterator[list[float]]:
    """How many rows each step of each statement looks at, in all: each is run twice, explained and undone at first."""
    found: list[float] = []

    def explain(_connection: Any, cursor: Any, statement: str, values: Any, _context: Any, _is_many: bool) -> None:
        if not statement.lstrip().startswith(beginning) or "set_config" in statement:
            return
        with cursor.connection.cursor() as other:
            other.execute("SAVEPOINT looked_at")
            other.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
            told = other.fetchone()[0]
            other.execute("ROLLBACK TO SAVEPOINT looked_at")
        plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
        found.append(sum(_rows(node) for node in _nodes(plan)))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _rows(node: dict[str, Any]) -> float:
    removed = sum(count for name, count in node.items() if name.startswith("Rows Removed"))
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


def planned(world: World, plan: Callable[..., int], *, readers: int) -> float:
    """How many rows are looked at for each of so many readers with news, by tables that were counted when empty."""
    database = world.installation.database
    follow(world, readers=readers)
    with database.writing() as session:
        session.execute(update(Subscription).values(urgent=plan is plan_urgent))
        session.execute(update(Schedule).values(cadence="instant" if plan is plan_digests else "daily"))
        _make_and_delete_mails(session, world)
        session.execute(text("ANALYZE"))
    world.ingest(make_study(status="SUSPENDED", why_stopped="Safety", updated="2026-03-03"))
    assert match_changes(database=database, now=world.now) == readers
    with work_of(database.engine) as work:
        assert plan(database=database, now=world.now) == readers
    return sum(work) / readers


def _make_and_delete_mails(session: Session, world: World) -> None:
    """As after a quiet month: what there was of mails takes room, and is counted as nothing."""
    old = {"kind": "digest", "lane": 1, "state": "sent", "not_before": world.now, "created_at": world.now}
    readers = session.scalars(select(Subscriber.id)).all()
    session.execute(insert(Delivery), [old | {"dedupe_key": f"old:{one}", "subscriber_id": one} for one in readers])
    session.execute(delete(Delivery))


@pytest.mark.parametrize("plan", [plan_digests, plan_urgent])
def test_five_times_the_readers_cost_a_few_look_ups_each(
    plan: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    postgres_world: World,
    tmp_path: Path,
    new_postgres_database: Callable[..., str],
    migrated_postgres: str,
) -> None:
    monkeypatch.setattr(planning, "MAILS", FEW // 2)
    settings = settings_for(
        tmp_path, mailbox=postgres_world.mailbox, database_url=new_postgres_database(migrated_postgres)
    )
    with closing(open_world(settings, mailbox=postgres_world.mailbox, now=postgres_world.now)) as other:
        few = planned(other, plan, readers=FEW)
    many = planned(postgres_world, plan, readers=MANY)

    assert many < 1.5 * few
    assert many < A_FEW


def test_whoever_waits_for_another_day_costs_nothing_while_mails_are_written(postgres_world: World) -> None:
    database = postgres_world.installation.database
    follow(postgres_world, readers=MANY)
    weekly = postgres_world.subscribe("w@example.org", trial="NCT90000001", cadence=Cadence(cadence="weekly", hour=7))
    with database.writing() as session:
        is_due = Subscriber.id % (MANY // FEW) == 0
        schedule = session.get_one(Subscriber, weekly).schedule_id
        session.execute(update(Subscriber).where(~is_due).values(schedule_id=schedule))
        session.execute(text("ANALYZE"))
    postgres_world.ingest(make_study(status="SUSPENDED", why_stopped="Safety", updated="2026-03-03"))
    match_changes(database=database, now=postgres_world.now)

    with work_of(database.engine, beginning=("INSERT",)) as work:
        planned = plan_digests(database=database, now=postgres_world.now)

    assert planned == FEW
    assert sum(work) < A_FEW * planned
