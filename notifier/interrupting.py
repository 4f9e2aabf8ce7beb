"""Lets a command that is told to end finish what it has in hand; told twice, it ends there and then."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from celery.beat import Service

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def finishing(stop: Callable[[], None]) -> Iterator[None]:
    """While the block runs, the first SIGTERM or SIGINT has ``stop`` called, and a second one acts as it always does.

    After the block a process that was told ends by that signal, so that whoever told it sees that it obeyed, and
    whoever runs it again and again does not. Only for the main thread.
    """
    told: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        _hear_as(before)
        # Not here: the thread that was interrupted may hold the very lock that stopping needs.
        threading.Thread(target=stop, name="stopping").start()

    before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        yield
    finally:
        _hear_as(before)
    if told:
        sys.stdout.flush()
        sys.stderr.flush()
        os.kill(os.getpid(), told[0])


def end_beat_when_told(sender: Service, **_: object) -> None:
    """Have Celery's beat end at the first SIGTERM or SIGINT, in the midst of a ring too; for the signal ``beat_init``.

    Its own handler closes the connection under whoever waits for an answer on it, whose error then takes the place of
    the exit, and beat would go on for ever.
    """

    def hear(_number: int, _frame: FrameType | None) -> NoReturn:
        sender.stop()
        raise SystemExit

    _hear_as(dict.fromkeys(SIGNALS, hear))


def _hear_as(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
