"""Which problems an operation of the API may answer with, as its description says."""

from http import HTTPStatus
from typing import Any

from notifier.web.problems import MEDIA_TYPE
from notifier.web.schemas import Problem

Responses = dict[int | str, dict[str, Any]]


def refusals(*statuses: int) -> Responses:
    """These problems, and those that every operation knows."""
    return {status: _problem(status) for status in (*statuses, 503)}


def keyed(*statuses: int) -> Responses:
    """As ``refusals``, of an operation that needs a key."""
    return refusals(401, 403, 429, *statuses)


def keyed_body(*statuses: int) -> Responses:
    """As ``keyed``, of an operation that takes a JSON body."""
    return keyed(400, 413, 415, 422, *statuses)


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
