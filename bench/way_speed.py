"""Measures delivering where the way to the mailbox costs something: through a real Postfix, and over a long line."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import rivals
from bench.crowd_workers import Sending, send_all
from bench.databases import Place, place_for, settings_on
from bench.installations import MONDAY
from bench.mail_crowd import gather
from bench.mail_sinks import Sink, quick_sink
from bench.measuring import spread
from bench.rivals import Pace
from bench.slow_line import slow_line
from notifier.installation import open_installation
from tests.postfix_server import Judgement, postfix_server

ROUND_TRIP = 0.01
DRAIN_SECONDS = 300
Rest = Callable[[], None]
Way = Callable[[Sink], AbstractContextManager[tuple[int, Rest]]]


@dataclass(slots=True)
class Rounds:
    """What smtp-source and ours did, in turn."""

    source: list[Pace] = field(default_factory=list)
    ours: list[Sending] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How much of smtp-source's speed ours has, round by round."""
        return median(ours.rate / source.rate for ours, source in zip(self.ours, self.source, strict=True))


def run(
    console: Console, *, size: int = 5_000, repeat: int = 3, engine: str = "sqlite", workers: int = 1
) -> dict[str, Rounds]:
    """Measure and print; gives the rounds by way: straight, through Postfix, and over the line."""
    ways: dict[str, Way] = {"straight": _straight, "Postfix": _through_postfix, "10 ms": _over_a_line}
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as name, place_for(engine, Path(name)) as place:
        home = Path(name)
        url = place.new("crowd")
        installation = open_installation(settings_on(url, home=home, smtp_port=25), now=MONDAY)
        gather(installation, readers=size, now=MONDAY)
        installation.close()
        found = {way: _measure(place, url, go=go, repeat=repeat, workers=workers) for way, go in ways.items()}
    title = f"{size:,} digests, {engine}, {workers} worker process{'es' if workers > 1 else ''}, {repeat} rounds"
    table = Table("way", "ours, mails a second", "smtp-source", "share", title=title)
    for way, rounds in found.items():
        ours, source = (spread([one.rate for one in some]) for some in (rounds.ours, rounds.source))
        table.add_row(way, str(ours), str(source), f"{rounds.share:.2f}")
    console.print(table)
    beside = f"through Postfix {_share(found, 'Postfix'):.2f}, at 10 ms {_share(found, '10 ms'):.2f}"
    console.print(f"Beside smtp-source straight into the sink: {beside}.", style="dim")
    return found


def _share(found: dict[str, Rounds], way: str) -> float:
    straight = median(one.rate for one in found["straight"].source)
    return median(one.rate for one in found[way].ours) / straight


def _measure(place: Place, url: str, *, go: Way, repeat: int, workers: int) -> Rounds:
    rounds = Rounds()
    with quick_sink() as sink, go(sink) as (port, rest):
        for number in range(repeat):
            copied = place.copy(url, f"round-{number}")
            home = place.home / f"home-{number}"
            ours = send_all(copied, home=home, port=port, workers=workers, server=place.server)
            place.drop(copied)
            rest()
            source = rivals.smtp_source(port, mails=ours.sent, size=ours.mean_bytes)
            rest()
            if source is None:
                raise RuntimeError("this needs smtp-source: install the package postfix")
            rounds.ours.append(ours)
            rounds.source.append(source)
    return rounds


@contextmanager
def _straight(sink: Sink) -> Iterator[tuple[int, Rest]]:
    yield sink.port, _no_rest


@contextmanager
def _through_postfix(sink: Sink) -> Iterator[tuple[int, Rest]]:
    with postfix_server(Judgement(next_port=sink.port)) as postfix:

        def until_empty() -> None:
            deadline = time.monotonic() + DRAIN_SECONDS
            while postfix.queued() and time.monotonic() < deadline:
                time.sleep(0.2)

        yield postfix.port, until_empty


@contextmanager
def _over_a_line(sink: Sink) -> Iterator[tuple[int, Rest]]:
    with slow_line(sink.port, round_trip=ROUND_TRIP) as port:
        yield port, _no_rest


def _no_rest() -> None:
    """Nothing goes on after the last mail."""
