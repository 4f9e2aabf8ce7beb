"""What the API says of itself: OpenAPI, with what its operations share added to what FastAPI finds out."""

from typing import Any

from fastapi import FastAPI

from notifier.web.schemas import Problem

Described = dict[str, Any]

_LINK = {"description": "Where the list goes on (RFC 8288), if it does.", "schema": {"type": "string"}}
_HEADERS: dict[str, Described] = {
    "401": {"WWW-Authenticate": {"description": "How to bring a key.", "schema": {"type": "string"}}},
    "409": {"Retry-After": {"description": "In seconds.", "schema": {"type": "integer"}}},
    "429": {"Retry-After": {"description": "In seconds.", "schema": {"type": "integer"}}},
    "503": {"Retry-After": {"description": "In seconds.", "schema": {"type": "integer"}}},
}


def describe_fully(app: FastAPI) -> None:
    """Have an application describe its problems, and the headers of its answers, once."""
    drawn = app.openapi

    def openapi() -> Described:
        if app.openapi_schema is None:
            _complete(drawn())
        found: Described = app.openapi_schema or {}
        return found

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way


def _complete(described: Described) -> None:
    described["components"]["schemas"][Problem.__name__] = Problem.model_json_schema()
    for methods in described["paths"].values():
        for one in methods.values():
            _name_headers(one)


def _name_headers(operation: Described) -> None:
    names = {each["name"] for each in operation.get("parameters", [])}
    for status, answer in operation["responses"].items():
        if status in _HEADERS:
            answer["headers"] = _HEADERS[status]
        if status == "200" and "cursor" in names:
            answer["headers"] = {"Link": _LINK}
