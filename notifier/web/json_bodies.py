"""Bodies of the API: strict JSON, looked at only after the key, refused without repeating anything of it."""

import json
import math
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

DEEPEST = 32
LARGEST = 100_000
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_MOST_DIGITS = 20
_NO_TEXT = "A text holds half of a sign (a lone surrogate) or a sign that ends it (U+0000)."


class JsonRoute(APIRoute):
    """A route whose body is read strictly; what is wrong with it is said by ``check_body``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As in FastAPI's own routes, with a request of ours."""
        answer = super().get_route_handler()

        async def answer_strictly(request: Request) -> Response:
            return await answer(_StrictRequest(request.scope, request.receive))

        return answer_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return read_json(await self.body())
        except HTTPException as error:
            # Said later: whoever has no key learns nothing but that.
            self.state.unfit_body = error
            return None


async def check_body(request: Request) -> None:
    """Refuse a body that is no strict JSON.

    Raises:
        HTTPException: as ``read_json``, or 415 for another kind of body.
    """
    unfit = getattr(request.state, "unfit_body", None)
    if isinstance(unfit, HTTPException):
        raise unfit
    route = request.scope.get("route")
    takes_json = isinstance(route, JsonRoute) and getattr(route, "body_field", None) is not None
    if takes_json and await request.body() and not _is_json(request.headers.get("content-type", "")):
        raise HTTPException(415, "Send the body as application/json.")


def read_json(body: bytes) -> Any:
    """A JSON text of RFC 8259, of which each reader understands the same: UTF-8, no name twice, no NaN, not too deep.

    Raises:
        HTTPException: 400 for no JSON, 413 for too much of it, 422 for what readers could take for different things.
    """
    if len(body) > LARGEST:
        raise HTTPException(413, f"This is larger than the {LARGEST:,} bytes taken here.")
    try:
        found = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_once_each,
            parse_constant=_refuse_constant,
            parse_int=_small_number,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise HTTPException(400, "The body is not UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise HTTPException(400, f"The body is not whole JSON: see {where}.") from None
    _check(found)
    return found


def _check(found: Any) -> None:
    level, depth = [found], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise _too_deep()
        level = [held for one in level for held in _held_by(one)]


def _held_by(one: Any) -> list[Any]:
    """What is inside a list or an object; a text is looked at."""
    if isinstance(one, str) and _NOT_TEXT.search(one):
        raise HTTPException(422, _NO_TEXT)
    if isinstance(one, dict):
        return [*one.keys(), *one.values()]
    return one if isinstance(one, list) else []


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise HTTPException(422, "An object in the body names something twice.")
    return found


def _refuse_constant(_name: str) -> Any:
    raise HTTPException(400, "NaN and Infinity are no JSON.")


def _small_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise HTTPException(422, "A number in the body is too long.")
    return int(digits)


def _finite(digits: str) -> float:
    found = float(digits)
    if not math.isfinite(found):
        raise HTTPException(422, "A number in the body is too large.")
    return found


def _too_deep() -> HTTPException:
    return HTTPException(422, "The body is nested too deeply.")


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
