"""The fields of a posted form: plain text, from our own pages only, or from a mail program's one click."""

import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request

MOST_FIELDS = 90
LONGEST_FIELD = 2_000

_UNSEEN = re.compile(r"[\x00-\x1f\x7f]+")
_ONE_CLICK = ("List-Unsubscribe", "One-Click")

Fields: TypeAlias = Mapping[str, str]
"""By name; what was sent more than once, as several countries are, stands with commas between."""


async def _read_fields(request: Request) -> Fields:
    """The text fields of a posted form.

    Raises:
        HTTPException: 400 for a body that is no form, 403 for a form that another site's page sent.
    """
    sent = await request.form(max_files=0, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD * 4)
    fields: dict[str, str] = {}
    for name, value in sent.multi_items():
        text = _UNSEEN.sub(" ", value) if isinstance(value, str) else ""
        fields[name] = (f"{fields[name]},{text}" if name in fields else text)[:LONGEST_FIELD]
    if not is_one_click(fields) and not _is_own_page(request):
        raise HTTPException(403, "This form was sent from another site's page. Open the page here and try again.")
    return fields


Form = Annotated[Fields, Depends(_read_fields)]
"""What a POST endpoint of a page asks for."""


def is_one_click(fields: Fields) -> bool:
    """Whether a mail program asks to end everything: RFC 8058, section 3.1."""
    name, value = _ONE_CLICK
    return fields.get(name) == value


def _is_own_page(request: Request) -> bool:
    """Whether a form comes from a page of ours; programs that are no browser send no Origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return True
    if origin == "null":
        # Browsers hide the origin of pages with "no-referrer", which ours with a token are. The token is the proof.
        return "token" in request.path_params or request.headers.get("sec-fetch-site") == "same-origin"
    return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
