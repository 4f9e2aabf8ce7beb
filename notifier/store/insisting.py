"""Writes what must not be lost to a database that is away for a moment."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from notifier.errors import StoreUnavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

RETRY_SECONDS = 1.0


def insist(write: Callable[[bool], T], *, seconds: float) -> T:
    """What ``write`` gives, tried each second for so long; it is told whether it was tried before.

    Raises:
        StoreUnavailable: the database was away all the time. What was written last may be there nevertheless.
    """
    tries = int(seconds / RETRY_SECONDS)
    for number in range(tries):
        try:
            return write(number > 0)
        except StoreUnavailable as error:
            log.warning("store.unavailable", error=str(error))
            time.sleep(RETRY_SECONDS)
    return write(tries > 0)
