"""For machines that watch: does the process live, is it ready, and what did it count."""

import smtplib
import threading
import time
from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from notifier import metrics, queues
from notifier.config import MailServer
from notifier.errors import ConfigurationError, StoreUnavailable
from notifier.installation import Installation
from notifier.store import migrating, status_store, stop_store
from notifier.web.surroundings import Here

KEPT_SECONDS = 3.0
TIMEOUT_SECONDS = 2.0
OK = "ok"

router = APIRouter(include_in_schema=False)


class _Kept:
    """The last answer: many probes at once ask the servers behind us only once in a few seconds.

    Who comes while somebody asks gets the answer before that, so that a slow server behind us holds up one thread only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[int, tuple[float, dict[str, str]]] = {}

    def get(self, installation: Installation) -> dict[str, str]:
        at, parts = self._answers.get(id(installation), (float("-inf"), {}))
        if time.monotonic() - at < KEPT_SECONDS or not self._lock.acquire(blocking=not parts):
            return parts
        try:
            at, parts = self._answers.get(id(installation), (float("-inf"), {}))
            if time.monotonic() - at >= KEPT_SECONDS:
                parts = look(installation)
                self._answers = {id(installation): (time.monotonic(), parts)}
            return parts
        finally:
            self._lock.release()


_kept = _Kept()
_counting = threading.Lock()


@router.get("/healthz")
async def healthz() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def readyz(here: Here) -> JSONResponse:
    """Whether everything behind us answers; 503 if a part does not, with the part's name and why."""
    parts = _kept.get(here.installation)
    ready = all(state == OK for state in parts.values())
    return JSONResponse({"ready": ready, **parts}, 200 if ready else 503)


@router.get("/metrics")
def show_metrics(here: Here) -> Response:
    """What this process counted, and how the service stands, for Prometheus; that is read for one at a time."""
    if _counting.acquire(blocking=False):
        try:
            with here.installation.database.reading() as session:
                metrics.show_held(status_store.count_all(session, now=here.now()))
                metrics.show_stopped(stop_store.is_stopped(session))
        except StoreUnavailable:
            metrics.show_held({})
        finally:
            _counting.release()
    return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)


def look(installation: Installation) -> dict[str, str]:
    """Ask each part: ``ok``, or what is wrong, in words without addresses or passwords."""
    checks: dict[str, Callable[[Installation], str]] = {
        "database": _database,
        "broker": _broker,
        "mail_server": _mail_server,
    }
    return {name: check(installation) for name, check in checks.items()}


def _database(installation: Installation) -> str:
    try:
        return OK if migrating.is_current(installation.database) else "not at the newest schema: run notifier migrate"
    except StoreUnavailable:
        return "does not answer"


def _broker(_installation: Installation) -> str:
    return OK if queues.is_reachable(TIMEOUT_SECONDS) else "does not answer"


def _mail_server(installation: Installation) -> str:
    try:
        server = installation.settings.mail_server
    except ConfigurationError as error:
        return str(error)
    try:
        _greet(server)
    except (OSError, ValueError, smtplib.SMTPException) as error:
        return f"does not answer ({type(error).__name__})"
    return OK


def _greet(server: MailServer) -> None:
    """Wait for the server's banner and leave politely."""
    kind = smtplib.SMTP_SSL if server.tls == "implicit" else smtplib.SMTP
    with kind(server.host, server.port, timeout=TIMEOUT_SECONDS):
        pass
