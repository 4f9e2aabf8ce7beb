"""The time that all processes share: neither a lease nor what is news to whom may depend on whose machine is right."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from notifier.errors import StoreUnavailable
from notifier.store.database import Database

ASK_AGAIN = 60.0
"""Seconds in which two steady clocks do not come apart by anything that matters."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What time it was at one moment of the steady clock."""

    time: datetime
    at: float


class SharedClock:
    """Tells the time, aware: that of the database server, asked for once a minute and counted on in between.

    So two workers agree when a lease is over, whatever their own clocks say, and a clock that is put right in the
    middle of a send is not noticed. SQLite is on this machine, and has this machine's time.
    """

    def __init__(
        self, database: Database, *, own: Callable[[], datetime], steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._own = own
        self._steady = steady
        self._asked: _Asked | None = None
        self._ask_at = 0.0 if database.is_sqlite else steady()

    def __call__(self) -> datetime:
        if self._database.is_sqlite:
            return self._own()
        if self._steady() >= self._ask_at:
            self._ask()
        asked = self._asked
        return self._own() if asked is None else asked.time + timedelta(seconds=self._steady() - asked.at)

    def _ask(self) -> None:
        """Whoever is away now is asked again later; until then time goes on as it did."""
        began = self._steady()
        self._ask_at = began + ASK_AGAIN
        try:
            with self._database.reading() as session:
                answer = session.scalars(select(func.clock_timestamp())).one()
        except StoreUnavailable:
            return
        self._asked = _Asked(answer.astimezone(UTC), (began + self._steady()) / 2)
