"""How engines go about large statements, where that must be said to them."""

from sqlalchemy import text
from sqlalchemy.orm import Session

_PLAN_ONLY = text("SELECT set_config('jit', 'off', true), set_config('enable_material', 'off', true)")
_LOOK_UP_ONLY = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
    " set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
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
