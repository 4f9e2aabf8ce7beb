"""The fault suite: ``python -m tests.chaos [--only NAME] [--engine sqlite|postgresql] [--short]`` prints a table."""

import argparse
import sys
from collections.abc import Sequence

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
from tests.chaos.rows import Result, Row, go_through
from tests.chaos.stage import grounds

ROWS: list[Row] = [
    *rows_killing.ROWS,
    *rows_workers.ROWS,
    *rows_broker.ROWS,
    *rows_database.ROWS,
    *rows_disk.ROWS,
    *rows_leaving.ROWS,
    *rows_time.ROWS,
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
    console = Console(width=None if sys.stdout.isatty() else 180)
    chosen = [(row, engine) for row in ROWS for engine in row.engines if _is_chosen(asked, row, engine)]
    results = []
    with grounds(keep=asked.keep) as shared:
        if asked.keep:
            console.print(f"What the processes say is kept in {shared.folder}")
        for row, engine in chosen:
            result = go_through(row, shared, engine=engine, short=asked.short)
            results.append(result)
            console.print(_in_a_line(result), style="dim", soft_wrap=True)
    console.print(as_table(results))
    sys.exit(0 if results and all(one.is_good for one in results) else 1)


def as_table(results: Sequence[Result]) -> Table:
    """The rows with their figures."""
    seconds = sum(one.seconds for one in results)
    table = Table(*_HEAD, title=f"{len(results)} rows in {seconds / 60:.0f} minutes")
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
    parser.add_argument("--short", action="store_true", help="fewer readers, fewer kills, shorter pauses")
    parser.add_argument("--keep", action="store_true", help="keep the databases and what the processes said")
    return parser.parse_args()


def _is_chosen(asked: argparse.Namespace, row: Row, engine: str) -> bool:
    return asked.only in row.name and asked.engine in (None, engine)


if __name__ == "__main__":
    main()
