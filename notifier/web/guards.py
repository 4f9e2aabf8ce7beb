"""What stands around every request: the size of its body, HEAD as GET without a body, and headers that protect."""

from collections.abc import Sequence

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_FORM = 100_000
LONGEST_LENGTH = 20
API = "/api/"
EMBED = "/embed"

_PRIVATE = ("/confirm/", "/unsubscribe/", "/preferences/", "/subscribe", "/embed", "/proof", "/mailbox", "/api/v1/")
_WITH_TOKEN = ("/confirm/", "/unsubscribe/", "/preferences/")
_STATIC = "/static/"
_FAILS = 400
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_EVERYWHERE = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class BodyTooLarge(HTTPException):
    """Raised while a body is read, so that it ends in the same table as every other error."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"This is larger than the {limit:,} bytes taken at once. Send it in smaller parts.")


class BodyLimit:
    """Refuses bodies that are too large, by what they declare and by what arrives."""

    def __init__(self, app: ASGIApp, *, api_bytes: int) -> None:
        self._app = app
        self._api_bytes = api_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._api_bytes if scope["path"].startswith(API) else min(LARGEST_FORM, self._api_bytes)
        declared = Headers(scope=scope).get("content-length", "")
        # So many digits are over each limit, and longer ones would be no number to Python.
        is_declared_larger = declared.isdecimal() and int(declared[:LONGEST_LENGTH]) > limit
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            if is_declared_larger:
                raise BodyTooLarge(limit)
            message = await receive()
            # Whatever was declared: a body in chunks may come with any Content-Length.
            taken += len(message.get("body", b""))
            if taken > limit:
                raise BodyTooLarge(limit)
            return message

        await self._app(scope, counted, send)


class HeadAsGet:
    """Answers HEAD as GET is answered, without the body; neither changes anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        # In place, so that the layers around see which route answered.
        scope["method"] = "GET"
        await self._app(scope, receive, without_body(send))


def without_body(send: Send) -> Send:
    """Sends an answer's head and nothing of its body."""

    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


class SecurityHeaders:
    """Adds the headers that keep pages out of frames, caches and referrers; an answer's own ones win.

    ``framed_by``: origins whose pages may show the embedded form in a frame.
    """

    def __init__(self, app: ASGIApp, *, framed_by: Sequence[str] = ()) -> None:
        self._app = app
        self._framed_by = framed_by

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                wanted = _headers_for(path, status=message["status"])
                if path == EMBED and self._framed_by:
                    _open_frame(wanted, self._framed_by)
                message["headers"] = list(message.get("headers", ()))
                headers = MutableHeaders(raw=message["headers"])
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def _headers_for(path: str, *, status: int) -> dict[str, str]:
    found = dict(_EVERYWHERE)
    if path.startswith(_PRIVATE):
        found["cache-control"] = "no-store"
        found["x-robots-tag"] = "noindex, nofollow"
    else:
        # The address of a static file changes with its content; one that is not there yet may be there soon.
        lasts = path.startswith(_STATIC) and status < _FAILS
        found["cache-control"] = "public, max-age=31536000, immutable" if lasts else "no-cache"
    if path.startswith(_WITH_TOKEN):
        found["referrer-policy"] = "no-referrer"
    return found


def _open_frame(headers: dict[str, str], origins: Sequence[str]) -> None:
    """X-Frame-Options knows no list of origins: browsers that read this policy do not need it."""
    closed = "frame-ancestors 'none'"
    headers["content-security-policy"] = _POLICY.replace(closed, f"frame-ancestors {' '.join(origins)}")
    del headers["x-frame-options"]
