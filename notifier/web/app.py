"""Makes the web application: its endpoints and what stands around them."""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from notifier import __version__
from notifier.emails.mailbox import Mailbox
from notifier.installation import Installation
from notifier.store.shared_clock import SharedClock
from notifier.web import (
    api_reference,
    condition_field,
    condition_pages,
    conditions_api,
    embed_pages,
    form_gate,
    gallery_pages,
    link_pages,
    links_api,
    lists_api,
    mailbox_pages,
    pages,
    plain_readings_api,
    preferences_pages,
    privacy_pages,
    probes,
    reading_api,
    receipts_api,
    retiring_api,
    search_pages,
    subscribe_pages,
    writing_api,
)
from notifier.web.api_description import describe_fully
from notifier.web.error_answers import answer_errors
from notifier.web.guards import BodyLimit, HeadAsGet, SecurityHeaders
from notifier.web.page_rendering import static_folder
from notifier.web.problems import apology
from notifier.web.request_log import RequestLog
from notifier.web.surroundings import read_clock, surround

_ABOUT = (
    "Tells people by e-mail when a clinical study they follow changes. "
    "Errors are problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457))."
)


def create_app(
    installation: Installation, *, mailbox: Mailbox | None = None, now: Callable[[], datetime] | None = None
) -> FastAPI:
    """The application, ready to be served.

    Args:
        installation: opened in this process.
        mailbox: the embedded mailbox, whose pages are served if it is given.
        now: gives the moment, aware, in UTC; if left out, that by which all workers go.
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
    clock = now or SharedClock(installation.database, own=read_clock)
    app.state.surroundings = surround(installation, mailbox=mailbox, now=clock)
    lists = [lists_api, conditions_api, reading_api]
    api = [*lists, links_api, receipts_api, writing_api, retiring_api, plain_readings_api, api_reference]
    found = [search_pages, pages, condition_pages]
    routers = [*found, subscribe_pages, condition_field, link_pages, preferences_pages, embed_pages, form_gate]
    routers += [privacy_pages, probes, *api]
    # The gallery first: its address is one that a mail could have.
    for module in [*routers, gallery_pages, mailbox_pages] if mailbox else routers:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=static_folder()), name="static")
    answer_errors(app)
    describe_fully(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, api_bytes=installation.settings.max_body_bytes)
    app.add_middleware(HeadAsGet)
    framed_by = [site.origin for site in installation.settings.known_sites]
    app.add_middleware(RequestLog, apology=apology)
    app.add_middleware(SecurityHeaders, framed_by=framed_by)
    return app
