"""Tells how much processor time each stage of delivering takes, whatever threads it runs in."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

OURS = ("notifier", "bench")


@dataclass(slots=True)
class CpuStages:
    """Seconds of processor time by stage; a stage inside another counts for itself only."""

    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    _inside: threading.local = field(default_factory=threading.local)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def within(self, stage: str) -> Iterator[None]:
        """Count the block for a stage, and not for the one around it."""
        outer: list[float] = getattr(self._inside, "children", [])
        children = self._inside.children = [0.0]
        began = time.thread_time()
        try:
            yield
        finally:
            spent = time.thread_time() - began
            self._inside.children = outer
            if outer:
                outer[0] += spent
            self._add(stage, spent - children[0])

    @contextmanager
    def watching(self, watched: Iterable[tuple[str, str]]) -> Iterator[None]:
        """Count calls of functions ("module:name"), under whatever names ours have imported them; some may be gone."""
        with ExitStack() as undo:
            for way, stage in watched:
                function = _find(way)
                if function is None:
                    continue
                counted = self._counted(function, stage)
                for owner, name in _holders(function):
                    undo.callback(setattr, owner, name, function)
                    setattr(owner, name, counted)
            yield

    @contextmanager
    def whole(self, *, sending: str = "send") -> Iterator[None]:
        """Count the whole process: what threads named ``postman`` took as ``sending``, and the rest as ``other``."""
        began, threads, before = time.process_time(), _of_threads("postman"), sum(self.seconds.values())
        yield
        total = time.process_time() - began + before
        self._add(sending, _of_threads("postman") - threads)
        self._add("other", total - sum(self.seconds.values()))

    def _add(self, stage: str, seconds: float) -> None:
        with self._lock:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
            self.calls[stage] = self.calls.get(stage, 0) + 1

    def _counted(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def counted(*positional: Any, **named: Any) -> Any:
            with self.within(stage):
                return function(*positional, **named)

        return counted


def cpu_of(process: int) -> float:
    """Seconds of processor time that a process, its children, and those of them that ended have taken."""
    total, children = 0.0, _children()
    waiting = [process]
    while waiting:
        one = waiting.pop()
        total += _seconds_of(one)
        waiting.extend(children.get(one, ()))
    return total


def _find(way: str) -> Callable[..., Any] | None:
    module, _, names = way.partition(":")
    found: Any = import_module(module)
    for name in names.split("."):
        found = getattr(found, name, None)
    return found  # type: ignore[no-any-return]  # what is named is a function


def _holders(function: Callable[..., Any]) -> list[tuple[Any, str]]:
    """Where a function can be reached: as a name of modules, or as a method of its class."""
    owner_name, _, name = function.__qualname__.rpartition(".")
    if owner_name:
        return [(getattr(sys.modules[function.__module__], owner_name), name)]
    modules = [module for key, module in list(sys.modules.items()) if key.partition(".")[0] in OURS]
    return [(module, key) for module in modules for key, held in list(vars(module).items()) if held is function]


def _of_threads(name: str) -> float:
    """Seconds of processor time that the running threads of this name have taken."""
    native = [thread.native_id for thread in threading.enumerate() if thread.name.startswith(name)]
    files = [Path(f"/proc/self/task/{one}/schedstat") for one in native]
    return sum(int(file.read_text().split()[0]) for file in files if file.exists()) / 1e9


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _fields(stat)
        if fields:
            found.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    return found


def _seconds_of(process: int) -> float:
    fields = _fields(Path(f"/proc/{process}/stat"))
    return sum(int(one) for one in fields[11:15]) / 100 if fields else 0.0


def _fields(stat: Path) -> list[str]:
    """What stands after the name of a program, from its state on; see proc(5)."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
