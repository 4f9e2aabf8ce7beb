"""Tells writers that met from a database that is away: the first may simply try once more."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from notifier.errors import StoreUnavailable

T = TypeVar("T")

_CONFLICTS = frozenset({"40P01", "40001"})
"""PostgreSQL's deadlock_detected and serialization_failure: the transaction left nothing behind."""

log = structlog.get_logger(__name__)


def unless_conflict(write: Callable[[], T]) -> T | None:
    """What a writing transaction gives; None where it left nothing behind because another one stood in its way.

    Raises:
        StoreUnavailable: the database could not be reached or written for any other reason.
    """
    try:
        return write()
    except StoreUnavailable as error:
        cause = error.__cause__
        if not isinstance(cause, DBAPIError) or getattr(cause.orig, "sqlstate", None) not in _CONFLICTS:
            raise
        log.info("transaction.gave_way")
        return None
