"""Measures matching a day of Changes with a million subscriptions, and what forms wait meanwhile; on both engines."""

import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.databases import ENGINES
from bench.installations import MONDAY
from bench.many_readers import Crowd, add_bystanders, forget_matches, open_crowded
from bench.measuring import percentile
from bench.server_time import cpu_seconds
from bench.write_locks import posting_forms, watching_writes
from notifier.installation import Installation
from notifier.matching import match_changes
from tests.servers import ServerMissing

SMALL = Crowd(readers=70_000, subscriptions=100_000, conditions=10_000, changes=2_000)
FULL = Crowd()
TIMES = 10
"""So many more of those with whom nothing matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What matching a day took: all of it, processor time of us and of the server, and the longest of its parts."""

    made: int
    seconds: float
    cpu: float
    transactions: int
    longest: float
    form_longest: float
    form_p99: float


def run(
    console: Console, *, is_full: bool = False, crowd: Crowd | None = None, engines: tuple[str, ...] = ENGINES
) -> dict[str, Day]:
    """Measure and print; an engine that is not on this machine is left out."""
    days: dict[str, Day] = {}
    table = Table("matching a day", "value")
    for engine in engines:
        try:
            days[engine] = _measure(table, crowd or (FULL if is_full else SMALL), engine)
        except ServerMissing as missing:
            console.print(f"{engine}: {missing}")
    console.print(table)
    return days


def match_day(installation: Installation) -> Day:
    """Match all that waits, while somebody posts forms."""
    database = installation.database
    with (
        watching_writes(database) as transactions,
        posting_forms(database) as forms,
        cpu_seconds(database) as cpu,
    ):
        made = match_changes(database=database, now=MONDAY + timedelta(minutes=9))
    return Day(
        made=made,
        seconds=cpu.wall,
        cpu=cpu.spent,
        transactions=len(transactions.seconds),
        longest=transactions.longest,
        form_longest=forms.longest,
        form_p99=percentile(forms.seconds, 0.99),
    )


def _measure(table: Table, crowd: Crowd, engine: str) -> Day:
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as name:
        with open_crowded(Path(name) / "day", crowd, engine=engine) as installation:
            day = match_day(installation)
        more = replace(crowd, readers=crowd.readers // TIMES, subscriptions=crowd.subscriptions // TIMES)
        with open_crowded(Path(name) / "more", more, engine=engine) as installation:
            few = match_day(installation)
            idle = more.subscriptions
            forget_matches(installation)
            add_bystanders(installation, more, more=(TIMES - 1) * idle)
            many = match_day(installation)
    table.add_row(
        f"{engine}: subscriptions, conditions, changes",
        f"{crowd.subscriptions:,}, {crowd.conditions:,}, {crowd.changes:,}",
    )
    table.add_row("Matches made", f"{day.made:,} in {day.seconds:.1f} s ({day.cpu:.1f} s of processor time)")
    table.add_row("transactions, the longest", f"{day.transactions}, {day.longest * 1000:.0f} ms")
    table.add_row(
        "a form posted meanwhile, p99 and longest", f"{day.form_p99 * 1000:.0f}, {day.form_longest * 1000:.0f} ms"
    )
    table.add_row(
        f"{TIMES} times the subscriptions, none of the others matching ({few.made:,} Matches)",
        f"{many.cpu / few.cpu:.2f} times the processor time, {many.seconds / few.seconds:.2f} times the seconds",
    )
    return day
