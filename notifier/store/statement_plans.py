"""How engines go about large statements, where that must be said to them."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def is_sqlite(session: Session) -> bool:
    """Whether nobody else can write while this transaction does."""
    return session.get_bind().dialect.name == "sqlite"


def plan_only(session: Session) -> None:
    """Have PostgreSQL run the statements of this transaction as planned, without compiling them first.

    It compiles what it thinks is dear, and what is asked here consists of many parts: compiling them takes seconds,
    running them some milliseconds.
    """
    if not is_sqlite(session):
        session.execute(text("SET LOCAL jit = off"))


def look_up_only(session: Session) -> None:
    """Have PostgreSQL find by indexes what the statements of this transaction ask for, besides `plan_only`.

    What it counted of a table may be from when that was empty: it then thinks nothing of reading all of it again for
    each reader, while these portions fill it.
    """
    plan_only(session)
    if not is_sqlite(session):
        session.execute(text("SET LOCAL enable_seqscan = off"))
