"""Locks in the order that everybody keeps, also where what is to be locked changes while we wait for some of it."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

from sqlalchemy.orm import Session

T = TypeVar("T")


def hold(session: Session, lock: Callable[[], T | None]) -> T:
    """What `lock` gives, with all that it locked.

    None from it means that there was more to lock than it knew. To lock that, too, would be out of order, and somebody
    who keeps the order might wait for us: so everything is let go of and undone, and `lock` is called again. SQLite,
    where nobody else writes meanwhile, has nothing to let go of. What comes first in its transaction needs no savepoint
    to go back to.
    """
    if not session.in_transaction():
        return _hold_first(session, lock)
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    while True:
        with nullcontext() if is_sqlite else session.begin_nested() as attempt:
            held = lock()
            if held is None and attempt is not None:
                attempt.rollback()
        if held is not None:
            return held


def _hold_first(session: Session, lock: Callable[[], T | None]) -> T:
    while (held := lock()) is None:
        session.rollback()
    return held
