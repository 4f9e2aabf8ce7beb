"""Delivering: claim what is due, compose it, send it, mark it; the database is never held open over the network.

A process has at most one window of mails in_data, whatever threads ask for a run (see ``sending_run.py``).
"""

import threading
import time
from collections import Counter
from math import inf

import structlog

from notifier.config import MailServer
from notifier.emails.postman import Postman
from notifier.errors import StoreUnavailable
from notifier.sending_run import Run
from notifier.sending_terms import TIME_IS_UP, Clock, Composer, Delivered, Limits, Terms, Traffic
from notifier.store.database import Database
from notifier.store.outcome_store import sweep

__all__ = ["TIME_IS_UP", "Clock", "Composer", "Delivered", "Deliverer", "Limits", "Traffic"]

log = structlog.get_logger(__name__)

GRACE_SECONDS = 3.0
"""How long mails under way may take until they are hung up on, so that a deploy cuts none off."""
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
        self._stopping = threading.Event()
        self._one_run = threading.Lock()
        self._tails: dict[threading.Thread, Run] = {}

    def deliver_due(
        self, *, now: Clock, real: Clock | None = None, limit: int | None = None, seconds: float | None = None
    ) -> Delivered:
        """Send until nothing is due, ``limit`` Deliveries were claimed, or ``seconds`` are over.

        Leases, which other workers must understand, run by the ``real`` time where ``now`` is a time that was set.

        Threads that share a Deliverer run one after the other, so that a process never has more in_data than one group.
        Where the time is up while the mail server keeps a mail hanging, that one is marked on the side, uncounted, and
        the place it takes up is missing in the next run.

        Raises:
            StoreUnavailable: the database cannot be reached; what was claimed comes back when the lease runs out.
        """
        with self._one_run:
            run = Run(
                terms=self._terms(now, real or now),
                postman=self._postman,
                limit=limit,
                stopping=self._stopping,
                ends_at=inf if seconds is None else time.monotonic() + seconds,
                elsewhere=self._count_tails,
            )
            try:
                return run.go()
            finally:
                if run.window.in_flight and not self._postman.is_closed:
                    self._leave_to_the_side(run)

    def _terms(self, now: Clock, real: Clock) -> Terms:
        return Terms(
            database=self._database,
            composer=self._composer,
            limits=self._limits,
            traffic=self._traffic,
            clock=now,
            real=real,
        )

    def _count_tails(self) -> Counter[str]:
        """How many mails that hang are still in_data, by domain."""
        self._tails = {thread: run for thread, run in self._tails.items() if thread.is_alive()}
        return sum((run.window.busy() for run in self._tails.values()), Counter())

    def _leave_to_the_side(self, run: Run) -> None:
        thread = threading.Thread(target=_finish, args=(run,), name="delivering-tail", daemon=True)
        self._tails[thread] = run
        thread.start()

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
        """Stop, give mails under way a moment, hang up on the rest, and have a run mark what is known of them."""
        self.stop()
        self._wait(GRACE_SECONDS)
        self._postman.close()
        self._wait(MARK_SECONDS)

    def _wait(self, seconds: float) -> None:
        """Until no run is under way, nor a mail of an earlier one; or for so long."""
        until = time.monotonic() + seconds
        if self._one_run.acquire(timeout=seconds):
            tails = list(self._tails)
            self._one_run.release()
            for thread in tails:
                thread.join(max(0.0, until - time.monotonic()))


def _finish(run: Run) -> None:
    try:
        run.finish()
    except StoreUnavailable as error:
        # The sweep finds them and counts them as ambiguous.
        log.warning("delivery.not_marked", error=str(error))
