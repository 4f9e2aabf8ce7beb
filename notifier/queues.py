"""The bell: rings Celery tasks by name, after the commit; the database is the truth, so a lost ring costs a minute."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery import Celery
from celery.exceptions import CeleryError
from celery.schedules import schedule
from kombu.exceptions import KombuError
from kombu.transport import TRANSPORT_ALIASES

from notifier.config import Settings

INGEST_RECORD = "notifier.ingest_record"
MATCH_CHANGES = "notifier.match_changes"
PLAN_DIGESTS = "notifier.plan_digests"
SEND_DELIVERIES = "notifier.send_deliveries"
SWEEP = "notifier.sweep"

SWEEP_SECONDS = 30.0
PLAN_SECONDS = 10.0
QUIET_SECONDS = 5.0
"""After a ring that failed none is tried for so long: somebody waits for their page, and the sweep rings again."""

# Named, so that Redis is loaded only where it is the broker.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "notifier.redis_transport:Transport"))
app = Celery("notifier")
# Read at first use, so that importing this module never fails for a setting.
app.config_from_object("notifier.celeryconfig")
log = structlog.get_logger(__name__)


class _SteadyTime:
    """The time for the schedule: a clock that is put back by a day must not keep it silent for a day."""

    def __init__(self) -> None:
        self._began, self._at = datetime.now(UTC), time.monotonic()

    def __call__(self) -> datetime:
        return self._began + timedelta(seconds=time.monotonic() - self._at)


class _Quiet:
    """Until when no ring is tried, on the monotonic clock."""

    until = 0.0


def celery_options(settings: Settings) -> dict[str, Any]:
    """Celery's configuration for these settings."""
    steady = _SteadyTime()
    sweep = _rung_every(SWEEP_SECONDS, SWEEP, steady)
    plan = _rung_every(PLAN_SECONDS, PLAN_DIGESTS, steady)
    return {
        "broker_url": settings.broker_url,
        "broker_connection_retry_on_startup": True,
        # A Redis that is full answers with an error of the channel: worth another try as well.
        "broker_channel_error_retry": True,
        "broker_transport_options": _transport_options(settings.broker_url),
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_default_queue": "notifier",
        "task_publish_retry": False,
        # A task may run twice and does its work once, so one whose worker died is simply run again.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_enable_remote_control": False,
        "timezone": "UTC",
        # The database remembers what was planned, so the schedule needs no file of its own.
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_schedule": {"sweep": sweep, "plan": plan},
    }


def configure(settings: Settings) -> Celery:
    """Give the Celery app these settings rather than those of the environment."""
    _Quiet.until = 0.0
    app.config_from_object(celery_options(settings), force=True)
    # Connections kept from earlier settings would go on leading to their broker.
    app._after_fork()
    return app


def ring(task: str, **how: str) -> None:
    """Ask a worker to look at the database now; call it after the commit.

    A broker that does not answer is logged, left alone for a while and otherwise ignored: the sweep finds what waits.
    """
    if time.monotonic() < _Quiet.until:
        return
    try:
        app.send_task(task, kwargs=how, ignore_result=True)
    except (CeleryError, KombuError, OSError) as error:
        _Quiet.until = time.monotonic() + QUIET_SECONDS
        log.warning("queue.unreachable", task=task, error=type(error).__name__)


def is_reachable(seconds: float = 2.0) -> bool:
    """Whether the broker answers."""
    try:
        with app.connection_for_write(connect_timeout=seconds) as connection:
            connection.ensure_connection(max_retries=1, timeout=seconds)
    except (CeleryError, KombuError, OSError):
        return False
    return True


def _rung_every(seconds: float, task: str, steady: _SteadyTime) -> dict[str, object]:
    """A ring of the schedule. It does not expire: by the clock of a worker that is ahead it always would have.

    The task is told how often it is rung, so that it can leave out what piled up while nobody worked.
    """
    return {"task": task, "schedule": schedule(seconds, nowfun=steady, app=app), "kwargs": {"every": seconds}}


def _transport_options(broker_url: str) -> dict[str, object]:
    if broker_url.startswith("memory"):
        # Kombu's own default lets a worker look for work once a second: eight tasks a second.
        return {"polling_interval": 0.02}
    # A ring that fails is not worth waiting for: somebody is waiting for their page, and the sweep rings again.
    return {"socket_timeout": 2, "socket_connect_timeout": 1, "max_retries": 0, "connect_retries_timeout": 1}
