"""Rows in which a filled database of an earlier schema is migrated, and its mails go out afterwards."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Table, inspect, text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from notifier.config import load_settings
from notifier.domain.deliveries import Claimed, Composed
from notifier.installation import open_installation
from notifier.rounds import Service, deliver, make_news, open_service
from notifier.store import migrating
from notifier.store.database import Database, open_database
from notifier.store.delivery_store import enter_data
from notifier.store.lease_store import claim
from notifier.store.models import Base
from tests.chaos.rows import BOTH, Row
from tests.chaos.stage import Stage
from tests.topologies import run

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
GONE_BY = timedelta(minutes=5)
"""How long ago the worker was lost that left mails behind."""


def migrate(stage: Stage, revision: str) -> None:
    """Mails in each state and news that nobody has matched, in the tables of then; all of it goes on from there."""
    stage.crowd.gather(stage.pick(400, 100))
    stage.crowd.news()
    _leave_in_each_state(stage)
    stage.crowd.news()
    url = _empty_database(stage)
    kept = _move_back(stage, url, revision)
    stage.service.settings["NOTIFIER_DATABASE_URL"] = url
    run(stage.folder, stage.service.settings, "migrate")
    _look(stage, url, kept)
    given = {key.removeprefix("NOTIFIER_").lower(): value for key, value in stage.service.settings.items()}
    stage.installation.close()
    stage.installation = open_installation(load_settings(**given), now=datetime.now(UTC))
    stage.crowd.installation = stage.installation
    stage.service.start()
    stage.drain()
    stage.crowd.insist(stage.service.url)


def _leave_in_each_state(stage: Stage) -> None:
    """Sent, in_data and leased by a worker that is gone, deferred, and waiting: a fifth each."""
    here, now = stage.installation, datetime.now(UTC)
    make_news(here, now=now)
    service = open_service(here)
    share = len(stage.crowd.readers) // 5
    with capture_logs():
        deliver(service, now=lambda: now, limit=share)
    past = now - GONE_BY
    with here.database.writing() as session:
        claimed = claim(session, now=now, limit=2 * share, token=str(uuid4()), until=now + GONE_BY)
        _enter(session, service, claimed[:share], now)
    with here.database.writing() as session:
        session.execute(
            text("UPDATE deliveries SET leased_until = :past WHERE state IN ('leased', 'in_data')"),
            {"past": past if stage.engine == "postgresql" else past.strftime("%Y-%m-%d %H:%M:%S.%f")},
        )
        deferred = "SELECT id FROM deliveries WHERE state = 'waiting' ORDER BY id LIMIT :share"
        session.execute(
            text(f"UPDATE deliveries SET state = 'deferred', attempts = 1 WHERE id IN ({deferred})"), {"share": share}
        )
    service.deliverer.close()
    with here.database.reading() as session:
        states = session.execute(text("SELECT state, count(*) FROM deliveries GROUP BY state ORDER BY state")).all()
    stage.say(", ".join(f"{count} {state}" for state, count in states))
    stage.expect(len(states) == 5, f"mails were in {len(states)} states only")


def _enter(session: Session, service: Service, claimed: list[Claimed], now: datetime) -> None:
    mails = [one for one in service.composer(session, claimed, now) if isinstance(one, Composed)]
    enter_data(session, token=claimed[0].token, mails=mails, now=now, lease=GONE_BY)


def _empty_database(stage: Stage) -> str:
    if stage.engine == "postgresql":
        return stage.grounds.copy_of("")
    return f"sqlite:///{stage.folder / 'earlier.db'}"


def _move_back(stage: Stage, url: str, revision: str) -> dict[str, int]:
    """Make the tables of then, and fill them with what there is now; how many rows each has."""
    now, then = stage.installation.database, open_database(url)
    with then.migrating() as connection:
        config = migrating.configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with now.engine.connect() as source, then.migrating() as target:
        if not now.is_sqlite:
            target.execute(text("SET session_replication_role = replica"))
        tables = [table for table in _tables(target) if table.name != "alembic_version"]
        kept = {table.name: _copy(source, target, table) for table in tables}
        if not now.is_sqlite:
            target.execute(text("SET session_replication_role = origin"))
            _count_on(target, tables)
    stage.installation.close()
    then.close()
    return kept


def _tables(connection: Connection) -> Iterable[Table]:
    found = MetaData()
    found.reflect(connection)
    return found.tables.values()


def _copy(source: Connection, target: Connection, table: Table) -> int:
    """Copy the columns there were, as they lie there."""
    target.execute(table.delete())
    there = {row[0] for row in source.exec_driver_sql(f'SELECT * FROM "{table.name}" LIMIT 0').cursor.description}
    names = [column.name for column in table.columns if column.name in there]
    columns = ", ".join(f'"{name}"' for name in names)
    rows = [tuple(row) for row in source.exec_driver_sql(f'SELECT {columns} FROM "{table.name}"')]
    mark = "?" if source.dialect.name == "sqlite" else "%s"
    into = f'INSERT INTO "{table.name}" ({columns}) VALUES ({", ".join([mark] * len(names))})'
    if rows:
        target.exec_driver_sql(into, rows)
    return len(rows)


def _count_on(connection: Connection, tables: Iterable[Table]) -> None:
    """Number new rows after those that were copied."""
    for table in tables:
        if "id" in table.columns and table.columns["id"].autoincrement:
            named = f"pg_get_serial_sequence('{table.name}', 'id')"
            highest = f'(SELECT coalesce(max(id), 1) FROM "{table.name}")'
            connection.execute(text(f"SELECT setval({named}, {highest}) WHERE {named} IS NOT NULL"))


def _look(stage: Stage, url: str, kept: dict[str, int]) -> None:
    """All rows are there, and the tables are as the code thinks they are."""
    database = open_database(url)
    with database.reading() as session:
        counts = {name: session.scalar(text(f'SELECT count(*) FROM "{name}"')) for name in kept}
    wrong = {name for name, count in kept.items() if counts[name] != count}
    stage.expect(not wrong, f"rows are missing in {sorted(wrong)}")
    different = _differences(database)
    stage.expect(not different, f"the schema differs: {different[:3]}")
    stage.say(f"{sum(kept.values())} rows in {len(kept)} tables")
    database.close()


def _differences(database: Database) -> list[str]:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        different = [str(one) for one in compare_metadata(context, Base.metadata)]
        return different + (_partial_otherwise(connection) if database.is_sqlite else [])


def _partial_otherwise(connection: Connection) -> list[str]:
    """Indexes over other rows than the code says; PostgreSQL words conditions anew, so they are compared on SQLite."""
    asked = inspect(connection)
    named = {
        one["name"]: str(one.get("dialect_options", {}).get("sqlite_where"))
        for table in Base.metadata.tables
        for one in asked.get_indexes(table)
    }
    wanted = {
        one.name: str(one.dialect_options["sqlite"]["where"])
        for table in Base.metadata.tables.values()
        for one in table.indexes
    }
    return [f"{name}: {named.get(name)}" for name, where in wanted.items() if named.get(str(name)) != where]


ROWS = [Row(name=f"schema {one} migrated", go=partial(migrate, revision=one), engines=BOTH) for one in REVISIONS]
"""Each of the schemas there were before this one."""
