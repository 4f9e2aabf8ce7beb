"""Records for ``notifier ingest``: from files, folders and standard input, with a progress bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from notifier.ingesting import IngestReport
from notifier.registries.record_files import BadRecord, FoundRecord, count_records, iter_records, iter_stream

STANDARD_INPUT = "-"


def records_of(paths: list[str]) -> Iterator[FoundRecord | BadRecord]:
    """The records of all paths, in their order; ``-`` is standard input."""
    return chain.from_iterable(
        iter_stream(sys.stdin.buffer) if path == STANDARD_INPUT else iter_records(Path(path)) for path in paths
    )


@contextmanager
def show_progress(console: Console, paths: list[str]) -> Iterator[Callable[[IngestReport], None]]:
    """A bar on standard error where somebody watches it; gives what to call with each report."""
    counts = [None if path == STANDARD_INPUT else count_records(Path(path)) for path in paths]
    known = [count for count in counts if count is not None]
    total = sum(known) if len(known) == len(counts) else None
    columns = (
        TextColumn("records"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("records", total=total, note="")

        def show(report: IngestReport) -> None:
            counted = report.as_dict()
            note = ", ".join(f"{counted[name]} {name}" for name in ("new", "changed", "rejected") if counted[name])
            bar.update(task, completed=counted["read"], note=note)

        yield show
