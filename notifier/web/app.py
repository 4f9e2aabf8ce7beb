"""Makes the web application: its endpoints, what stands around them, and which error gets which status."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from notifier import __version__
from notifier.emails.mailbox import Mailbox
from notifier.errors import (
    InvalidRecord,
    InvalidRequest,
    InvalidToken,
    NotifierError,
    StoreUnavailable,
    UnknownCondition,
    UnknownTown,
)
from notifier.installation import Installation
from notifier.web import (
    api_reference,
    condition_field,
    condition_pages,
    embed_pages,
    form_gate,
    gallery_pages,
    link_pages,
    mailbox_pages,
    pages,
    plain_readings_api,
    preferences_pages,
    probes,
    reading_api,
    receipts_api,
    retiring_api,
    search_pages,
    subscribe_pages,
    writing_api,
)
from notifier.web.guards import BodyLimit, HeadAsGet, SecurityHeaders
from notifier.web.page_rendering import static_folder
from notifier.web.problems import apology, problem, refusal, wants_json
from notifier.web.request_log import RequestLog
from notifier.web.surroundings import read_clock, surround

STATUSES: dict[type[NotifierError], int] = {
    InvalidRequest: 422,
    InvalidRecord: 422,
    InvalidToken: 404,
    StoreUnavailable: 503,
}
"""Which of our errors gets which status; every other one is unexpected here and ends in a 500."""
RETRY_SECONDS = 5

log = structlog.get_logger(__name__)

_ABOUT = (
    "Tells people by e-mail when a clinical study they follow changes. "
    "Errors are problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457))."
)


def create_app(
    installation: Installation, *, mailbox: Mailbox | None = None, now: Callable[[], datetime] = read_clock
) -> FastAPI:
    """The application, ready to be served.

    Args:
        installation: opened in this process.
        mailbox: the embedded mailbox, whose pages are served if it is given.
        now: gives the moment, aware, in UTC.
    """
    app = FastAPI(
        title=installation.settings.site_name,
        version=__version__,
        description=_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.surroundings = surround(installation, mailbox=mailbox, now=now)
    api = [reading_api, receipts_api, writing_api, retiring_api, plain_readings_api, api_reference]
    found = [search_pages, pages, condition_pages]
    routers = [*found, subscribe_pages, condition_field, link_pages, preferences_pages, embed_pages, form_gate]
    routers += [probes, *api]
    # The gallery first: its address is one that a mail could have.
    for module in [*routers, gallery_pages, mailbox_pages] if mailbox else routers:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=static_folder()), name="static")
    _answer_errors(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, api_bytes=installation.settings.max_body_bytes)
    app.add_middleware(HeadAsGet)
    framed_by = [site.origin for site in installation.settings.known_sites]
    app.add_middleware(SecurityHeaders, framed_by=framed_by)
    app.add_middleware(RequestLog, apology=apology)
    return app


def _answer_errors(app: FastAPI) -> None:
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
        return problem(status, str(error), errors=errors, suggestions=list(error.suggestions))
    return refusal(request, status, detail=str(error), errors=errors)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    ours = error.detail != HTTPStatus(error.status_code).phrase
    return refusal(
        request,
        error.status_code,
        detail=error.detail if ours else "",
        headers=dict(error.headers or {}),
    )


async def _answer_validation(request: Request, error: Exception) -> Response:
    """Says where and what, and never repeats what was sent."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(part) for part in one["loc"] if part != "body"), "message": str(one["msg"])}
        for one in error.errors()
    ]
    return refusal(request, 422, detail="Some of what was sent cannot be used.", errors=errors)
