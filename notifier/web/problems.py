"""What a request is answered with when it cannot be done: a page for people, RFC 9457 problem details for programs."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse, Response

from notifier.domain.languages import gettext_noop
from notifier.web.guards import API
from notifier.web.page_rendering import page

MEDIA_TYPE = "application/problem+json"

MISSING_SCOPE = "missing-scope"
REUSED_KEY = "idempotency-key-reused"
KEY_IN_USE = "idempotency-key-in-use"
INVALID_CURSOR = "invalid-cursor"
KINDS = {
    MISSING_SCOPE: (403, "The key was not made for this; `scope` names what it lacks."),
    REUSED_KEY: (422, "This Idempotency-Key came with another request before. Make a new one for each request."),
    KEY_IN_USE: (409, "The first request with this Idempotency-Key is still being answered. Send it again later."),
    INVALID_CURSOR: (422, "The cursor is not whole, or belongs to another list or other filters. Begin anew."),
}
"""Problems that a program may want to tell from others of the same status: name, status, meaning."""

_WORDS = {
    400: (
        gettext_noop("We could not read this"),
        gettext_noop("Something in what was sent is not complete. Go back and try again."),
    ),
    401: (gettext_noop("A key is needed"), gettext_noop("This part is for programs with a key.")),
    403: (gettext_noop("This was not sent from here"), gettext_noop("Open the page here and try again.")),
    404: (gettext_noop("There is no such page"), gettext_noop("The address may be mistyped, or the page has moved.")),
    405: (
        gettext_noop("This cannot be done here"),
        gettext_noop("This address takes no such request. Open the page anew and press its button."),
    ),
    413: (gettext_noop("This is too large"), gettext_noop("Send less at once.")),
    422: (
        gettext_noop("Something is missing or wrong"),
        gettext_noop("Go back, look at what you filled in, and try again."),
    ),
    429: (
        gettext_noop("Please wait a little"),
        gettext_noop("Many requests came at once. Nothing is lost. Please try again later."),
    ),
    500: (
        gettext_noop("Something went wrong on our side"),
        gettext_noop("It was noted, and nothing was left half done. Try again later."),
    ),
    503: (
        gettext_noop("We cannot do this just now"),
        gettext_noop("Nothing was changed. Please try again in a minute."),
    ),
}
DEAD_LINK = gettext_noop("This link does not work")


class ApiProblem(HTTPException):
    """A refusal with a type of its own, see ``KINDS``; ``more`` are further members."""

    def __init__(
        self, status: int, detail: str, *, kind: str, headers: dict[str, str] | None = None, **more: str
    ) -> None:
        super().__init__(status, detail, headers=headers)
        self.kind = kind
        self.more = more


def wants_json(request: Request) -> bool:
    """Whether whoever asks is a program."""
    path = str(request.scope["path"])
    return f"{path}/".startswith(API) and not path.startswith(f"{API}docs")


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[dict[str, str]] = (),
    headers: dict[str, str] | None = None,
    kind: str = "about:blank",
    more: Mapping[str, object] = MappingProxyType({}),
) -> JSONResponse:
    """Problem details: https://www.rfc-editor.org/rfc/rfc9457; ``errors`` name fields or places, one a member."""
    content: dict[str, Any] = {
        "type": kind,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    if errors:
        content["errors"] = list(errors)
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def refusal(
    request: Request,
    status: int,
    *,
    heading: str = "",
    detail: str = "",
    errors: Sequence[dict[str, str]] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer in the form that fits who asked; ``heading`` and ``detail`` are better words than the status has."""
    usual, words = _WORDS.get(status, (HTTPStatus(status).phrase, ""))
    if wants_json(request):
        return problem(status, detail or words, errors=errors, headers=headers)
    answer = page(request, "message", status=status, heading=heading or usual, words=detail or words, failure=None)
    answer.headers.update(headers or {})
    return answer


def apology(request: Request, failure: str) -> Response:
    """The answer to what nobody expected; the id leads to the log line, and nothing else is told."""
    heading, words = _WORDS[500]
    if wants_json(request):
        return problem(500, words, more={"failure": failure})
    return page(request, "message", status=500, heading=heading, words=words, failure=failure)
