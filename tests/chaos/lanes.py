"""Goes through rows, two at a time where none of them measures how long something takes."""

import multiprocessing
import queue
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.rows import Result, Row, go_through
from tests.chaos.stage import grounds

WAITS_FOR = 5.0
"""Seconds after which it is looked whether a lane is still there."""
_SPAWN = multiprocessing.get_context("spawn")

Job = tuple[Row, str]
"""A row, and the engine on which to go through it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How rows are gone through."""

    short: bool
    keep: Path | None
    """Where databases and what processes say is kept, if it is."""
    lanes: int


def go_through_all(jobs: Sequence[Job], manner: Manner) -> Iterator[Result]:
    """The results as they come; a lane is a process with a PostgreSQL and a Redis of its own."""
    yield from _go_side_by_side([job for job in jobs if not job[0].is_alone], manner, lanes=manner.lanes)
    yield from _go_side_by_side([job for job in jobs if job[0].is_alone], manner, lanes=1)


def _go_side_by_side(jobs: Sequence[Job], manner: Manner, *, lanes: int) -> Iterator[Result]:
    wanted: Any = _SPAWN.Queue()
    done: Any = _SPAWN.Queue()
    for job in (*jobs, *[None] * lanes):
        wanted.put(job)
    running = [_SPAWN.Process(target=_go_along, args=(wanted, done, manner)) for _ in range(min(lanes, len(jobs)))]
    for lane in running:
        lane.start()
    try:
        for _ in jobs:
            yield _wait_for(done, running)
    except BaseException:
        for lane in running:
            lane.terminate()
        raise
    finally:
        for lane in running:
            lane.join()


def _wait_for(done: Any, running: Sequence[Any]) -> Result:
    while True:
        try:
            result: Result = done.get(timeout=WAITS_FOR)
        except queue.Empty:
            if not any(lane.is_alive() for lane in running):
                raise RuntimeError("a lane ended before its rows were gone through") from None
        else:
            return result


def _go_along(wanted: Any, done: Any, manner: Manner) -> None:
    """Go through what waits, until told that there is no more; whoever is asked to stop stops all it started."""
    stop_when_asked()
    with grounds(keep=manner.keep) as shared:
        while (job := wanted.get()) is not None:
            row, engine = job
            done.put(go_through(row, shared, engine=engine, short=manner.short))


def stop_when_asked() -> None:
    """End as with an error when asked to stop: what was started is stopped on the way out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("asked to stop"))
