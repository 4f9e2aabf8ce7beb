"""What a row of the fault suite is, and how one is gone through: broken, undone, drained, counted."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.chaos.counting import Figures
from tests.chaos.stage import Grounds, Stage, stage

BOTH = ("sqlite", "postgresql")
SERVERS = ("postgresql",)
EMBEDDED = ("sqlite",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault: ``go`` gathers a crowd, breaks something while news go out, and mends it."""

    name: str
    go: Callable[[Stage], None]
    engines: tuple[str, ...] = BOTH
    settings: Mapping[str, str] = field(default_factory=dict)
    is_alone: bool = False
    """Whether it measures how long something takes, so that no other may be gone through beside it."""
    disk_megabytes: int = 0
    """How large the disk is that SQLite lies on, if it is to be one of its own; only root can make one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a row came out; without figures it could not be gone through, and ``faults`` say why."""

    name: str
    engine: str
    seconds: float
    figures: Figures | None
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether everything was as it should be."""
        return self.figures is not None and self.figures.is_good and not self.faults


def go_through(row: Row, shared: Grounds, *, engine: str, short: bool) -> Result:
    """Go through a row on one engine."""
    since = time.monotonic()
    with stage(
        shared,
        name=row.name,
        engine=engine,
        short=short,
        settings=row.settings,
        disk_megabytes=row.disk_megabytes,
    ) as set_up:
        broken = _try(row, set_up)
        figures = None if broken else set_up.count()
    return Result(
        name=row.name,
        engine=engine,
        seconds=time.monotonic() - since,
        figures=figures,
        notes=tuple(set_up.notes),
        faults=(*set_up.faults, *broken),
    )


def _try(row: Row, set_up: Stage) -> tuple[str, ...]:
    """Why it could not be gone through, if it could not: the rows after it are gone through all the same."""
    try:
        row.go(set_up)
        set_up.drain()
    except Exception as error:  # noqa: BLE001
        return (f"{type(error).__name__}: {error}",)
    return ()
