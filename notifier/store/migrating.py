"""Brings a database to the newest schema, and tells whether it is there."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from notifier.store.database import Database

_MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"
_ADVISORY_LOCK = 7_041_776
"""Any number that nothing else in the database locks: two deployments at once migrate in turn."""


def migrate(database: Database) -> bool:
    """Bring the database to the newest schema; whether there was anything to do.

    Raises:
        StoreUnavailable: the database cannot be reached or written.
    """
    if is_current(database):
        return False
    config = configuration()
    with _alone(database), database.migrating() as connection:
        if database.engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True


def configuration() -> Config:
    """Alembic's, for the migrations that come with this package; it needs a connection among its attributes."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def is_current(database: Database) -> bool:
    """Whether the database has the newest schema.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    with database.reading() as session:
        return _revision(session.connection()) == ScriptDirectory(str(_MIGRATIONS)).get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """On SQLite a lock file keeps two processes that start at once from migrating at once."""
    file = database.engine.url.database
    if not database.is_sqlite or not file:
        yield
        return
    with Path(f"{file}.migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
