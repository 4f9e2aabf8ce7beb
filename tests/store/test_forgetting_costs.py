"""What erasing costs: indexes find everything, on both engines, and a thousand Matches are as few statements as ten."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select, text

from notifier.forgetting import forget_subscriber
from notifier.retaining import retain
from notifier.store.models import Change, Match, Subscription
from tests.studies import make_study
from tests.world import World

LARGE = ("matches", "deliveries", "delivery_spans", "told", "subscriptions", "subscribers", "pending_requests")
pytestmark = pytest.mark.rules


def with_matches(world: World, number: int, *, study: int = 1) -> int:
    """A reader with as many Matches of a study that have ended; the id of the subscriber."""
    world.ingest(make_study(study), baseline=True)
    reader = world.subscribe(f"reader-{study}@example.org", trial=f"NCT9000000{study}")
    with world.installation.database.writing() as session:
        change = session.scalars(select(Change).order_by(Change.id.desc()).limit(1)).one()
        subscription = session.scalars(select(Subscription).where(Subscription.subscriber_id == reader)).one()
        columns = {c.name: getattr(change, c.key) for c in Change.__table__.columns if c.name not in ("id", "seq")}
        session.execute(insert(Change), [{**columns, "seq": seq} for seq in range(2, number + 2)])
        its = (Change.trial_id == change.trial_id, Change.seq > 1)
        changes = session.execute(select(Change.id, Change.seq).where(*its))
        match = {
            "subscription_id": subscription.id, "subscriber_id": reader, "trial_id": change.trial_id,
            "created_at": world.now, "ended_at": world.now, "ended_as": "delivered",
        }  # fmt: skip
        session.execute(insert(Match), [{**match, "change_id": row.id, "seq": row.seq} for row in changes])
    return reader


@contextmanager
def statements(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of a database meanwhile."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def scans(world: World, asked: list[tuple[str, Any]]) -> list[str]:
    """What of these statements reads a large table from its beginning to its end."""
    database, found = world.installation.database, []
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET enable_seqscan = off"))
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        for statement, parameters in asked:
            if not statement.startswith(("SELECT", "DELETE", "UPDATE")) or isinstance(parameters, list):
                continue
            for row in connection.exec_driver_sql(explain + statement, parameters):
                line = str(row[-1])
                scan = line.removeprefix("SCAN ") if database.is_sqlite else line.partition("Seq Scan on ")[2]
                if scan != line and scan.split(" ")[0] in LARGE and "INDEX" not in scan:
                    found.append(f"{line}: {statement}")
    return found


def test_looking_through_a_table_is_noticed(either_world: World) -> None:
    assert len(scans(either_world, [("SELECT id FROM matches WHERE seq = 7", ())])) == 1


def test_erasing_looks_through_no_table(either_world: World) -> None:
    reader = with_matches(either_world, 10)
    database = either_world.installation.database

    with statements(database.engine) as asked, database.writing() as session:
        forget_subscriber(session, reader, by="reader", now=either_world.now)

    assert len(asked) > 10
    assert scans(either_world, asked) == []


def test_a_round_of_retention_looks_through_no_table(either_world: World) -> None:
    with_matches(either_world, 10)
    database = either_world.installation.database

    with statements(database.engine) as asked:
        retain(database=database, now=either_world.now + 400 * either_world.day)

    assert len(asked) > 10
    assert scans(either_world, asked) == []


def test_erasing_a_thousand_matches_asks_no_more_than_erasing_ten(either_world: World) -> None:
    database, asked_for = either_world.installation.database, {}
    for study, number in enumerate((10, 1_000), start=1):
        reader = with_matches(either_world, number, study=study)
        with statements(database.engine) as asked, database.writing() as session:
            erased = forget_subscriber(session, reader, by="reader", now=either_world.now)
        assert erased.matches == number
        asked_for[number] = len(asked)

    assert asked_for[10] == asked_for[1_000]
