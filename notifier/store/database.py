"""The way to the database: one engine per process, reading and writing transactions, and the only commit."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from notifier.errors import ConfigurationError, StoreUnavailable

BUSY_TIMEOUT_SECONDS = 20
"""How long SQLite waits for another process's writer; our own writers queue on a lock, in turn."""
BUSY_LOOK_SECONDS = 0.005
"""How often a writer looks whether the other is done. SQLite's own waiting grows to looking ten times a second, and so
misses most of the gaps between the transactions of a long load: a form then waits for most of a second."""
FIRST_LOOK_SECONDS = 0.0005
"""After how long it looks first, and then after twice as long each time: two that send wait for each other briefly."""

POOL: dict[str, int] = {"pool_size": 20, "max_overflow": 40, "pool_timeout": 5}
"""Room for the 40 threads of the web server; nobody waits long for a connection while their page waits for them."""
POSTGRES_CONNECT: dict[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""So that a server whose machine is gone is noticed within a minute; tcp_user_timeout in milliseconds."""
_AWAY = ("08", "25", "53", "57")
"""SQLSTATE classes: connection lost, read only or idle too long, out of room, stopped by the operator."""
_OUR_BUGS = ("too many SQL variables", "number of parameters")


class Database:
    """An engine and its two kinds of transaction; made after a fork, never inherited by it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._read_engine = engine if self.is_sqlite else engine.execution_options(postgresql_readonly=True)
        self._write_engine = engine.execution_options(sqlite_begin="IMMEDIATE") if self.is_sqlite else engine
        self.before_commit: Callable[[Session], None] | None = None
        """Called with what is about to be committed; it may write to the session, too."""
        self._writer: AbstractContextManager[Any] = threading.RLock() if self.is_sqlite else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that writes nothing; PostgreSQL refuses what would.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        with _errors_told(), Session(self._read_engine, expire_on_commit=False) as session:
            yield session
            if not self.is_sqlite:
                # At a ROLLBACK the driver throws away all that it had PostgreSQL prepare.
                _commit(session)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that commits at its end, or leaves nothing behind when the body raises.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE), so that two writers never deadlock.

        Raises:
            StoreUnavailable: the database cannot be reached or written.
        """
        with self._writer, _errors_told(), Session(self._write_engine, expire_on_commit=False) as session:
            yield session
            if self.before_commit is not None:
                session.flush()
                self.before_commit(session)
            _commit(session)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A connection in one transaction for a change of schema; SQLite must not check foreign keys meanwhile.

        On SQLite it takes the write lock at once, as one that has read cannot go on to write once somebody else wrote.
        """
        with self._writer, _errors_told(), self._write_engine.connect() as connection:
            if self.is_sqlite:
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
            with connection.begin():
                yield connection
            connection.invalidate()

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open a database by its URL, ``sqlite:///file`` or ``postgresql+psycopg://…``; connects lazily.

    Raises:
        ConfigurationError: the URL is malformed or names another kind of database.
    """
    try:
        if make_url(url).get_backend_name() == "sqlite":
            return Database(_sqlite_engine(url))
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=POSTGRES_CONNECT, **POOL)
    except (ArgumentError, ValueError):
        # What went wrong would repeat a part of the address, perhaps of its password.
        raise ConfigurationError("NOTIFIER_DATABASE_URL is not a database address.") from None
    event.listen(engine, "handle_error", _leave_row_out)
    event.listen(engine, "connect", _prepare_postgres)
    return Database(engine)


def _prepare_postgres(connection: psycopg.Connection, _entry: ConnectionPoolEntry) -> None:
    """Have statements that are prepared planned for what they are given, as tables grow; see `statement_plans`."""
    connection.autocommit = True
    connection.execute("SET plan_cache_mode = force_custom_plan")
    connection.autocommit = False


def _commit(session: Session) -> None:
    session.commit()


def _leave_row_out(context: ExceptionContext) -> None:
    """Keep of an error only what PostgreSQL says first: its details quote the row, and so what a reader follows."""
    error = context.original_exception
    said = getattr(getattr(error, "diag", None), "message_primary", None)
    if said is None:
        return
    error.args = (said,)
    if context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.args = (f"({type(error).__name__}) {said}",)


def _sqlite_engine(url: str) -> Engine:
    connect: dict[str, Any] = {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    engine = create_engine(url, hide_parameters=True, connect_args=connect, **POOL)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself: it would begin a reading one and upgrade it later.
    connection.isolation_level = None
    # What is erased is overwritten, too: a sealed address must not lie on in the free pages of the file.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("sqlite_begin") != "IMMEDIATE":
        connection.exec_driver_sql("BEGIN DEFERRED")
        return
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.execute("PRAGMA busy_timeout=0")
    try:
        if not _begin_immediately(raw):
            # It waited already: this fails at once, and says why.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}")


def _begin_immediately(connection: sqlite3.Connection) -> bool:
    """Take the write lock as soon as it is free; False if it is not free for long or cannot be taken."""
    deadline, look = time.monotonic() + BUSY_TIMEOUT_SECONDS, FIRST_LOOK_SECONDS
    while time.monotonic() < deadline:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                return False
        else:
            return True
        time.sleep(look)
        look = min(2 * look, BUSY_LOOK_SECONDS)
    return False


@contextmanager
def _errors_told() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("The database did not answer: every connection is in use") from error
    except DBAPIError as error:
        if isinstance(error, ProgrammingError) and error.statement is None:
            # Connecting failed before any question was asked.
            raise ConfigurationError("NOTIFIER_DATABASE_URL has an option that the database does not know.") from None
        if _is_away(error):
            raise StoreUnavailable(f"The database did not answer: {_first_line(error)}") from error
        raise


def _is_away(error: DBAPIError) -> bool:
    """Whether the database is at fault and may answer later; what no try will ever mend is a bug of ours."""
    if any(said in str(error.orig) for said in _OUR_BUGS):
        return False
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return True
    return str(getattr(error.orig, "sqlstate", None) or "")[:2] in _AWAY


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0] if error.orig else type(error).__name__
