"""Processor time of this process and, on PostgreSQL, of what the server does for it; and its peak of memory."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from notifier.store.database import Database


@dataclass(slots=True)
class Spent:
    """Seconds of processors and of the clock."""

    spent: float = 0.0
    wall: float = 0.0


@contextmanager
def cpu_seconds(database: Database) -> Iterator[Spent]:
    """What the block spends, with the server processes that are connected to this database when it ends."""
    spent, started = Spent(), time.perf_counter()
    own, theirs = time.process_time(), _by_process(database)
    yield spent
    spent.wall = time.perf_counter() - started
    spent.spent = time.process_time() - own
    for process, seconds in _by_process(database).items():
        spent.spent += seconds - theirs.get(process, 0.0)


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """By how many megabytes the memory of this process rose at most while the block ran; empty where Linux is not."""
    status, grown = Path("/proc/self/status"), list[float]()
    if not status.exists():
        yield grown
        return
    Path("/proc/self/clear_refs").write_text("5")
    before = _megabytes(status, "VmRSS")
    yield grown
    grown.append(_megabytes(status, "VmHWM") - before)


def _megabytes(status: Path, name: str) -> float:
    line = next(one for one in status.read_text().splitlines() if one.startswith(name))
    return int(line.split()[1]) / 1024


def _by_process(database: Database) -> dict[int, float]:
    if database.is_sqlite:
        return {}
    with database.reading() as session:
        processes = session.scalars(text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")).all()
    return {process: _seconds(process) for process in processes if Path(f"/proc/{process}/stat").exists()}


def _seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
