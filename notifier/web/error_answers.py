"""Which error gets which status, and what the answer says: problem details for programs, a page for people."""

import re
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from notifier.errors import (
    InvalidRecord,
    InvalidRequest,
    InvalidToken,
    NotifierError,
    StoreUnavailable,
    UnknownCondition,
    UnknownTown,
)
from notifier.web.allowed_methods import answer_options, list_methods
from notifier.web.problems import DEAD_LINK, ApiProblem, problem, refusal, wants_json

STATUSES: dict[type[NotifierError], int] = {
    InvalidRequest: 422,
    InvalidRecord: 422,
    InvalidToken: 404,
    StoreUnavailable: 503,
}
"""Which of our errors gets which status; every other one is unexpected here and ends in a 500."""
RETRY_SECONDS = 5
MOST_ERRORS = 20
REFERENCE = "/api/docs"

_NAME = re.compile("[A-Za-z0-9_-]{1,40}")

log = structlog.get_logger(__name__)


def answer_errors(app: FastAPI) -> None:
    """Have an application answer every error that is raised on purpose."""
    for kind in STATUSES:
        app.add_exception_handler(kind, _answer_ours)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_validation)


async def _answer_ours(request: Request, error: Exception) -> Response:
    status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    if isinstance(error, StoreUnavailable):
        log.error("store.unavailable", error=str(error))
        return refusal(request, status, headers={"retry-after": str(RETRY_SECONDS)})
    field = error.field if isinstance(error, InvalidRequest) else ""
    errors = [{"field": field, "message": str(error)}] if field else []
    if isinstance(error, (UnknownCondition, UnknownTown)) and wants_json(request):
        return problem(status, str(error), errors=errors, more={"suggestions": list(error.suggestions)})
    heading = DEAD_LINK if isinstance(error, InvalidToken) else ""
    return refusal(request, status, heading=heading, detail=str(error), errors=errors)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if isinstance(error, ApiProblem):
        base = request.app.state.surroundings.installation.links.base_url
        kind = f"{base}{REFERENCE}#{error.kind}"
        return problem(error.status_code, error.detail, headers=headers, kind=kind, more=error.more)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        if request.method == "OPTIONS" and wants_json(request):
            return answer_options(request)
        headers["allow"] = ", ".join(list_methods(request))
    ours = error.detail != HTTPStatus(error.status_code).phrase
    return refusal(
        request,
        error.status_code,
        detail=error.detail if ours else "",
        headers=headers,
    )


async def _answer_validation(request: Request, error: Exception) -> Response:
    """Says where and what, and never repeats what was sent."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(_named(part) for part in one["loc"] if part != "body"), "message": str(one["msg"])}
        for one in error.errors()[:MOST_ERRORS]
    ]
    return refusal(request, 422, detail="Some of what was sent cannot be used.", errors=errors)


def _named(part: object) -> str:
    """A part of a place; a name that is none of ours is repeated only if it looks like one."""
    return str(part) if _NAME.fullmatch(str(part)) else "…"
