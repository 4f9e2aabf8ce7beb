"""Changes of rows that a session has not loaded, or does not look at again: it need not look for them among its own."""

from sqlalchemy import CursorResult, Delete, Update
from sqlalchemy.orm import Session


def change_rows(session: Session, statement: Update | Delete) -> int:
    """Change or delete rows, and leave as it is what this session has loaded of them; how many."""
    done = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(done, CursorResult)
    return max(done.rowcount, 0)
