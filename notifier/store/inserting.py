"""Inserts that may be repeated: what is there already stays as it is, on both engines."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifier.store.models import Base


def insert_for(session: Session, model: type[Base]) -> Any:
    """The engine's own INSERT, which knows ON CONFLICT; SQLAlchemy's common one does not."""
    return insert_on(model, on_sqlite=session.get_bind().dialect.name == "sqlite")


def insert_on(model: type[Base], *, on_sqlite: bool) -> Any:
    """As `insert_for`, for a statement that is made before there is a session."""
    return sqlite.insert(model) if on_sqlite else postgresql.insert(model)


def offered(column: str) -> ColumnElement[Any]:
    """The value an insert would have written where it conflicts; quicker than the insert's own ``excluded``."""
    return literal_column(f"excluded.{column}")


def insert_once(session: Session, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, leaving alone those that any unique constraint says are there already."""
    if rows:
        session.execute(insert_for(session, model).on_conflict_do_nothing(), rows)
