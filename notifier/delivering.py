"""Delivering: claim what is due, compose it, send it, mark it; the database is never held open over the network.

It is synchronous itself; what waits for the mail server waits in the event loop of ``Postman``, in a thread of its own.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Protocol, TypeVar
from uuid import uuid4

import structlog
from sqlalchemy.orm import Session

from notifier.config import MailServer
from notifier.domain.deliveries import (
    Answer,
    CannotCompose,
    Claimed,
    Composed,
    Composing,
    NotBefore,
    NothingToSay,
    NotYet,
    Verdict,
    Verdicts,
)
from notifier.domain.poison import compose_each
from notifier.emails.postman import Postman
from notifier.emails.smtp import Timeouts
from notifier.errors import StoreUnavailable
from notifier.store.database import Database
from notifier.store.delivery_contents import lock_readers_of
from notifier.store.delivery_store import Admission, cancel_silent, enter_data, fail_uncomposed
from notifier.store.lease_store import LEASE, claim, put_back, put_off, renew
from notifier.store.outcome_store import RETRY_OURS, mark, sweep

log = structlog.get_logger(__name__)

T = TypeVar("T")
Clock = Callable[[], datetime]
Composer = Callable[[Session, Sequence[Claimed], datetime], Sequence[Composing]]
"""Makes the mails of claimed Deliveries, from a reading session and the time; for a frozen one the same mail again."""


class Traffic(Protocol):
    """What destinations can take: decides which mails rest for now, and learns from how the others fared."""

    def hold_back(self, session: Session, mails: Sequence[Composed], *, now: datetime) -> Mapping[int, NotBefore]:
        """By Delivery id, which of these may not go out yet; called in the transaction that admits the others."""
        ...

    def note(self, session: Session, mails: Sequence[Composed], verdicts: Verdicts, *, now: datetime) -> None:
        """Learn from verdicts; called in the transaction that marks them, after it did."""
        ...


STORE_RETRY_SECONDS = 1.0
MARK_SECONDS = 5.0
TIME_IS_UP = "the time is up"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at once: connections, Deliveries claimed together, mails in_data together, the length of a lease."""

    connections: int = 4
    chunk: int = 256
    group: int = 32
    lease: timedelta = LEASE
    timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def renew_seconds(self) -> float:
        """A lease may miss two renewals before it is lost."""
        return self.lease.total_seconds() / 3.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What one run did. ``ambiguous`` are among ``deferred`` and ``unknown``; ``stopped`` says why it ended early."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    unknown: int = 0
    ambiguous: int = 0
    stopped: str | None = None


class Deliverer:
    """Sends what is due, for as long as its process lives; connections outlast a run.

    A mail server that is down, or that refuses us rather than a mailbox, is our side's matter: what was claimed rests
    for a minute, counts as no try, and the run stops.
    """

    def __init__(
        self,
        *,
        database: Database,
        mail_server: MailServer,
        sender: str,
        composer: Composer,
        limits: Limits | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self._database = database
        self._traffic = traffic
        self._composer = composer
        self._limits = limits = limits or Limits()
        self._postman = Postman(mail_server, sender=sender, connections=limits.connections, timeouts=limits.timeouts)
        self._stopping = threading.Event()
        self._one_run = threading.Lock()

    def deliver_due(
        self, *, now: Clock, real: Clock | None = None, limit: int | None = None, seconds: float | None = None
    ) -> Delivered:
        """Send until nothing is due, ``limit`` Deliveries were claimed, or ``seconds`` are over.

        Leases, which other workers must understand, run by the ``real`` time where ``now`` is a time that was set.

        Threads that share a Deliverer run one after the other, so that a process never has more in_data than one group.

        Raises:
            StoreUnavailable: the database cannot be reached; what was claimed comes back when the lease runs out.
        """
        run = _Run(
            database=self._database,
            composer=self._composer,
            postman=self._postman,
            limits=self._limits,
            traffic=self._traffic,
            clock=now,
            real=real or now,
            stopping=self._stopping,
            ends_at=inf if seconds is None else time.monotonic() + seconds,
        )
        with self._one_run:
            return run.go(limit)

    def sweep(self, *, now: Clock) -> Counter[str]:
        """Take back what lost workers left; counts ``returned``, ``deferred`` and ``unknown``."""
        with self._database.writing() as session:
            swept = sweep(session, now=now())
        if swept:
            log.warning("delivery.swept", **swept)
        return swept

    def stop(self) -> None:
        """Have a run end after the mails under way, giving back the rest; may be called from a signal handler."""
        self._stopping.set()

    def close(self) -> None:
        """Stop, hang up on mails under way, and have a run mark what is known of them."""
        self.stop()
        self._postman.close()
        if self._one_run.acquire(timeout=MARK_SECONDS):
            self._one_run.release()


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run through what is due."""

    database: Database
    composer: Composer
    postman: Postman
    limits: Limits
    traffic: Traffic | None
    clock: Clock
    real: Clock
    stopping: threading.Event
    ends_at: float
    counts: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    token: str = ""
    leased_until: datetime = _NEVER
    renew_at: datetime = _NEVER

    def go(self, limit: int | None) -> Delivered:
        """Chunk after chunk, as long as one gets anywhere."""
        left = limit
        while not self._is_over() and left != 0:
            claimed = self._claim(self.limits.chunk if left is None else min(left, self.limits.chunk))
            left = None if left is None else left - len(claimed)
            before = self.counts.total()
            if claimed:
                self._deliver(claimed)
            if self.counts.total() == before:
                break
        return Delivered(**self.counts, stopped=self.stopped)

    def _is_over(self) -> bool:
        if self.stopped is None and self.stopping.is_set():
            self.stopped = "asked to stop"
        if self.stopped is None and time.monotonic() > self.ends_at:
            self.stopped = TIME_IS_UP
        return self.stopped is not None

    def _claim(self, size: int) -> list[Claimed]:
        self.token, since = str(uuid4()), self.real()
        until = since + self.limits.lease
        with self.database.writing() as session:
            claimed = claim(session, now=self.clock(), limit=size, token=self.token, until=until)
        self._held_since(since)
        return claimed

    def _held_since(self, now: datetime) -> None:
        self.leased_until = now + self.limits.lease
        self.renew_at = now + timedelta(seconds=self.limits.renew_seconds)

    def _deliver(self, claimed: Sequence[Claimed]) -> None:
        outcomes = compose_each(self._compose, claimed)
        self._settle_unsent(outcomes)
        self._send_in_groups([one for one in outcomes if isinstance(one, Composed)])

    def _compose(self, claimed: Sequence[Claimed]) -> Sequence[Composing]:
        with self.database.reading() as session:
            return self.composer(session, claimed, self.clock())

    def _settle_unsent(self, outcomes: Sequence[Composing]) -> None:
        silent = [one for one in outcomes if isinstance(one, NothingToSay)]
        broken = [one for one in outcomes if isinstance(one, CannotCompose)]
        put_offs = [one for one in outcomes if isinstance(one, NotYet)]
        if not (silent or broken or put_offs):
            return
        now = self.clock()
        with self.database.writing() as session:
            cancelled = cancel_silent(session, token=self.token, silent=silent, now=now)
            states = fail_uncomposed(session, token=self.token, broken=broken, now=now)
            for one in put_offs:
                until, ids = now + RETRY_OURS, [one.delivery_id]
                self.counts["deferred"] += put_off(session, token=self.token, until=until, reason=one.reason, ids=ids)
        self.counts += Counter(states.values()) + Counter(cancelled=len(cancelled))
        unmade: list[CannotCompose | NotYet] = [*broken, *put_offs]
        for each in unmade:
            log.error("delivery.not_composed", delivery=each.delivery_id, reason=each.reason)

    def _send_in_groups(self, mails: Sequence[Composed]) -> None:
        """Send group after group; the marks of one and the in_data of the next are one transaction."""
        size = self.limits.group
        groups = [mails[start : start + size] for start in range(0, len(mails), size)]
        sent: list[Composed] = []
        verdicts: Verdicts = {}
        for group in (*groups, ()):
            going = group if group and not self._is_over() and self._still_holds() else ()
            admitted = self._advance(sent, verdicts, going)
            sent = [mail for mail in going if mail.delivery_id in admitted]
            verdicts = self._send(sent) if sent else {}
            self._heed(verdicts)
        if self._is_over():
            self._give_back()

    def _advance(self, sent: Sequence[Composed], verdicts: Verdicts, going: Sequence[Composed]) -> frozenset[int]:
        """Mark what was sent and admit what goes next."""
        if not (verdicts or going):
            return frozenset()
        try:
            states, admission = self._persist(lambda: self._write(sent, verdicts, going))
        except StoreUnavailable:
            raise
        except Exception:
            # Whatever broke, what the server answered must be known, or all of these would be sent again.
            bare = {id_: replace(verdict, reply=None) for id_, verdict in verdicts.items()}
            self._persist(lambda: self._write(sent, bare, ()))
            raise
        self.counts += Counter(states.values()) + Counter(cancelled=len(admission.cancelled))
        for id_, state in states.items():
            self._report(id_, state, verdicts[id_])
        return admission.admitted

    def _write(
        self, sent: Sequence[Composed], verdicts: Verdicts, going: Sequence[Composed]
    ) -> tuple[dict[int, str], Admission]:
        now = self.clock()
        with self.database.writing() as session:
            lock_readers_of(session, (*sent, *going))
            states = mark(session, token=self.token, mails=sent, verdicts=verdicts, now=now)
            if self.traffic is not None and verdicts:
                self.traffic.note(session, sent, verdicts, now=now)
            going = self._hold_back(session, going, now=now)
            admission = enter_data(
                session, token=self.token, mails=going, now=now, real=self.real(), lease=self.limits.lease
            )
        return states, admission

    def _hold_back(self, session: Session, going: Sequence[Composed], *, now: datetime) -> Sequence[Composed]:
        """What may go now; the rest is put off to the time it is given, which counts as no try."""
        held = self.traffic.hold_back(session, going, now=now) if self.traffic is not None and going else {}
        alike: dict[NotBefore, list[int]] = {}
        for id_, rest in held.items():
            alike.setdefault(rest, []).append(id_)
        for rest, ids in alike.items():
            put_off(session, token=self.token, until=rest.until, reason=rest.reason, ids=ids)
        return [mail for mail in going if mail.delivery_id not in held]

    def _persist(self, write: Callable[[], T]) -> T:
        """What the server answered must not be lost to a database that is away for a moment."""
        for _ in range(int(self.limits.lease.total_seconds() / STORE_RETRY_SECONDS)):
            try:
                return write()
            except StoreUnavailable as error:
                log.warning("delivery.store_unavailable", error=str(error))
                time.sleep(STORE_RETRY_SECONDS)
        return write()

    def _send(self, mails: Sequence[Composed]) -> Verdicts:
        """Hand mails over, holding on to the lease for as long as it takes.

        What has no verdict in the end may have gone out: whoever finds it in_data counts it as ambiguous.
        """
        earned: dict[int, Verdict] = {}
        if self.stopping.is_set():
            return {mail.delivery_id: Verdict(answer=Answer.OURS, reason="asked to stop") for mail in mails}
        going = self.postman.send(mails, earned)
        while True:
            try:
                return going.result(timeout=self.limits.renew_seconds)
            except CancelledError:
                return dict(earned)
            except TimeoutError:
                if going.done():
                    raise
            if not self._still_holds():
                going.cancel()

    def _still_holds(self) -> bool:
        """Renew the lease if it is time; a lease that is gone, or cannot be renewed until it runs out, ends the run."""
        now = self.real()
        if now < self.renew_at:
            return True
        try:
            with self.database.writing() as session:
                held = renew(session, token=self.token, now=now, lease=self.limits.lease) > 0
        except StoreUnavailable:
            return now < self.leased_until or self._lose()
        if not held:
            return self._lose()
        self._held_since(now)
        return True

    def _lose(self) -> bool:
        self.stopped = "the lease was lost"
        log.error("delivery.lease_lost")
        return False

    def _heed(self, verdicts: Verdicts) -> None:
        """Stop where our own side is at fault."""
        ours = [one for one in verdicts.values() if one.answer is Answer.OURS]
        if not ours or self._is_over():
            return
        told = next((one for one in ours if one.reply), ours[0])
        self.stopped = told.reason
        log.error("delivery.stopped", reason=told.reason, reply=told.reply)

    def _give_back(self) -> None:
        """Return what was claimed and not begun: at once if we were asked to stop, in a minute if nothing goes out."""
        now = self.clock()
        with self.database.writing() as session:
            if self.stopping.is_set() or self.stopped in {None, TIME_IS_UP}:
                put_back(session, token=self.token, now=now)
            else:
                self.counts["deferred"] += put_off(
                    session, token=self.token, until=now + RETRY_OURS, reason=self.stopped
                )

    def _report(self, delivery_id: int, state: str, verdict: Verdict) -> None:
        if state == "sent":
            log.info("delivery.sent", delivery=delivery_id)
            return
        self.counts["ambiguous"] += verdict.answer is Answer.AMBIGUOUS
        log.warning("delivery.not_sent", state=state, delivery=delivery_id, reason=verdict.reason, reply=verdict.reply)
