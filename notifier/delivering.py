"""Delivering: claim what is due, compose it, send it, mark it; the database is never held open over the network.

A process has at most one window of mails in_data, whatever threads ask for a run (see ``sending_run.py``).
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import structlog

from notifier.config import MailServer
from notifier.domain.lanes import Answered
from notifier.emails.postman import Postman
from notifier.errors import StoreUnavailable
from notifier.sending_run import Run
from notifier.sending_terms import Clock, Composer, Delivered, Limits, Terms, Traffic
from notifier.store.database import Database
from notifier.store.outcome_store import sweep

__all__ = ["GRACE_SECONDS", "Clock", "Composer", "Delivered", "Deliverer", "Limits", "Traffic"]

log = structlog.get_logger(__name__)

GRACE_SECONDS = 3.0
"""How long mails under way may take until they are hung up on, where nobody says that there is more time."""
MARK_SECONDS = 5.0


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
        self._answered = Answered()
        self._stopping = threading.Event()
        self._one_run = threading.Lock()
        self._rung = threading.Event()
        self._changing = threading.Lock()
        self._sends = False

    def deliver_due(self, *, now: Clock, real: Clock | None = None, limit: int | None = None) -> Delivered:
        """Send until nothing is due, or ``limit`` Deliveries were claimed.

        Leases, which other workers must understand, run by the ``real`` time where ``now`` is a time that was set.

        Threads that share a Deliverer run one after the other, so that a process never has more in_data than one group.

        Raises:
            StoreUnavailable: the database cannot be reached; what was claimed comes back when the lease runs out.
        """
        return self._deliver(self._terms(now, real or now), limit=limit)

    def keep_delivering(self, *, now: Clock, more: Callable[[], None]) -> None:
        """Have what is due sent by a thread of this process, which ends when nothing is; returns at once.

        Where that thread is at it already, it looks again. Whoever asks is free for what else there is to do: what
        comes in during a long run is matched and planned as ever, and the run need not make way for it.

        Args:
            now: the time, as it passes.
            more: called by that thread, often, where more is due than it takes at once: others may help.
        """
        with self._changing:
            self._rung.set()
            if self._sends:
                return
            self._sends = True
        thread = threading.Thread(target=self._keep_delivering, args=(now, more), name="delivering", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # There is no room for another one; the next ring tries again.
            self._sends = False
            raise

    @property
    def is_delivering(self) -> bool:
        """Whether that thread is still at it."""
        return self._sends

    def sweep(self, *, now: Clock) -> Counter[str]:
        """Take back what lost workers left; counts ``returned``, ``deferred`` and ``unknown``."""
        swept = Counter[str]()
        while some := self._sweep_some(now):
            swept += some
        if swept:
            log.warning("delivery.swept", **swept)
        return swept

    def _sweep_some(self, now: Clock) -> Counter[str]:
        with self._database.writing() as session:
            return sweep(session, now=now())

    def stop(self) -> None:
        """Have a run end after the mails under way, giving back the rest; may be called from a signal handler."""
        self._stopping.set()

    def close(self, *, grace: float = GRACE_SECONDS) -> None:
        """Stop, give mails under way so many seconds, hang up on the rest, and mark what is known of them."""
        self.stop()
        self._wait(grace)
        self._postman.close()
        self._wait(MARK_SECONDS)

    def _terms(self, now: Clock, real: Clock) -> Terms:
        return Terms(
            database=self._database,
            composer=self._composer,
            limits=self._limits,
            traffic=self._traffic,
            clock=now,
            real=real,
            answered=self._answered,
        )

    def _deliver(self, terms: Terms, *, limit: int | None = None) -> Delivered:
        with self._one_run:
            run = Run(terms=terms, postman=self._postman, limit=limit, stopping=self._stopping, rung=self._rung)
            return run.go()

    def _keep_delivering(self, now: Clock, more: Callable[[], None]) -> None:
        """One run after the other, until one stops early, or ends with nothing due, and nobody has rung since.

        What is left then, others or the next sweep go on with.
        """
        while self._goes_on():
            done = self._try_to_deliver(replace(self._terms(now, now), more=more))
            if done is not None and not done.stopped and (done.tried or done.held):
                self._rung.set()

    def _goes_on(self) -> bool:
        with self._changing:
            self._sends = self._rung.is_set()
            self._rung.clear()
            return self._sends

    def _try_to_deliver(self, terms: Terms) -> Delivered | None:
        """None where it broke off, which is told; what was claimed comes back when the lease runs out."""
        try:
            return self._deliver(terms)
        except StoreUnavailable as error:
            log.warning("delivery.broke_off", error=str(error))
        except Exception:
            log.exception("delivery.broke_off")
        return None

    def _wait(self, seconds: float) -> None:
        """Until no run is under way, or for so long."""
        if self._one_run.acquire(timeout=seconds):
            self._one_run.release()
