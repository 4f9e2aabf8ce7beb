"""How engines go about large statements, where that must be said to them."""

from sqlalchemy import text
from sqlalchemy.orm import Session

_PLAN_ONLY = text("SELECT set_config('jit', 'off', true), set_config('enable_material', 'off', true)")
_BY_INDEXES = (
    "set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
    " set_config('enable_mergejoin', 'off', true)"
)
_LOOK_UP_ONLY = text(f"SELECT {_BY_INDEXES}")
_LOOK_UP_AS_EVER = text(
    f"SELECT {_BY_INDEXES}, set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)"
)


def is_sqlite(session: Session) -> bool:
    """Whether nobody else can write while this transaction does."""
    return session.get_bind().dialect.name == "sqlite"


def plan_only(session: Session) -> None:
    """Have PostgreSQL run the statements of this transaction as planned, and never compare all rows with all others.

    It compiles what it thinks is dear, and what is asked here consists of many parts: compiling them takes seconds,
    running them some milliseconds. And where it thinks that hardly any row will be found, as of a table that was empty
    when it was counted, it keeps those rows and goes through all of them for each row of another table: planning for
    20,000 readers took seconds.
    """
    if not is_sqlite(session):
        session.connection().execute(_PLAN_ONLY)


def look_up_only(session: Session) -> None:
    """Have PostgreSQL find by indexes what the statements of this transaction ask for, row by row, besides `plan_only`.

    What it counted of a table may be from when that was empty: it then thinks nothing of reading all of it again for
    each portion of readers, or even each reader, while these portions fill it.
    """
    plan_only(session)
    if not is_sqlite(session):
        session.connection().execute(_LOOK_UP_ONLY)


def look_up_as_ever(session: Session) -> None:
    """Have PostgreSQL plan the statements of this transaction once for all that follow, and by indexes alone.

    To plan the statements for two dozen mails takes it a tenth of all that these cost it. By itself it goes by how
    large tables are when it plans, so such a plan would read from end to end what was small then and is not now;
    therefore all other statements are planned each time (`store/database.py`).
    """
    if not is_sqlite(session):
        session.connection().execute(_LOOK_UP_AS_EVER)
