"""Cursors: where a list goes on; signed, so that nothing but what we gave comes back, and good for one list only."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from itsdangerous import BadData, URLSafeSerializer

from notifier.web.problems import INVALID_CURSOR, ApiProblem
from notifier.web.surroundings import Surroundings

USUAL = 50
MOST = 100
LONGEST = 400

_NAME = 12


def read_cursor(here: Surroundings, cursor: str | None, *, of: Sequence[object]) -> list[Any] | None:
    """Where a list goes on; None for its beginning. ``of`` is which list it is, with all its filters.

    Raises:
        ApiProblem: 422, not a cursor of this list.
    """
    if cursor is None:
        return None
    try:
        found: list[Any] = _serializer(here).loads(cursor)
        name, *position = found
    except (BadData, ValueError, TypeError):
        name, position = "", []
    if name != _name(of):
        raise ApiProblem(422, "This cursor is not whole, or belongs to another list.", kind=INVALID_CURSOR)
    return position


def make_cursor(here: Surroundings, position: Sequence[int | str | datetime], *, of: Sequence[object]) -> str:
    """The cursor of what comes after a position."""
    plain = [one.isoformat() if isinstance(one, datetime) else one for one in position]
    return _serializer(here).dumps([_name(of), *plain])


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Say in a Link header (RFC 8288) where the list goes on."""
    if cursor is None:
        return
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    response.headers["link"] = f'<{request.scope["path"]}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'


def _name(of: Sequence[object]) -> str:
    return hashlib.sha256(repr(list(of)).encode()).hexdigest()[:_NAME]


def _serializer(here: Surroundings) -> URLSafeSerializer:
    # itsdangerous signs with the last key of its list and accepts all of them.
    return URLSafeSerializer(list(reversed(here.installation.settings.secrets)), salt="notifier cursor")
