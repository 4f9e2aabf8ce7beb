"""Measures digests from waiting Matches to marked sent, beside what else sends mail, in one run and by turns."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import rivals
from bench.crowd_profile import STAGES, count_cards
from bench.crowd_workers import Sending, send_all
from bench.databases import ENGINES, Place, place_for, settings_on
from bench.installations import MONDAY, REPOSITORY
from bench.mail_crowd import Crowd, gather
from bench.mail_sinks import Sink, quick_sink
from bench.measuring import Spread, spread
from bench.rivals import Pace
from notifier.installation import open_installation
from notifier.rounds import open_service
from notifier.store.database import open_database
from tests.servers import ServerMissing

WORKERS = (1, 2)
SOURCE = "smtp-source, nothing made"
NAIVE = "naive: Jinja2, EmailMessage, aiosmtplib, a pool of 8"
POST_OFFICE = "django-post-office, bodies ready in its queue"
RIVAL_MAILS = 1_000
ENVIRONMENT = REPOSITORY / "build" / "post-office"
HONEST = (
    "Ours: every commit on disk (SQLite synchronous=FULL, PostgreSQL fsync=on), leases and in_data on, addresses "
    "decrypted and a token made for each reader, worker processes that had made no mail before. Planning is counted. "
    "What others are spared: smtp-source sends one line over and over; the naive way gets its digests ready as values "
    "and knows no database; django-post-office gets its bodies ready, and their way into its queue is not counted."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A crowd's database, from which each round takes copies."""

    place: Place
    url: str
    crowd: Crowd


@dataclass(slots=True)
class Rounds:
    """What each way did, round after round; ``cards`` is how many different ones the digests of an engine held."""

    ours: dict[str, list[Sending]] = field(default_factory=dict)
    others: dict[str, list[Pace]] = field(default_factory=dict)
    cards: dict[str, int] = field(default_factory=dict)

    def rates(self) -> dict[str, Spread]:
        """Mails a second by way."""
        ways: list[tuple[str, Sequence[Sending | Pace]]] = [*self.ours.items(), *self.others.items()]
        return {way: spread([one.rate for one in done]) for way, done in ways}


def run(
    console: Console, *, size: int = 20_000, repeat: int = 3, rival_mails: int = RIVAL_MAILS, alone: bool = False
) -> dict[str, Spread]:
    """Measure and print; gives mails a second by way.

    Args:
        console: where it is printed.
        size: readers with a digest.
        repeat: rounds.
        rival_mails: how many mails the slow ways send, as their speed does not depend on it.
        alone: leave out what is not on every machine: PostgreSQL, and django-post-office.
    """
    engines = ("sqlite",) if alone else ENGINES
    with ExitStack() as open_things:
        home = Path(open_things.enter_context(tempfile.TemporaryDirectory(prefix="notifier-bench-")))
        sink = open_things.enter_context(quick_sink())
        places = _places(console, open_things, home, engines=engines)
        filled = [_fill(place, home / place.engine, size=size) for place in places]
        samples = _write_samples(filled[0], home, count=rival_mails)
        python = None if alone else rivals.make_environment(ENVIRONMENT)
        done = Rounds()
        for number in range(repeat):
            folder = home / f"round-{number}"
            for one in filled:
                _send_ours(done, one, sink=sink, home=folder)
            _send_others(done, sink=sink, home=folder, samples=samples, python=python, mails=size)
    for table in _tables(done, filled, sink=sink, repeat=repeat):
        console.print(table)
    console.print(HONEST, style="dim")
    return done.rates()


def _places(console: Console, open_things: ExitStack, home: Path, *, engines: Sequence[str]) -> list[Place]:
    places = []
    for engine in engines:
        try:
            places.append(open_things.enter_context(place_for(engine, home)))
        except ServerMissing as missing:
            console.print(f"{engine} is left out: {missing}")
    return places


def _fill(place: Place, home: Path, *, size: int) -> Filled:
    url = place.new("crowd")
    installation = open_installation(settings_on(url, home=home, smtp_port=25), now=MONDAY)
    crowd = gather(installation, readers=size, now=MONDAY)
    installation.close()
    return Filled(place=place, url=url, crowd=crowd)


def _write_samples(filled: Filled, home: Path, *, count: int) -> Path:
    file = home / "samples.ndjson"
    service = open_service(open_installation(settings_on(filled.url, home=home, smtp_port=25), now=MONDAY))
    rivals.write_samples(service, to=file, count=count)
    service.close()
    return file


def _send_ours(done: Rounds, one: Filled, *, sink: Sink, home: Path) -> None:
    """A copy of the crowd's database for each number of workers."""
    for workers in WORKERS:
        way = _way(one.place.engine, workers)
        url = one.place.copy(one.url, f"{home.name}-{workers}")
        sending = send_all(url, home=home / way, port=sink.port, workers=workers, server=one.place.server)
        done.ours.setdefault(way, []).append(sending)
        done.cards.setdefault(one.place.engine, _count_cards(url))
        one.place.drop(url)


def _way(engine: str, workers: int) -> str:
    return f"ours, {engine}, {workers} worker process{'es' if workers > 1 else ''}"


def _count_cards(url: str) -> int:
    database = open_database(url)
    cards = count_cards(database)
    database.close()
    return cards


def _send_others(done: Rounds, *, sink: Sink, home: Path, samples: Path, python: Path | None, mails: int) -> None:
    size = next(iter(done.ours.values()))[0].mean_bytes
    source = rivals.smtp_source(sink.port, mails=mails, size=size)
    if source is not None:
        done.others.setdefault(SOURCE, []).append(source)
    done.others.setdefault(NAIVE, []).append(rivals.naive(samples, sink.port, mean_bytes=size))
    if python is not None:
        pace = rivals.post_office(python, samples, sink.port, home=home / "post-office", mean_bytes=size)
        done.others.setdefault(POST_OFFICE, []).append(pace)


def _tables(done: Rounds, filled: Sequence[Filled], *, sink: Sink, repeat: int) -> Iterator[Table]:
    crowd = filled[0].crowd
    title = f"Delivering {crowd.readers:,} digests into {sink.what} on the same machine, {repeat} rounds"
    rates = done.rates()
    speed = Table("mails a second", "median (least to most)", *(_short(way) for way in done.others), title=title)
    for way, rate in rates.items():
        times = [f"{median(_ratios(done, way, other)):.2f} times" for other in done.others]
        speed.add_row(way, str(rate), *times)
    yield speed
    yield _work_table(done, filled)
    yield _stages_table(done)


def _ratios(done: Rounds, way: str, other: str) -> list[float]:
    """Round by round, because how busy the machine is differs between rounds."""
    ways: Mapping[str, Sequence[Sending | Pace]] = {**done.ours, **done.others}
    return [ours.rate / theirs.rate for ours, theirs in zip(ways[way], ways[other], strict=True)]


def _short(way: str) -> str:
    return f"beside {way.partition(',')[0].partition(':')[0]}"


def _work_table(done: Rounds, filled: Sequence[Filled]) -> Table:
    table = Table("the work", "")
    for one in filled:
        crowd, sending = one.crowd, done.ours[_way(one.place.engine, 1)][0]
        told = f"{crowd.subscriptions:,} ({crowd.filtered / crowd.subscriptions:.0%} filtered), {crowd.matches:,}"
        table.add_row(f"{one.place.engine}: subscriptions, Matches", told)
        cards = f"{done.cards[one.place.engine]:,} of {crowd.studies:,} studies, two languages, five countries"
        table.add_row(f"{one.place.engine}: different cards", cards)
        table.add_row(
            f"{one.place.engine}: bytes of a digest",
            f"{sending.mean_bytes:,} on average, {sending.large:.0%} 40 kB and more",
        )
    for way, paces in done.others.items():
        table.add_row(f"bytes of a mail: {way}", f"{paces[0].mean_bytes:,}")
    return table


def _stages_table(done: Rounds) -> Table:
    table = Table("processor time of a digest, µs", *STAGES, "in all", "database server", "peak memory")
    for way, sendings in done.ours.items():
        cells = [median(_micro(one.stages.get(stage, 0.0), one) for one in sendings) for stage in STAGES]
        server = median(_micro(one.server_cpu, one) for one in sendings)
        peak = max(one.peak_bytes for one in sendings)
        table.add_row(way, *(f"{cell:,.0f}" for cell in (*cells, sum(cells), server)), f"{peak / 1e6:,.0f} MB")
    for way, paces in done.others.items():
        rest = [""] * len(STAGES)
        table.add_row(way, *rest, f"{median(pace.cpu / pace.sent * 1e6 for pace in paces):,.0f}", "", "")
    return table


def _micro(seconds: float, sending: Sending) -> float:
    return seconds / sending.sent * 1e6
