"""The Celery worker: tasks parse, call a verb and ring the next bell; only ids and records travel."""

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import Any

import structlog
from celery.signals import (
    setup_logging,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_shutdown,
    worker_shutting_down,
)

from notifier import queues
from notifier.config import Settings, load_settings
from notifier.delivering import GRACE_SECONDS
from notifier.holding import forget_signatures
from notifier.ingesting import ingest_records
from notifier.installation import open_installation
from notifier.logs import set_up_logs
from notifier.registries.record_files import FoundRecord
from notifier.rereading import reread_trials
from notifier.retaining import retain
from notifier.retiring import settle_merged
from notifier.rounds import News, Service, open_service
from notifier.store.shared_clock import SharedClock
from notifier.tying import look_through

app = queues.app
log = structlog.get_logger(__name__)

FINISH_SECONDS = 45.0
"""How long a process of a worker that is told to stop waits for mails under way; it has a minute for all."""
END_SECONDS = 7.0
"""The same where a worker is a thread of another process, as in `notifier up`, for which somebody waits."""
HELP_SECONDS = 1.0
"""How often a process that has more to send than it can claim at once rings for others to join in."""


class _Held:
    """The service of this process: opened at the first task, after the fork, so that no connection is inherited."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settings: Settings | None = None
        self._service: Service | None = None
        self._clock: SharedClock | None = None
        self._stopping = False
        self._processes = 1

    def use(self, settings: Settings) -> None:
        self._settings, self._stopping = settings, False

    def service(self) -> Service:
        with self._lock:
            if self._service is None:
                settings = self._settings or load_settings()
                installation = open_installation(settings, now=_own_time())
                self._clock = SharedClock(installation.database, own=_own_time)
                self._service = open_service(installation, processes=self._processes)
            if self._stopping:
                self._service.deliverer.stop()
            return self._service

    def now(self) -> datetime:
        """The time that all workers share, once the service is open."""
        return self._clock() if self._clock else _own_time()

    def share_with(self, processes: int) -> None:
        self._processes = processes

    def stop_sending(self) -> None:
        self._stopping = True
        if self._service is not None:
            self._service.deliverer.stop()

    def close(self, *, grace: float) -> None:
        with self._lock:
            # A task that comes after it, from a queue that is not empty yet, must begin to send nothing.
            self._stopping = True
            if self._service is not None:
                self._service.close(grace=grace)
                self._service = None


class _Lifeline:
    """A pipe from a worker to its processes: it ends when the worker is told to stop, or dies, and they notice."""

    def __init__(self) -> None:
        self._ends: tuple[int, int] | None = None
        self.processes = 1

    def tie(self, processes: int) -> None:
        """In the worker, before it forks so many."""
        self.cut()
        self._ends, self.processes = os.pipe(), processes

    def cut(self) -> None:
        """In the worker, when it is told to stop, perhaps twice."""
        ends, self._ends = self._ends, None
        for end in ends or ():
            os.close(end)

    def hold(self, when_cut: Callable[[], None]) -> None:
        """In a process of the worker, after the fork; there is none where the work is done in threads."""
        ends, self._ends = self._ends, None
        if ends is not None:
            os.close(ends[1])
            threading.Thread(target=_wait_for_end, args=(ends[0], when_cut), daemon=True).start()


def _wait_for_end(pipe: int, when_cut: Callable[[], None]) -> None:
    os.read(pipe, 1)
    when_cut()


class _Lately:
    """When each task ended last in this process, on the monotonic clock."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}

    def was_done(self, task: str, *, every: float) -> bool:
        """Whether it was done just now, for a task that is rung so often: then this ring piled up behind others."""
        return time.monotonic() - self._ended.get(task, -inf) < every / 2

    def note(self, task: str) -> None:
        self._ended[task] = time.monotonic()

    def forget(self) -> None:
        self._ended.clear()


class _Help:
    """Rings for other processes to send, too, now and then."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._at = -inf

    def ask(self) -> None:
        """On the side, as a broker that hangs must not hold up mails that are under way."""
        now = time.monotonic()
        if now >= self._at + HELP_SECONDS:
            self._at = now
            threading.Thread(target=queues.ring, args=(queues.SEND_DELIVERIES,), daemon=True).start()


_held = _Held()
_lately = _Lately()
_help = _Help()
_lifeline = _Lifeline()


def use_settings(settings: Settings) -> None:
    """Work with these settings rather than those of the environment."""
    _held.use(settings)
    queues.configure(settings)


def stop_sending() -> None:
    """Have a task that sends end after the mails under way, and no other begin."""
    _held.stop_sending()


def is_sending() -> bool:
    """Whether this process sends what is due."""
    return _held.service().deliverer.is_delivering


def ask_for_help() -> None:
    """Ring for others to send, too, if that was not done just now."""
    _help.ask()


def close(*, grace: float = GRACE_SECONDS) -> None:
    """Give mails under way so many seconds, and let go of the service of this process."""
    _held.close(grace=grace)
    _lately.forget()
    _help.forget()


def _own_time() -> datetime:
    return datetime.now(UTC)


def _now() -> datetime:
    return _held.now()


def _news() -> News:
    """What is urgent is sent from here at once: a ring might wait behind the very tasks that plan."""
    return News(_held.service().installation.database, now=_now, send=_send)


def _send() -> None:
    _held.service().deliverer.keep_delivering(now=_now, more=ask_for_help)


@app.task(name=queues.INGEST_RECORD)
def ingest_record(record: dict[str, Any]) -> dict[str, int]:
    """Take one record in. Best effort: whoever needs to know that it is on disk posts it over HTTP."""
    installation = _held.service().installation
    found = FoundRecord(place="task", record=record)
    report = ingest_records(
        database=installation.database,
        keys=installation.keys,
        records=[found],
        now=_now,
        breaker=installation.settings.breaker,
    )
    for problem in report.problems:
        log.warning("record.rejected", reason=problem.reason)
    queues.ring(queues.MATCH_CHANGES)
    return report.as_dict()


@app.task(name=queues.MATCH_CHANGES)
def match_changes() -> None:
    """Match what is unmatched; what that makes for instant readers is planned at once.

    Not by a ring: what is urgent would wait behind other tasks once more.
    """
    news = _news()
    if news.match():
        news.plan()
    if news.planned:
        queues.ring(queues.SEND_DELIVERIES)


@app.task(name=queues.PLAN_DIGESTS)
def plan_digests(every: float = 0) -> None:
    """Plan the schedules that are due, and what is urgent; ``every`` so many seconds if the schedule rang.

    What came in is matched before: after an outage it belongs to the digest that is due, not to tomorrow's.
    """
    if _lately.was_done(queues.PLAN_DIGESTS, every=every):
        return
    news = _news()
    news.match()
    news.plan()
    if news.planned:
        queues.ring(queues.SEND_DELIVERIES)
    _lately.note(queues.PLAN_DIGESTS)


@app.task(name=queues.SEND_DELIVERIES)
def send_deliveries(**_: object) -> None:
    """Have what is due sent, in a thread of this process, so that its next task need not wait for it.

    What a ring of an earlier version said of itself counts for nothing.
    """
    _send()


@app.task(name=queues.SWEEP)
def sweep(every: float = 0) -> None:
    """Find what waits too long, wherever it was lost, and ring again; ``every`` so many seconds by the schedule."""
    if _lately.was_done(queues.SWEEP, every=every):
        return
    service = _held.service()
    service.deliverer.sweep(now=_now)
    settle_merged(database=service.installation.database, now=_now())
    look_through(database=service.installation.database)
    for task in (queues.MATCH_CHANGES, queues.PLAN_DIGESTS, queues.SEND_DELIVERIES):
        queues.ring(task)
    reread_trials(database=service.installation.database, now=_now())
    forget_signatures(
        database=service.installation.database, threshold=service.installation.settings.breaker, now=_now()
    )
    retain(database=service.installation.database, now=_now())
    service.installation.forget_departures(now=_now())
    _lately.note(queues.SWEEP)


@setup_logging.connect
def _set_up_logging(**_: object) -> None:
    """Keep Celery from setting up its own; whoever starts the worker has set up ours, except the celery program."""
    if not structlog.is_configured():
        set_up_logs(level=load_settings().log_level)


@worker_init.connect
def _tie(sender: Any, **_: object) -> None:
    _lifeline.tie(sender.concurrency if isinstance(sender.concurrency, int) else os.cpu_count() or 1)


@worker_process_init.connect
def _hold(**_: object) -> None:
    """Celery lets a task under way end, however long it sends; its process must hear that it should come to an end."""
    _lifeline.hold(stop_sending)
    # What may be in data when a worker dies is counted by worker, not by process.
    _held.share_with(_lifeline.processes)


@worker_shutting_down.connect
def _cut(**_: object) -> None:
    _lifeline.cut()


@worker_process_shutdown.connect
def _finish(**_: object) -> None:
    """A deploy cuts no mail off, though the mail server takes its time."""
    close(grace=FINISH_SECONDS)


@worker_shutdown.connect
def _close(**_: object) -> None:
    close(grace=END_SECONDS)
