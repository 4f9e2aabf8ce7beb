"""The way to the database: what counts as a database that is away, what as a wrong setting, and what as a bug."""

import sqlite3
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from notifier.errors import ConfigurationError, StoreUnavailable
from notifier.store import database as database_module
from notifier.store.database import POOL, Database, open_database
from notifier.store.statement_plans import look_up_as_ever


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    yield database
    database.close()


@pytest.fixture
def on_postgres(postgres_database_url: str) -> Iterator[Database]:
    database = open_database(postgres_database_url)
    yield database
    database.close()


@pytest.mark.parametrize("url", ["hush", "postgresql+psycopg://user:hush@db:hush/notifier"])
def test_a_malformed_address_is_one_sentence_without_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_database(url)

    assert "hush" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.postgres
def test_an_option_that_is_not_known_is_a_wrong_setting(postgres_database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="NOTIFIER_DATABASE_URL") as refused:
        _ask(open_database(f"{postgres_database_url}?colour=red"), "SELECT 1")

    assert refused.value.__suppress_context__


@pytest.mark.postgres
@pytest.mark.parametrize(
    "trouble",
    [
        "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)",
        "SET TRANSACTION READ ONLY; CREATE TABLE new (id integer)",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ],
)
def test_trouble_of_the_server_is_a_database_that_is_away(on_postgres: Database, trouble: str) -> None:
    with pytest.raises(StoreUnavailable):
        _ask(on_postgres, trouble)


def test_a_statement_that_is_too_long_is_a_bug(on_sqlite: Database) -> None:
    with pytest.raises(OperationalError, match="too many SQL variables"):
        _ask_for_too_much(on_sqlite)


@pytest.mark.parametrize("engine", ["on_sqlite", pytest.param("on_postgres", marks=pytest.mark.postgres)])
def test_what_was_to_be_stored_is_in_no_error(request: pytest.FixtureRequest, engine: str) -> None:
    database: Database = request.getfixturevalue(engine)

    with pytest.raises(DBAPIError) as failed, database.engine.connect() as connection:
        connection.execute(text("SELECT * FROM nowhere WHERE name = :name"), {"name": "canary"})

    assert "canary" not in str(failed.value)


@pytest.mark.postgres
def test_a_row_that_a_rule_refuses_is_in_no_error(on_postgres: Database) -> None:
    with on_postgres.writing() as session:
        session.execute(text("CREATE TABLE kept (words text CHECK (words < 'a'))"))

    # A traceback quotes the line.
    words = {"words": " ".join(["wren", "fever"])}
    with pytest.raises(DBAPIError) as raised, on_postgres.writing() as session:
        session.execute(text("INSERT INTO kept VALUES (:words)"), words)

    told = "".join(traceback.format_exception(raised.value))
    assert "violates check constraint" in told
    assert "wren fever" not in told


@pytest.mark.postgres
def test_forty_pages_at_once_each_find_a_connection(on_postgres: Database) -> None:
    with ExitStack() as open_ones:
        for _ in range(40):
            open_ones.enter_context(on_postgres.reading()).execute(text("SELECT 1"))


@pytest.mark.postgres
def test_what_postgres_prepared_outlives_a_reading_transaction(on_postgres: Database) -> None:
    for _ in range(8):
        _ask(on_postgres, "SELECT 17")

    with on_postgres.reading() as session:
        prepared = session.scalars(text("SELECT statement FROM pg_prepared_statements")).all()
    assert "SELECT 17" in prepared


@pytest.mark.postgres
def test_a_reading_transaction_cannot_write(on_postgres: Database) -> None:
    with pytest.raises(StoreUnavailable, match="read-only transaction"):
        _ask(on_postgres, "CREATE TABLE new (id integer)")


@pytest.mark.postgres
def test_statements_for_mails_are_planned_once_and_by_indexes_though_tables_are_empty(on_postgres: Database) -> None:
    with on_postgres.writing() as session:
        session.execute(text("CREATE TABLE new (id integer PRIMARY KEY)"))
        session.execute(text("PREPARE asked (integer[]) AS SELECT id FROM new WHERE id = ANY ($1)"))
        look_up_as_ever(session)
        plan = "\n".join(session.scalars(text("EXPLAIN EXECUTE asked ('{1,2,3}')")))

    assert "ANY ($1)" in plan
    assert "Seq Scan" not in plan
    with on_postgres.reading() as session:
        assert session.scalar(text("SHOW plan_cache_mode")) == "force_custom_plan"


def test_a_pool_that_is_used_up_is_a_database_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "POOL", {**POOL, "pool_size": 1, "max_overflow": 0, "pool_timeout": 0})
    database = open_database(f"sqlite:///{tmp_path / 'test.db'}")

    with database.reading() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(StoreUnavailable):
            _ask(database, "SELECT 1")
    database.close()


def test_a_writer_waits_for_another_process_only_once(
    on_sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ask(on_sqlite, "SELECT 1")
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_SECONDS", 0.3)
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()

    with pytest.raises(StoreUnavailable), on_sqlite.writing() as session:
        session.execute(text("SELECT 1"))

    # SQLite itself would have waited for 20 s more, as its connections are told to.
    assert time.monotonic() - began < 15
    other.close()


def test_a_writer_goes_on_as_soon_as_another_process_is_done(on_sqlite: Database, tmp_path: Path) -> None:
    _ask(on_sqlite, "SELECT 1")
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.2, other.rollback)
    done.start()

    with on_sqlite.writing() as session:
        session.execute(text("CREATE TABLE new (id integer)"))

    done.join()
    other.close()


def test_nobody_writes_between_what_a_change_of_schema_reads_and_what_it_writes(
    on_sqlite: Database, tmp_path: Path
) -> None:
    _ask(on_sqlite, "SELECT 1")
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None, timeout=0)

    with on_sqlite.migrating() as connection:
        connection.execute(text("SELECT * FROM sqlite_master"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("CREATE TABLE other (id integer)")
        connection.execute(text("CREATE TABLE new (id integer)"))

    other.close()


def _ask_for_too_much(database: Database) -> None:
    with database.reading() as session:
        raw = session.connection().connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 2)
        session.connection().exec_driver_sql("SELECT 1 WHERE 1 IN (?, ?, ?)", (1, 2, 3))


def _ask(database: Database, statements: str) -> None:
    with database.reading() as session:
        for statement in statements.split("; ") if "DO" not in statements else [statements]:
            session.execute(text(statement))
