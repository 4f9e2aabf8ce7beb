"""The time that all processes share: neither a lease nor what is news to whom may depend on whose machine is right."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.errors import StoreUnavailable
from notifier.store.database import Database

ASK_AGAIN = 60.0
"""Seconds in which two steady clocks do not come apart by anything that matters."""
LOOKS = 3
"""How often the server is asked at a time: the first answer waits for a connection, a busy machine holds up any."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What time it was at one moment of the steady clock, give or take ``doubt`` seconds."""

    time: datetime
    at: float
    doubt: float

    def told_at(self, moment: float) -> datetime:
        return self.time + timedelta(seconds=moment - self.at)

    def agrees_with(self, earlier: "_Asked") -> bool:
        """Whether counting on from an earlier answer is as true as this one."""
        return abs(earlier.told_at(self.at) - self.time) <= timedelta(seconds=self.doubt)


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
        """The moment, in UTC where a server was asked.

        Raises:
            StoreUnavailable: the server was never reached yet, and this machine's own time may be any.
        """
        if self._database.is_sqlite:
            return self._own()
        asked = self._asked
        if asked is None or self._steady() >= self._ask_at:
            asked = self._ask(asked)
        return asked.told_at(self._steady())

    def _ask(self, earlier: _Asked | None) -> _Asked:
        """Whoever is away now is asked again later; until then time goes on as it did."""
        # At once, so that no other thread waits for the same answer.
        self._ask_at = self._steady() + ASK_AGAIN
        try:
            with self._database.reading() as session:
                answer = min((self._look(session) for _ in range(LOOKS)), key=lambda look: look.doubt)
        except StoreUnavailable:
            if earlier is None:
                raise
            answer = earlier
        # A slow answer is no reason to leave a better one.
        self._asked = earlier if earlier and answer.agrees_with(earlier) else answer
        return self._asked

    def _look(self, session: Session) -> _Asked:
        began = self._steady()
        answer = session.scalars(select(func.clock_timestamp())).one()
        doubt = (self._steady() - began) / 2
        return _Asked(answer.astimezone(UTC), at=began + doubt, doubt=doubt)
