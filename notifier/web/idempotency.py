"""Idempotency-Key: a request that is sent again is done once and answered the same.

See https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, HTTPException, Request
from fastapi.responses import Response

from notifier.store import idempotency_store
from notifier.store.idempotency_store import Asked, Earlier
from notifier.web.api_access import Granted
from notifier.web.problems import KEY_IN_USE, REUSED_KEY, ApiProblem
from notifier.web.surroundings import Here, Surroundings

LONGEST = 255
RETRY_SECONDS = 1
_FAILS = 400

_BARE = r"[!#-\[\]-~]{1,255}"
_KEY = re.compile(rf'"(?P<quoted>{_BARE})"|(?P<bare>{_BARE})')

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Makes it safe to send the request again: within 24 hours the same key with the same request is "
        "done once and answered the same. Up to 255 visible ASCII signs without quotes and backslashes, best a UUID, "
        "with or without quotes around it.",
        examples=['"8e03978e-40d5-43e8-bc93-6894a57f9324"'],
        json_schema_extra={"pattern": rf'^(?:"{_BARE}"|{_BARE})$'},
    ),
]


@dataclass(frozen=True, slots=True)
class Once:
    """One request that may come again."""

    here: Surroundings
    asked: Asked | None
    """None where it bears no key."""

    def answer(self, do: Callable[[], Response]) -> Response:
        """What ``do`` answers, or what was answered before; only what succeeded is kept.

        Raises:
            ApiProblem: 422 where the key came with another request, 409 while the first one is being answered.
        """
        if self.asked is None:
            return do()
        database = self.here.installation.database
        with database.writing() as session:
            earlier = idempotency_store.claim(session, self.asked, now=self.here.now())
        if earlier is not None:
            return _again(earlier)
        try:
            answer = do()
        except Exception:
            self._settle(None)
            raise
        self._settle(answer if answer.status_code < _FAILS else None)
        return answer

    def _settle(self, answer: Response | None) -> None:
        """Keep the answer; without one nothing was done, and the key may come again."""
        assert self.asked is not None
        with self.here.installation.database.writing() as session:
            if answer is None:
                idempotency_store.release(session, self.asked)
            else:
                body = bytes(answer.body)
                idempotency_store.keep_answer(session, self.asked, status=answer.status_code, body=body)


def _again(earlier: Earlier) -> Response:
    if not earlier.is_same:
        raise ApiProblem(422, "This Idempotency-Key came with another request before.", kind=REUSED_KEY)
    if earlier.status is None:
        headers = {"retry-after": str(RETRY_SECONDS)}
        detail = "The first request with this Idempotency-Key is still being answered."
        raise ApiProblem(409, detail, kind=KEY_IN_USE, headers=headers)
    return Response(earlier.body, earlier.status, media_type="application/json")


async def _once(request: Request, here: Here, grant: Granted, key: Key = None) -> Once:
    if key is None:
        return Once(here, None)
    found = _KEY.fullmatch(key)
    if found is None:
        raise HTTPException(400, "An Idempotency-Key has 1 to 255 visible ASCII signs, no quotes, no backslashes.")
    digest = here.installation.keys.fingerprint
    place = f"{request.method} {request.scope['path']}?".encode() + request.scope["query_string"]
    asks = place + b"\n" + await request.body()
    asked = Asked(
        api_key_id=grant.key_id,
        key_digest=digest((found["quoted"] or found["bare"]).encode()),
        request_digest=digest(asks),
    )
    return Once(here, asked)


OnceOnly = Annotated[Once, Depends(_once)]
"""What an endpoint asks for that makes something."""
