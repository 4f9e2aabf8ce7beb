"""Watches how long transactions hold the write lock, and how long whoever posts a form meanwhile waits for it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from notifier.store.database import Database, open_database

PAUSE_SECONDS = 0.02


@dataclass(slots=True)
class Transactions:
    """Seconds from the begin to the end of each transaction, with its commit."""

    seconds: list[float] = field(default_factory=list)

    @property
    def longest(self) -> float:
        """The longest of them, in seconds."""
        return max(self.seconds, default=0.0)


@contextmanager
def watching_writes(database: Database) -> Iterator[Transactions]:
    """Time the writing transactions of an engine while the block runs; on PostgreSQL all of them."""
    found, begun = Transactions(), dict[int, float]()

    def begin(connection: Connection) -> None:
        if not database.is_sqlite or connection.get_execution_options().get("sqlite_begin") == "IMMEDIATE":
            begun[id(connection.connection.dbapi_connection)] = time.perf_counter()

    def end(connection: DBAPIConnection, _entry: Any) -> None:
        started = begun.pop(id(connection), None)
        if started is not None:
            found.seconds.append(time.perf_counter() - started)

    event.listen(database.engine, "begin", begin)
    event.listen(database.engine, "checkin", end)
    try:
        yield found
    finally:
        event.remove(database.engine, "begin", begin)
        event.remove(database.engine, "checkin", end)


@contextmanager
def posting_forms(database: Database) -> Iterator[Transactions]:
    """Write a row of its own again and again, as forms do, on an engine of its own while the block runs."""
    found, stop = Transactions(), threading.Event()
    other = open_database(database.engine.url.render_as_string(hide_password=False))
    poster = threading.Thread(target=_post, args=(other, found, stop))
    poster.start()
    try:
        yield found
    finally:
        stop.set()
        poster.join()
        other.close()


def _post(database: Database, found: Transactions, stop: threading.Event) -> None:
    values = {"row": b"bench", "reason": "bench", "at": "2026-03-02 09:00:00"}
    while not stop.is_set():
        started = time.perf_counter()
        with database.writing() as session:
            session.execute(text("DELETE FROM suppressions WHERE address_index = :row"), values)
            session.execute(text("INSERT INTO suppressions VALUES (:row, :reason, :at)"), values)
        found.seconds.append(time.perf_counter() - started)
        stop.wait(PAUSE_SECONDS)
