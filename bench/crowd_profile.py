"""Says what one digest costs by stage, for a crowd of any size: quick enough to look at after every change."""

import cProfile
import pstats
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from bench.cpu_stages import CpuStages, cpu_of
from bench.databases import place_for, settings_on
from bench.installations import MONDAY
from bench.mail_crowd import Crowd, gather
from bench.mail_sinks import quick_sink
from notifier.composing import Composer
from notifier.domain.deliveries import Composed
from notifier.installation import open_installation
from notifier.planning import plan_digests
from notifier.rounds import Service, open_service
from notifier.store.database import Database
from notifier.store.models import Delivery, DeliverySpan, Subscriber

LARGE = 40_000

WATCHED = (
    ("notifier.store.lease_store:claim", "claim"),
    ("notifier.waiting_news:read_inputs", "read"),
    ("notifier.composing:Composer.__call__", "compose"),
    ("notifier.store.delivery_contents:lock_readers_of", "admit"),
    ("notifier.store.delivery_store:enter_data", "admit"),
    ("notifier.store.outcome_store:mark", "mark"),
    ("notifier.emails.postman:Postman.send", "send"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What it took to plan and deliver a crowd's digests, in a process that had made none before."""

    crowd: Crowd
    sent: int
    planning: float
    seconds: float
    stages: CpuStages
    server_cpu: float
    sink_cpu: float
    sizes: "Sizes"
    cards: int


@dataclass(slots=True)
class Sizes:
    """How large messages are, in bytes; as running figures, or their list would be the memory that is measured."""

    number: int = 0
    total: int = 0
    least: int = 0
    most: int = 0
    large: int = 0

    @property
    def mean(self) -> int:
        """The mean."""
        return self.total // self.number

    @property
    def share_of_large(self) -> float:
        """How many are of `LARGE` bytes and more, as a share of all."""
        return self.large / self.number

    def add(self, size: int) -> None:
        """Count one."""
        self.least = min(self.least, size) if self.number else size
        self.most = max(self.most, size)
        self.number += 1
        self.total += size
        self.large += size >= LARGE

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count every mail that is composed while the block runs."""
        compose = Composer.__call__

        def counted(*positional: Any, **named: Any) -> Any:
            made = compose(*positional, **named)
            for one in made:
                if isinstance(one, Composed):
                    self.add(len(one.message))
            return made

        Composer.__call__ = counted  # type: ignore[method-assign]
        try:
            yield
        finally:
            Composer.__call__ = compose  # type: ignore[method-assign]


def run(console: Console, *, size: int = 2_000, engine: str = "sqlite", calls: int = 0) -> Profile:
    """Measure and print; ``calls`` is how many of the dearest functions are listed (which makes it all slower)."""
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as name, quick_sink() as sink:
        home = Path(name)
        with place_for(engine, home) as place:
            url = place.new("crowd")
            service = open_service(open_installation(settings_on(url, home=home, smtp_port=sink.port), now=MONDAY))
            began = time.process_time()
            crowd = gather(service.installation, readers=size, now=MONDAY)
            console.print(f"made in {time.process_time() - began:.1f} s of processor time: {crowd}", style="dim")
            with _profiled(calls):
                profile = measure(service, crowd, server=place.server, sink=sink.process)
            service.close()
        console.print(as_table(profile, engine=engine, sink=sink.what))
    return profile


def measure(service: Service, crowd: Crowd, *, server: int | None, sink: int) -> Profile:
    """Plan and deliver all that waits; the connection to the mail server is not open yet."""
    stages, sizes = CpuStages(), Sizes()
    before = (cpu_of(server) if server else 0.0, cpu_of(sink))
    began = time.perf_counter()
    with stages.watching(WATCHED), sizes.counting():
        with stages.within("plan"):
            waiting = plan_digests(database=service.installation.database, now=MONDAY)
        planned = time.perf_counter()
        with stages.whole():
            delivered = service.deliverer.deliver_due(now=partial(_fixed, MONDAY), real=_clock)
    ended = time.perf_counter()
    if delivered.sent != waiting:
        raise RuntimeError(f"not every digest was sent: {delivered}")
    return Profile(
        crowd=crowd,
        sent=delivered.sent,
        planning=planned - began,
        seconds=ended - began,
        stages=stages,
        server_cpu=(cpu_of(server) if server else 0.0) - before[0],
        sink_cpu=cpu_of(sink) - before[1],
        sizes=sizes,
        cards=count_cards(service.installation.database),
    )


def count_cards(database: Database) -> int:
    """How many different cards the mails of a database hold."""
    which = (DeliverySpan.trial_id, DeliverySpan.from_seq, DeliverySpan.to_seq, Delivery.language, Subscriber.country)
    told = select(*which).join(Delivery, Delivery.id == DeliverySpan.delivery_id)
    different = told.join(Subscriber, Subscriber.id == Delivery.subscriber_id).distinct().subquery()
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(different)) or 0


def as_table(profile: Profile, *, engine: str, sink: str) -> Table:
    """The figures for a person to read."""
    table = Table("a crowd's digests", "", title=f"{profile.sent:,} digests on {engine}, one process, into {sink}")
    crowd = profile.crowd
    filtered = f"{crowd.filtered / crowd.subscriptions:.0%} filtered"
    table.add_row(
        "subscriptions, studies that changed, Matches",
        f"{crowd.subscriptions:,} ({filtered}), {crowd.studies:,}, {crowd.matches:,}",
    )
    table.add_row("different cards (study, span, language, country)", f"{profile.cards:,}")
    table.add_row(
        "bytes of a digest: mean, least, most",
        f"{profile.sizes.mean:,}, {profile.sizes.least:,}, {profile.sizes.most:,}",
    )
    table.add_row("digests of 40 kB and more", f"{profile.sizes.share_of_large:.0%}")
    table.add_row("digests a second, planned, composed and marked sent", f"{profile.sent / profile.seconds:,.0f}")
    table.add_row("digests planned a second", f"{profile.sent / profile.planning:,.0f}")
    for stage in sorted(profile.stages.seconds, key=_in_order):
        seconds, calls = profile.stages.seconds[stage], profile.stages.calls[stage]
        table.add_row(f"processor time of a digest: {stage}", f"{_micro(seconds, profile)} ({calls:,} calls)")
    table.add_row("… in all", _micro(sum(profile.stages.seconds.values()), profile))
    table.add_row("… of the database server", _micro(profile.server_cpu, profile))
    table.add_row("… of the mail server", _micro(profile.sink_cpu, profile))
    return table


STAGES = ("plan", "claim", "read", "compose", "admit", "send", "mark", "other")


def _in_order(stage: str) -> int:
    return STAGES.index(stage)


def _micro(seconds: float, profile: Profile) -> str:
    return f"{seconds / profile.sent * 1e6:,.0f} µs"


@contextmanager
def _profiled(calls: int) -> Iterator[None]:
    """List the functions that take most time of the main thread."""
    if not calls:
        yield
        return
    profiler = cProfile.Profile()
    with profiler:
        yield
    pstats.Stats(profiler).sort_stats("tottime").print_stats(calls)


def _fixed(now: datetime) -> datetime:
    return now


def _clock() -> datetime:
    return datetime.now(UTC)
