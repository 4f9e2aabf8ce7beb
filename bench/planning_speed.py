"""Measures planning a digest for each of very many readers: seconds, memory and the longest lock; on both engines."""

import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from bench.databases import ENGINES
from bench.installations import MONDAY
from bench.many_readers import Crowd, analyse, open_crowded
from bench.server_time import cpu_seconds, peak_memory
from bench.write_locks import posting_forms, watching_writes
from notifier.installation import Installation
from notifier.rounds import News
from notifier.store.models import Change, Delivery, Schedule, Subscriber
from tests.servers import ServerMissing

SMALL = Crowd(readers=50_000, subscriptions=50_000, conditions=100, changes=4)
FULL = Crowd(readers=1_000_000, subscriptions=1_000_000, conditions=100, changes=4)
DUE = MONDAY + timedelta(days=1, hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What planning took."""

    made: int
    seconds: float
    cpu: float
    longest: float
    form_longest: float
    megabytes: float


def run(
    console: Console, *, is_full: bool = False, crowd: Crowd | None = None, engines: tuple[str, ...] = ENGINES
) -> list[Planned]:
    """Measure and print; an engine that is not on this machine is left out."""
    table = Table("planning", "digests", "seconds", "processor time", "longest lock", "longest form", "more memory")
    found: list[Planned] = []
    for engine in engines:
        try:
            found += _measure(table, crowd or (FULL if is_full else SMALL), engine)
        except ServerMissing as missing:
            console.print(f"{engine}: {missing}")
    console.print(table)
    return found


def plan_day(installation: Installation, *, now: datetime) -> Planned:
    """Plan all that is due, while somebody posts forms."""
    database = installation.database
    news = News(database, now=lambda: now)
    with (
        watching_writes(database) as transactions,
        posting_forms(database) as forms,
        peak_memory() as grown,
        cpu_seconds(database) as cpu,
    ):
        news.plan()
    return Planned(
        made=news.planned,
        seconds=cpu.wall,
        cpu=cpu.spent,
        longest=transactions.longest,
        form_longest=forms.longest,
        megabytes=max(grown, default=0.0),
    )


def _measure(table: Table, crowd: Crowd, engine: str) -> list[Planned]:
    with (
        tempfile.TemporaryDirectory(prefix="notifier-bench-") as name,
        open_crowded(Path(name) / "day", crowd, engine=engine) as installation,
    ):
        with installation.database.writing() as session:
            _match_everybody(session)
        analyse(installation)
        spread = plan_day(installation, now=DUE)
        with installation.database.writing() as session:
            _put_on_one_schedule(session)
        analyse(installation)
        together = plan_day(installation, now=DUE)
    for what, one in (("on many schedules", spread), ("on one schedule", together)):
        figures = (f"{one.made:,}", f"{one.seconds:.1f}", f"{one.cpu:.1f}", f"{one.longest * 1000:.0f} ms")
        table.add_row(f"{engine}, {what}", *figures, f"{one.form_longest * 1000:.0f} ms", f"{one.megabytes:.0f} MB")
    return [spread, together]


def _match_everybody(session: Session) -> None:
    """A Match for every subscription, whatever it asks for."""
    change = session.scalars(select(Change).order_by(Change.id.desc()).limit(1)).one()
    session.execute(
        text("""INSERT INTO matches (change_id, subscription_id, subscriber_id, trial_id, seq, created_at)
        SELECT :change, id, subscriber_id, :trial, :seq, confirmed_at FROM subscriptions ORDER BY id"""),
        {"change": change.id, "trial": change.trial_id, "seq": change.seq},
    )
    session.execute(update(Change).values(matched_at=MONDAY))


def _put_on_one_schedule(session: Session) -> None:
    one = session.scalars(select(Schedule.id).limit(1)).one()
    session.execute(delete(Delivery))
    session.execute(update(Subscriber).values(schedule_id=one))
    session.execute(update(Schedule).values(next_due_at=MONDAY))
