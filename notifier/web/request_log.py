"""Logs and counts each request by its route, never by its path, and turns what nobody expected into a plain 500."""

import secrets
import time
from collections.abc import Callable

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notifier import metrics
from notifier.web.guards import without_body

log = structlog.get_logger(__name__)

_LEFT = 499
"""As web servers count who hung up; there is no such answer."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Apology = Callable[[Request, str], Response]
"""Makes the answer to a request that failed, given the id under which the failure is logged."""


class RequestLog:
    """Whatever happens inside, there is one answer, one log line and one count."""

    def __init__(self, app: ASGIApp, *, apology: Apology) -> None:
        self._app = app
        self._apology = apology

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, method = time.perf_counter(), scope["method"]
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            # Whoever sent this hung up in the middle of it: nothing was done, and nobody waits for an answer.
            status = _LEFT
        except Exception:
            # The last line of defence: nobody sees a traceback.
            failure = secrets.token_hex(4)
            log.exception("request.failed", failure=failure, route=_route(scope))
            if not status:
                answer = without_body(watched) if method == "HEAD" else watched
                await self._apology(Request(scope), failure)(scope, receive, answer)
        _tell(method, _route(scope), status=status, seconds=time.perf_counter() - began)


def _tell(method: str, route: str, *, status: int, seconds: float) -> None:
    method = method if method in _METHODS else "other"
    metrics.observe_request(method=method, route=route, status=status, seconds=seconds)
    quiet = route in ("/healthz", "/readyz", "/metrics", "/static")
    (log.debug if quiet else log.info)(
        "request.answered", method=method, route=route, status=status, milliseconds=round(seconds * 1000)
    )


def _route(scope: Scope) -> str:
    """The pattern that answered; a path nobody serves may hold anything and is not repeated."""
    return str(getattr(scope.get("route"), "path", "")) or "unknown"
