"""Runs migrations on the connection it is handed, or on the database that the settings name."""

from alembic import context
from sqlalchemy import Connection

from notifier.config import load_settings
from notifier.store.database import open_database
from notifier.store.models import Base


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


handed: Connection | None = context.config.attributes.get("connection")
if handed is not None:
    _migrate(handed)
else:
    database = open_database(load_settings().database_url)
    with database.engine.begin() as own:
        _migrate(own)
    database.close()
