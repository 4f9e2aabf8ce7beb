"""Which statement costs what on PostgreSQL: statements are caught as they run, then explained with their own values."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

BIG = 10_000
"""Rows from which on a table must not be read from end to end."""


@dataclass(slots=True)
class Caught:
    """One statement: how often it ran, and the values it ran with first."""

    statement: str
    values: Any
    calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a statement costs; ``scans`` are the tables it reads from end to end."""

    statement: str
    calls: int
    milliseconds: float
    nodes: tuple[str, ...]
    scans: frozenset[str]


@dataclass(slots=True)
class Statements:
    """All statements caught, by their text."""

    caught: dict[str, Caught] = field(default_factory=dict)

    def plans(self, engine: Engine) -> list[Plan]:
        """Each statement run once more, explained and undone; the dearest in all first."""
        found = [_explain(engine, one) for one in self.caught.values() if _can_be_explained(one.statement)]
        return sorted(found, key=lambda plan: -plan.milliseconds * plan.calls)


@contextmanager
def catching(engine: Engine) -> Iterator[Statements]:
    """The statements that an engine runs within the block."""
    statements = Statements()

    def catch(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, is_many: bool) -> None:
        first = values[0] if is_many else values
        statements.caught.setdefault(statement, Caught(statement, first)).calls += 1

    event.listen(engine, "before_cursor_execute", catch)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", catch)


def big_tables(engine: Engine) -> frozenset[str]:
    """Tables of which so many rows are held that nothing may read them from end to end."""
    counted = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > :big"
    with engine.connect() as connection:
        return frozenset(connection.scalars(text(counted), {"big": BIG}))


def _can_be_explained(statement: str) -> bool:
    return statement.lstrip().split(" ", 1)[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}


def _explain(engine: Engine, one: Caught) -> Plan:
    try:
        plan = _run(engine, f"EXPLAIN (ANALYZE, FORMAT JSON) {one.statement}", one.values)
    except DBAPIError:
        # What it would insert is there by now.
        plan = _run(engine, f"EXPLAIN (FORMAT JSON) {one.statement}", one.values)
    nodes = list(_nodes(plan["Plan"]))
    return Plan(
        statement=" ".join(one.statement.split()),
        calls=one.calls,
        milliseconds=plan.get("Planning Time", 0.0) + plan.get("Execution Time", 0.0),
        nodes=tuple(dict.fromkeys(_named(node) for node in nodes)),
        scans=frozenset(node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"),
    )


def _run(engine: Engine, statement: str, values: Any) -> dict[str, Any]:
    with engine.connect() as connection:
        told = connection.exec_driver_sql(statement, values).scalar_one()
        connection.rollback()
    plan: dict[str, Any] = (json.loads(told) if isinstance(told, str) else told)[0]
    return plan


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _named(node: dict[str, Any]) -> str:
    of = node.get("Index Name") or node.get("Relation Name")
    return f"{node['Node Type']} {of}" if of else str(node["Node Type"])
