"""Who may use the API: programs that bring the key, as a bearer token or in X-API-Key."""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from notifier.web.surroundings import Here

_bearer = HTTPBearer(auto_error=False, description="`Authorization: Bearer <key>`")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key, in a header of its own.")

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
Header = Annotated[str | None, Depends(_header)]


async def require_key(here: Here, bearer: Bearer, header: Header) -> None:
    """Let only whoever brings the key go on; takes the same time however near a wrong key comes.

    Raises:
        HTTPException: 401.
    """
    given = bearer.credentials if bearer else header
    expected = here.installation.settings.api_key
    if not expected:
        raise _refused("This server takes no keys: NOTIFIER_API_KEY is not set.")
    if not given:
        raise _refused("Bring your key: Authorization: Bearer <key>, or X-API-Key: <key>.")
    if not hmac.compare_digest(_digest(given), _digest(expected)):
        raise _refused("This key is not known.")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _refused(detail: str) -> HTTPException:
    return HTTPException(401, detail, headers={"www-authenticate": "Bearer"})
