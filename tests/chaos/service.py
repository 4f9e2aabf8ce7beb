"""The service of a row in processes of its own, each with a schedule of seconds: started, killed, stopped, frozen."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from tests.chaos.nursery import Started, start
from tests.topologies import environment_of, wait_until

STARTS_WITHIN = 60.0
LAST_WORDS = 1000
"""Characters of a log that say why something did not start, or end."""
SAYS_WITHIN = 1.0


@dataclass(slots=True)
class Service:
    """On SQLite the one process ``up``; on servers ``web``, ``worker`` and ``beat``."""

    folder: Path
    settings: dict[str, str]
    parts: tuple[str, ...]
    running: dict[str, Started] = field(default_factory=dict)
    kills: int = 0

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.settings['NOTIFIER_PORT']}"

    @property
    def web(self) -> str:
        """The part that answers."""
        return self.parts[0]

    @property
    def worker(self) -> str:
        """The part that works."""
        return self.parts[min(1, len(self.parts) - 1)]

    def start(self, *parts: str, options: Sequence[str] = (), name: str = "", more: Sequence[str] = ()) -> None:
        """Start parts, or all, with ``options`` of ``process.py`` and ``more`` of the command, under a ``name``."""
        for part in parts or self.parts:
            log = self.folder / f"{name or part}.log"
            said = log.stat().st_size if log.exists() else 0
            self.running[name or part] = start(
                [*options, part, *more], folder=self.folder, environment=environment_of(self.settings), log=log
            )
            if part == "worker":
                self._wait_until(partial(_is_ready, log, said), f"readiness of {name or part}", log)
        if not parts or self.web in parts:
            self._wait_until(self.answers, f"an answer of {self.web}", self.folder / f"{name or self.web}.log")

    def kill(self, part: str) -> None:
        """Kill a part with all its processes, which is one kill."""
        process = self.running.pop(part)
        process.kill_group()
        process.wait(10)
        self.kills += 1

    def kill_alone(self, part: str) -> None:
        """Kill a part's first process only, which is one kill; what it started may live on."""
        process = self.running.pop(part)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        self.kills += 1

    def wait_for_death(self, part: str, *, seconds: float = 60) -> None:
        """Wait until a part that was doomed is dead, which is one kill."""
        process = self.running.pop(part)
        try:
            process.wait(seconds)
        finally:
            process.kill_group()
        self.kills += 1

    def stop(self, part: str, *, seconds: float = 90) -> float:
        """Ask a part to stop, as a deploy does; after how many seconds it was gone."""
        since = time.monotonic()
        self.ask_to_stop(part)
        process = self.running.pop(part)
        try:
            process.wait(seconds)
        except TimeoutError as error:
            process.send_signal(signal.SIGUSR2)
            time.sleep(SAYS_WITHIN)
            said = (self.folder / f"{part}.log").read_text()
            raise TimeoutError(f"{part} did not end: {said[-LAST_WORDS:]}") from error
        finally:
            process.kill_group()
        return time.monotonic() - since

    def ask_to_stop(self, part: str) -> None:
        """Ask only, for what is to happen while it stops."""
        self.running[part].send_signal(signal.SIGTERM)

    def group(self, part: str) -> int:
        """The id of a part's group of processes."""
        return self.running[part].pid

    def children(self, part: str) -> list[int]:
        """The processes that a part started."""
        listed = Path(f"/proc/{self.group(part)}/task/{self.group(part)}/children").read_text()
        return [int(one) for one in listed.split()]

    def answers(self) -> bool:
        """Whether it is ready."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _wait_until(self, condition: Callable[[], bool], what: str, log: Path) -> None:
        try:
            wait_until(condition, seconds=STARTS_WITHIN, what=what)
        except AssertionError as error:
            lives = {part: process.lives() for part, process in self.running.items()}
            raise AssertionError(f"{error}; lives: {lives}; it said last: {log.read_text()[-LAST_WORDS:]}") from error

    def close(self) -> None:
        """Kill whatever runs; counts as no kill."""
        for part in list(self.running):
            self.kill(part)
            self.kills -= 1


def _is_ready(log: Path, since: int) -> bool:
    """Whether a worker said so after what it had written before."""
    return log.exists() and b" ready." in log.read_bytes()[since:]
