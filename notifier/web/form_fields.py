"""The fields of a posted form: plain text, from our own pages or from listed sites, or a mail program's one click."""

import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request

from notifier.domain.sites import Site, site_at
from notifier.web.surroundings import Here

MOST_FIELDS = 90
LONGEST_FIELD = 2_000

_UNSEEN = re.compile(r"[\x00-\x1f\x7f]+")
ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""The only field of the form that mail programs send: RFC 8058, section 3.1."""

Fields: TypeAlias = Mapping[str, str]
"""By name; what was sent more than once, as several countries are, stands with commas between."""


async def read_own(request: Request, here: Here) -> Fields:
    """The text fields of a form of ours.

    Raises:
        HTTPException: 400 for a body that is no form, 403 for a form that another site's page sent.
    """
    fields = await read_fields(request)
    if not is_own_page(request, base_url=here.installation.links.base_url):
        raise _refused()
    return fields


async def _read_own_or_listed(request: Request, here: Here) -> Fields:
    """The text fields of a form of ours, or of one on a page of a listed site, which ``sent_from`` then tells.

    Raises:
        HTTPException: 400 for a body that is no form, 403 for a form that another site's page sent.
    """
    fields = await read_fields(request)
    if not is_own_page(request, base_url=here.installation.links.base_url):
        request.state.sent_from = site_at(here.installation.settings.known_sites, request.headers.get("origin", ""))
        if request.state.sent_from is None:
            raise _refused()
    return fields


Form = Annotated[Fields, Depends(read_own)]
"""What a POST endpoint of a page asks for."""
FormOfSites = Annotated[Fields, Depends(_read_own_or_listed)]
"""What an endpoint asks for that only shows a page where ``sent_from`` tells of a site."""


def sent_from(request: Request) -> Site | None:
    """The site whose own form was sent here; None for forms of ours."""
    found = getattr(request.state, "sent_from", None)
    assert found is None or isinstance(found, Site)
    return found


WORDS = "consent_words"
"""The field that says which words stood next to the boxes."""


def without_consent(fields: Fields) -> Fields:
    """The fields without what was agreed to, which counts only where our own words stood next to it."""
    return {name: value for name, value in fields.items() if not name.startswith("consent")}


def is_one_click(fields: Fields) -> bool:
    """Whether a mail program asks to end everything: RFC 8058, section 3.1."""
    name, value = ONE_CLICK
    return fields.get(name) == value


def is_browser(request: Request) -> bool:
    """Whether a request says of itself where its page comes from, as browsers do with each form they send."""
    return "origin" in request.headers or "sec-fetch-site" in request.headers


def is_own_page(request: Request, *, base_url: str) -> bool:
    """Whether a form comes from a page of ours, or from no page at all.

    Browsers name the page's origin with each POST, or at least how near it is (Fetch Metadata). Programs do neither;
    as nobody is logged in here, they could do no more with another's browser than by themselves. Behind a proxy that
    changes Host, the public address is what browsers name, so it counts as well.
    """
    origin = request.headers.get("origin")
    fetched_from = request.headers.get("sec-fetch-site")
    if origin is None:
        return fetched_from in (None, "same-origin", "none")
    if origin == "null":
        # Browsers hide the origin of pages with "no-referrer", which ours with a token are. The token is the proof.
        return "token" in request.path_params or fetched_from == "same-origin"
    ours = {request.headers.get("host", "").lower(), _host_of(base_url)}
    return _host_of(origin) in ours - {""}


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def read_fields(request: Request) -> Fields:
    """The text fields of any form, wherever it comes from.

    Raises:
        HTTPException: 400 for a body that is no form.
    """
    sent = await request.form(max_files=0, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD * 4)
    fields: dict[str, str] = {}
    for name, value in sent.multi_items():
        text = _UNSEEN.sub(" ", value) if isinstance(value, str) else ""
        fields[name] = (f"{fields[name]},{text}" if name in fields else text)[:LONGEST_FIELD]
    return fields


def _refused() -> HTTPException:
    return HTTPException(403, "This form was sent from another site's page. Open the page here and try again.")
