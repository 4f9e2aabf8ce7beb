"""Lists and rows given to a statement as one value, so that its text and its plan stay the same for any number."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    FromClause,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

Value = int | str | None


class _Ids(TypeDecorator[Sequence[int]]):
    """A list of ids: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(BigInteger()))

    def process_bind_param(self, value: Sequence[int] | None, dialect: Dialect) -> Any:
        return msgspec.json.encode(value or ()).decode() if dialect.name == "sqlite" else list(value or ())


class among(FunctionElement[Any]):  # noqa: N801  # reads as a part of a statement
    """That a column is one of the ids given under a name.

    It has no type: of a Boolean, SQLAlchemy asks SQLite whether it equals 1, and no index serves that.
    """

    inherit_cache = True

    def __init__(self, subject: Any, name: str) -> None:
        super().__init__(subject, bindparam(name, type_=_Ids()))


@compiles(among, "sqlite")
def _among_on_sqlite(element: among, compiler: Any, **options: Any) -> str:
    subject, ids = (compiler.process(one, **options) for one in element.clauses)
    return f"{subject} IN (SELECT value FROM json_each({ids}))"  # noqa: S608  # parts that SQLAlchemy wrote


@compiles(among, "postgresql")
def _among_on_postgres(element: among, compiler: Any, **options: Any) -> str:
    subject, ids = (compiler.process(one, **options) for one in element.clauses)
    return f"{subject} = ANY ({ids})"


def given(name: str, *, on_sqlite: bool, **columns: TypeEngine[Any]) -> FromClause:
    """A table with these columns, of the rows given under a name as `as_rows` writes them."""
    if on_sqlite:
        each = func.json_each(bindparam(name, type_=Text())).table_valued("value", name=f"each_{name}")
        picked = (func.json_extract(each.c.value, f"$.{one}", type_=kind) for one, kind in columns.items())
        return select(*(value.label(one) for value, one in zip(picked, columns, strict=True))).subquery(name)
    rows = func.json_to_recordset(cast(bindparam(name, type_=Text()), JSON()))
    table = rows.table_valued(*(column(one, kind) for one, kind in columns.items()), name=name)
    return table.render_derived(name=name, with_types=True)


def of_given(id_column: Any, rows: FromClause, *, on_sqlite: bool) -> tuple[ColumnElement[bool], ...]:
    """That a row is meant by one of the ``rows`` given, by their ``id``; PostgreSQL wants these as ``ids``, too.

    It takes them for a hundred, whatever they are, and would rather read a table of some thousands from end to end.
    """
    same: ColumnElement[bool] = id_column == rows.c.id
    return (same,) if on_sqlite else (same, among(id_column, "ids"))


def given_pairs(name: str, *, on_sqlite: bool) -> FromClause:
    """A table of numbers, ``key`` and ``value``, as `as_pairs` writes them; SQLite reads it much faster than rows."""
    if on_sqlite:
        each = func.json_each(bindparam(name, type_=Text())).table_valued("key", "value", name=f"each_{name}")
    else:
        pairs = func.json_each_text(cast(bindparam(name, type_=Text()), JSON()))
        each = pairs.table_valued("key", "value", name=f"each_{name}")
    numbers = (cast(column, BigInteger()).label(name) for name, column in each.c.items())
    return select(*numbers).subquery(name)


def as_pairs(pairs: Mapping[int, int]) -> str:
    """Pairs of numbers as `given_pairs` reads them."""
    return msgspec.json.encode(pairs).decode()


def as_rows(rows: Iterable[Mapping[str, Value]]) -> str:
    """Rows as `given` reads them; moments as `moment_writer` writes them."""
    return msgspec.json.encode(list(rows)).decode()


def moment_writer(session: Session) -> Callable[[datetime], str]:
    """What writes a moment as the engine does: PostgreSQL must be told the zone, SQLite keeps none."""
    zone = "" if is_sqlite(session) else "+00"
    return lambda moment: moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds") + zone


def is_sqlite(session: Session) -> bool:
    """Whether a session is on SQLite; some statements are written for each engine."""
    return session.get_bind().dialect.name == "sqlite"
