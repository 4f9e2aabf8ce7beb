"""Clocks that are wrong: processes of a row that are told another time than it is, and can be told anew while they run.

Debian's package libfaketime does it; what measures how long something takes goes on undisturbed, as in life. Threads
that wait for each other do so for ever under it, so where all is one process, only the clocks it reads are shifted.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.chaos.service import Service

_LIBRARY = "*/faketime/libfaketimeMT.so.1"
_LOOKS_EVERY = 1
"""Seconds after which a process has noticed at the latest."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of some processes."""

    file: Path
    hours: Path

    def set(self, hours: int) -> None:
        """How far it is off from now on."""
        for file, said in ((self.file, f"{hours:+d}h"), (self.hours, str(hours))):
            draft = file.with_suffix(".new")
            draft.write_text(f"{said}\n")
            draft.replace(file)

    def start_alone(self, service: Service, *, name: str) -> None:
        """Start all in one process that goes by this clock."""
        service.start("up", name=name, options=("--clock", str(self.hours)))

    def start(self, service: Service, part: str, *, name: str) -> None:
        """Start a part of a service that goes by this clock.

        Raises:
            LookupError: no library for it is installed.
        """
        usual = dict(service.settings)
        service.settings |= {
            "LD_PRELOAD": find_library(),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": str(_LOOKS_EVERY),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        try:
            service.start(part, name=name)
        finally:
            service.settings.clear()
            service.settings |= usual


def find_library() -> str:
    """Where the library is.

    Raises:
        LookupError: it is not installed.
    """
    for place in sorted(Path("/usr/lib").glob(_LIBRARY)):
        return str(place)
    raise LookupError("libfaketime is missing: install Debian's package libfaketime")


def right_clock(folder: Path) -> Clock:
    """A clock that is right until it is set otherwise."""
    clock = Clock(folder / "clock", folder / "hours")
    clock.set(0)
    return clock
