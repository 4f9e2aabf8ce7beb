"""What all tables share: ids, moments in UTC, names of constraints, and how partial indexes are said."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, MetaData, Text, TypeDecorator, text
from sqlalchemy.orm import DeclarativeBase

Id = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column that is exactly INTEGER."""

NEVER_AGAIN: dict[str, Any] = {"sqlite_autoincrement": True}
"""Rows that links lead to: without it SQLite would give the id of a deleted row to the next one."""

BY_KEY_ALONE: dict[str, Any] = {"sqlite_with_rowid": False}
"""Rows kept in the order of their primary key: SQLite writes one page for neighbours where there would be two each."""

ROOM_FOR_UPDATES: dict[str, Any] = {"postgresql_with": {"fillfactor": 85}}
"""So that PostgreSQL finds room beside a row for what it becomes, and leaves its indexes as they are."""


ROOM_IN_INDEX: dict[str, Any] = {"postgresql_with": {"fillfactor": 70}}
"""A row that ends is one more entry: without room PostgreSQL searches a page of the index for dead ones first."""


def only(condition: str) -> dict[str, Any]:
    """The rows a partial index covers, said the same to both engines."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC on both engines; SQLite keeps no zone, so it is put on when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        str: Text(),
        int: Integer(),
        bytes: LargeBinary(),
    }
