"""Which methods an address takes: RFC 9110, section 10.2.1; and the answer to OPTIONS."""

from fastapi import Request
from fastapi.responses import Response
from starlette.routing import Match

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def list_methods(request: Request) -> list[str]:
    """The methods that some route takes for this path."""
    routes = request.app.routes
    found = [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return [*found, *(["HEAD"] if "GET" in found else []), "OPTIONS"]


def answer_options(request: Request) -> Response:
    """What may be asked here, and nothing else: no page of another site may read the API."""
    return Response(status_code=204, headers={"allow": ", ".join(list_methods(request))})
