"""Times things several times over, and says the middle and the spread; tells where time goes by stage."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several measurements, the least and the greatest."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{_short(self.middle)} ({_short(self.least)} to {_short(self.most)})"


def spread(values: Sequence[float]) -> Spread:
    """What several measurements come to."""
    return Spread(median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """Gives what tells the seconds since it began, and no more after its end."""
    started = time.perf_counter()
    ended: list[float] = []
    yield lambda: (ended[0] if ended else time.perf_counter()) - started
    ended.append(time.perf_counter())


@dataclass
class Stages:
    """Seconds by stage; a stage inside another counts for itself only."""

    seconds: dict[str, float] = field(default_factory=dict)
    longest: dict[str, float] = field(default_factory=dict)
    _open: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def within(self, stage: str) -> Iterator[None]:
        """Count the time of the block for a stage, not for the one around it."""
        started = self._switch()
        self._open.append((stage, started))
        try:
            yield
        finally:
            self._switch()
            self._open.pop()
            if self._open:
                self._open[-1] = (self._open[-1][0], time.perf_counter())
            self.longest[stage] = max(self.longest.get(stage, 0.0), time.perf_counter() - started)

    @contextmanager
    def watching(self, watched: Iterable[tuple[object, str, str]]) -> Iterator[None]:
        """Count calls of (owner, attribute, stage) while the block runs."""
        with ExitStack() as undo:
            for owner, name, stage in watched:
                original = getattr(owner, name)
                undo.callback(setattr, owner, name, original)
                setattr(owner, name, self._counted(original, stage))
            yield

    def iterating(self, items: Iterable[T], stage: str) -> Iterator[T]:
        """The items, with the time it takes to get each counted for a stage."""
        source, end = iter(items), object()
        while True:
            with self.within(stage):
                item = next(source, end)
            if item is end:
                return
            yield item  # type: ignore[misc]  # the end was seen just before

    def shares(self, total: float) -> str:
        """Each stage's share of the whole, largest first; the rest last."""
        largest_first = sorted(self.seconds.items(), key=lambda item: -item[1])
        rest = max(0.0, total - sum(self.seconds.values()))
        return ", ".join(f"{stage} {seconds / total:.0%}" for stage, seconds in [*largest_first, ("other", rest)])

    def _switch(self) -> float:
        now = time.perf_counter()
        if self._open:
            stage, since = self._open[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now - since
        return now

    def _counted(self, original: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def counted(*positional: Any, **named: Any) -> Any:
            with self.within(stage):
                return original(*positional, **named)

        return counted


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.2f}"
