"""Who may use the API: programs that bring a key with the scope needed, as a bearer token or in X-API-Key."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.params import Depends as Dependency
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from notifier.domain.scopes import MEANINGS
from notifier.errors import InvalidKey
from notifier.keying import Grant, find_grant
from notifier.web.json_bodies import check_body
from notifier.web.limiting import WRONG_KEYS, limits_of
from notifier.web.problems import MISSING_SCOPE, ApiProblem
from notifier.web.surroundings import Here

_bearer = HTTPBearer(
    auto_error=False, description="`Authorization: Bearer <key>`. Its scopes say what a key may be used for."
)
_header = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    description="The same key, in a header of its own, which decides where both are there.",
)

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
Header = Annotated[str | None, Depends(_header)]


def needs(scope: str) -> list[Dependency]:
    """What an endpoint depends on that only programs with this scope may use; its body is looked at after the key."""
    return [Security(_require_key, scopes=[scope]), Depends(check_body)]


def _require_key(request: Request, scopes: SecurityScopes, here: Here, bearer: Bearer, header: Header) -> None:
    """Let only whoever brings a key with the scopes go on.

    Raises:
        HTTPException: 401 for a key that is missing, unknown, expired or revoked; 403 for one without the scope.
        TooOften: too many unknown keys came from this network.
    """
    # X-API-Key decides where it is there: a proxy in front may want the other header for itself.
    given = header if header is not None or bearer is None else bearer.credentials
    first = here.installation.settings.api_key
    if not given and not first:
        raise _refused("Bring a key that was made for you. This server has no first one: NOTIFIER_API_KEY is not set.")
    if not given:
        raise _refused("Bring your key: Authorization: Bearer <key>, or X-API-Key: <key>.")
    try:
        grant = find_grant(here.installation.database, given, first_key=first, now=here.now())
    except InvalidKey as error:
        limits_of(request).check_network(WRONG_KEYS, request)
        raise _refused(str(error)) from None
    for scope in scopes.scopes:
        check_scope(grant, scope)
    request.state.grant = grant


async def _granted(request: Request) -> Grant:
    found = request.state.grant
    assert isinstance(found, Grant)
    return found


Granted = Annotated[Grant, Depends(_granted)]
"""The grant of the key that was brought, for endpoints that need one."""


def check_scope(grant: Grant, scope: str) -> None:
    """Refuse what a key was not made for.

    Raises:
        ApiProblem: 403, with the scope.
    """
    if scope not in grant.scopes:
        meaning = MEANINGS[scope]
        raise ApiProblem(403, f"This key lacks the scope {scope}: {meaning}.", kind=MISSING_SCOPE, scope=scope)


def _refused(detail: str) -> HTTPException:
    return HTTPException(401, detail, headers={"www-authenticate": "Bearer"})
