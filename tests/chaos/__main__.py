"""The fault suite: ``python -m tests.chaos [--only NAME] [--engine sqlite|postgresql] [--short]`` prints a table."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console
from rich.table import Table

from tests.chaos import (
    rows_broker,
    rows_database,
    rows_disk,
    rows_events,
    rows_keys,
    rows_killing,
    rows_leaving,
    rows_refusing,
    rows_restoring,
    rows_schemas,
    rows_securing,
    rows_smtp,
    rows_time,
    rows_workers,
)
from tests.chaos.lanes import Manner, go_through_all, stop_when_asked
from tests.chaos.rows import Result, Row

ROWS: list[Row] = [
    *rows_workers.ROWS,
    *rows_time.ROWS,
    *rows_killing.ROWS,
    *rows_broker.ROWS,
    *rows_database.ROWS,
    *rows_disk.ROWS,
    *rows_leaving.ROWS,
    *rows_events.ROWS,
    *rows_keys.ROWS,
    *rows_restoring.ROWS,
    *rows_schemas.ROWS,
    *rows_refusing.ROWS,
    *rows_smtp.ROWS,
    *rows_securing.ROWS,
]
_HEAD = ("row", "engine", "due", "kills", "seconds", "NEVER", "UNFLAGGED", "COPIES", "limit", "verdict", "besides")


def main() -> None:
    """Go through the chosen rows; exit code 1 unless each came out at 0 and 0."""
    asked = _arguments()
    stop_when_asked()
    console = Console(width=None if sys.stdout.isatty() else 180)
    chosen = [(row, engine) for row in ROWS for engine in row.engines if _is_chosen(asked, row, engine)]
    keep = Path(mkdtemp(prefix="notifier-chaos-kept-")) if asked.keep else None
    if keep:
        console.print(f"Databases, and what the processes say, are kept in {keep}")
    results, since = [], time.monotonic()
    for result in go_through_all(chosen, Manner(short=asked.short, keep=keep, lanes=asked.lanes)):
        results.append(result)
        console.print(_in_a_line(result), style="dim", soft_wrap=True)
    console.print(f"{(time.monotonic() - since) / 60:.0f} minutes by the clock")
    console.print(as_table(results))
    sys.exit(0 if results and all(one.is_good for one in results) else 1)


def as_table(results: Sequence[Result]) -> Table:
    """The rows with their figures."""
    times: Counter[str] = Counter()
    for one in results:
        times[one.engine] += round(one.seconds)
    took = ", ".join(f"{seconds / 60:.0f} minutes on {engine}" for engine, seconds in times.items())
    table = Table(*_HEAD, title=f"{len(results)} rows, {took}")
    for one in results:
        besides = "; ".join((*one.notes, *one.faults))
        table.add_row(one.name, one.engine, *_counts(one), _verdict(one), besides)
    return table


def _in_a_line(one: Result) -> str:
    said = f"{one.name}, {one.engine}: {_verdict(one)}, {one.seconds:.0f} s"
    return said if one.is_good else "; ".join((said, str(one.figures), *one.notes, *one.faults))


def _counts(one: Result) -> tuple[str, ...]:
    figures = one.figures
    if figures is None:
        return ("", "", f"{one.seconds:.0f}", *[""] * 4)
    counts = (figures.never, figures.unflagged, figures.copies, figures.limit)
    return (f"{figures.due:,}", str(figures.kills), f"{one.seconds:.0f}", *(str(count) for count in counts))


def _verdict(one: Result) -> str:
    if one.is_good:
        return "good"
    left = one.figures.unfinished if one.figures else 0
    return f"BAD: {left} unfinished" if left else "BAD"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME", help="rows whose name contains this")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"))
    parser.add_argument("--lanes", type=int, default=2, metavar="N", help="rows gone through at a time")
    parser.add_argument("--short", action="store_true", help="fewer readers, fewer kills, shorter pauses")
    parser.add_argument("--keep", action="store_true", help="keep the databases and what the processes said")
    return parser.parse_args()


def _is_chosen(asked: argparse.Namespace, row: Row, engine: str) -> bool:
    return asked.only in row.name and asked.engine in (None, engine)


if __name__ == "__main__":
    main()
