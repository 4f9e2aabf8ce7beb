"""Kinds of fields that the API reads strictly: numbers that are numbers, moments with a time zone, plain texts."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import BeforeValidator, Field

LARGEST_ID = 2**63 - 1

_DIGITS = re.compile(r"-?[0-9]{1,20}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_FIRST_YEAR = 1970


def whole(value: Any) -> Any:
    """A JSON integer as it is; what merely looks like one, such as true or "5", is none."""
    if type(value) is not int:
        raise ValueError("Input should be a valid integer")
    return value


def _from_digits(value: Any) -> Any:
    if not isinstance(value, str) or not _DIGITS.fullmatch(value):
        raise ValueError("Input should be a valid integer")
    return int(value)


def _moment(value: Any) -> datetime:
    """A moment as RFC 3339 writes it."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise ValueError("Input should be a time with its zone, such as 2026-03-02T09:00:00Z")
    try:
        found = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("There is no such time") from None
    if found.year < _FIRST_YEAR:
        raise ValueError("This is too long ago")
    return found


Id = Annotated[int, BeforeValidator(_from_digits), Field(ge=1, le=LARGEST_ID)]
"""The number of something, in an address."""
Number = Annotated[str, Path(description="The number of a study, or one that leads to it.", examples=["NCT01234567"])]
Count = Annotated[int, BeforeValidator(_from_digits)]
"""How many, in an address."""
Moment = Annotated[datetime, BeforeValidator(_moment)]
Label = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A short text on one line."""
