"""The words of sending: how much at once, what a run did, and who makes mails and knows what destinations can take."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from sqlalchemy.orm import Session

from notifier.domain.deliveries import Claimed, Composed, Composing, Verdicts
from notifier.domain.lanes import Answered
from notifier.domain.traffic import HeldBack
from notifier.emails.pipelining import Timeouts
from notifier.store.database import Database
from notifier.store.lease_store import LEASE

Clock = Callable[[], datetime]
Composer = Callable[[Session, Sequence[Claimed], datetime], Sequence[Composing]]
"""Makes the mails of claimed Deliveries, from a reading session and the time; for a frozen one the same mail again."""


class Traffic(Protocol):
    """What destinations can take: decides which mails rest for now, and learns from how the others fared."""

    def rest_unmade(self, session: Session, claimed: Sequence[Claimed], *, now: datetime) -> HeldBack:
        """Which need not even be made, as their destination rests; called in the transaction that claims them."""
        ...

    def hold_back(self, session: Session, mails: Sequence[Composed], *, now: datetime) -> HeldBack:
        """Which of these may not go out yet; called in the transaction that admits the others."""
        ...

    def note(self, session: Session, mails: Sequence[Composed], verdicts: Verdicts, *, now: datetime) -> None:
        """Learn from verdicts; called in the transaction that marks them, after it did."""
        ...

    def look_again(self, *, now: datetime) -> float | None:
        """After how many seconds the next of the mails may go that wait for their turn; None where none waits."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at once: connections, Deliveries claimed together, mails in_data together, the length of a lease."""

    connections: int = 5
    chunk: int = 256
    group: int = 32
    lease: timedelta = LEASE
    timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def renew_seconds(self) -> float:
        """A lease may miss two renewals before it is lost."""
        return self.lease.total_seconds() / 3.6

    @property
    def patience(self) -> float:
        """Seconds for which marks are tried again where the database is away."""
        return self.lease.total_seconds()

    @property
    def kept(self) -> int:
        """How many of the mails in_data only those may be that somebody waits for."""
        return -(-self.group // 8) if self.group > 1 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all parts of a run share. One token holds all it claims, so that one statement renews and marks them all.

    Leases run by the ``real`` time, where ``clock`` is a time that was set.
    """

    database: Database
    composer: Composer
    limits: Limits
    traffic: Traffic | None
    clock: Clock
    real: Clock
    more: Callable[[], None] = lambda: None
    """Called, not seldom, where more was due than could be claimed at once: others can help."""
    token: str = field(default_factory=lambda: str(uuid4()))
    answered: Answered = field(default_factory=Answered)
    """Which domains answered lately, in this run or one before."""
    counts: Counter[str] = field(default_factory=Counter)
    """What the run did so far, by the names of `Delivered`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What one run did. ``ambiguous`` are among ``deferred`` and ``unknown``; ``stopped`` says why it ended early.

    ``held`` is how often a mail was put off because of its destination or a rate; it may have gone out later.
    """

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    unknown: int = 0
    ambiguous: int = 0
    held: int = 0
    stopped: str | None = None

    @property
    def tried(self) -> int:
        """How many came to an end, for now or for good."""
        return self.sent + self.deferred + self.failed + self.cancelled + self.unknown
