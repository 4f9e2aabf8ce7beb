"""``notifier subscribers``: an operator brings a list of readers, with evidence that they agreed."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from notifier import embedded
from notifier.answering import AsJson, err, print_counts
from notifier.domain.enrol_reports import EnrolReport
from notifier.domain.subscriber_lists import LONGEST_TEXT, template
from notifier.enrolling import Terms, bring_list, check_list
from notifier.errors import InvalidList

subscribers = typer.Typer(no_args_is_help=True, help="Readers whom you bring in a list.")

SHOWN = 50
"""Bad rows told on the screen; --json has more."""
_SAID = {
    "rows": "rows",
    "readers": "readers in good rows",
    "new_readers": "of them not known yet",
    "subscriptions": "subscriptions that are new",
    "already": "followed already, left as they are",
    "duplicates": "in the list twice",
    "suppressed": "to addresses that must not be mailed",
    "left_before": "ended by the reader, who did not agree again since",
    "no_health_consent": "without consent to keeping what tells something about health",
    "bad_rows": "bad rows",
}


@subscribers.command("import")
def import_subscribers(
    file: Annotated[Path, typer.Argument(help="The list, as CSV in UTF-8.", exists=True, dir_okay=False)],
    apply: Annotated[bool, typer.Option("--apply", help="Write it. Without this, only say what it comes to.")] = False,
    consent_text: Annotated[
        Path | None,
        typer.Option(help="File with the words all agreed to, where the list has none.", exists=True, dir_okay=False),
    ] = None,
    site: Annotated[str, typer.Option(help="Where consent was given, where the list does not say it.")] = "",
    accept_unknown: Annotated[
        bool, typer.Option("--accept-unknown", help="Follow words that no condition bears, as text.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a list of readers; only says what it comes to, unless you add --apply. Nobody is mailed for it.

    Exit code 1 if a row is bad, 2 if the list cannot be used at all.
    """
    now = datetime.now(UTC)
    text = _read_text(consent_text)
    bring = bring_list if apply else check_list
    with embedded.opened(now=now) as here, _progress(file) as show:
        terms = Terms(text=text, site=site, accept_unknown=accept_unknown, read=here.read_address)
        report = bring(database=here.database, keys=here.keys, path=file, terms=terms, now=now, on_progress=show)
    if as_json:
        typer.echo(json.dumps({"applied": apply} | report.as_dict()))
    else:
        _tell(report, applied=apply)
    if report.bad_rows:
        raise typer.Exit(1)


@subscribers.command("template")
def print_template() -> None:
    """A list to begin with, on standard output: the columns, and two readers who are made up."""
    typer.echo(template(), nl=False)


def _read_text(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeError):
        raise InvalidList("The file with the words they agreed to cannot be read. Save it as text in UTF-8.") from None
    if not 0 < len(text) <= LONGEST_TEXT or "\0" in text:
        raise InvalidList(f"The words they agreed to must be 1 to {LONGEST_TEXT:,} signs of text.")
    return text


def _tell(report: EnrolReport, *, applied: bool) -> None:
    for one in report.problems[:SHOWN]:
        err.print(f"line {one.line}{f', {one.column}' if one.column else ''}: {one.reason}", markup=False)
    if report.bad_rows > SHOWN:
        err.print(f"… and {report.bad_rows - SHOWN:,} bad rows more; --json names up to a thousand.")
    for name, found in report.unknown_conditions.items():
        perhaps = f" Perhaps: {'; '.join(found.suggestions)}." if found.suggestions else ""
        err.print(f"unknown condition in {found.rows:,} rows: {name}.{perhaps}", markup=False)
    if report.columns_left_out:
        err.print(f"Columns that are not read: {', '.join(report.columns_left_out)}", markup=False)
    print_counts({said: getattr(report, column) for column, said in _SAID.items()})
    err.print("Written. Nobody is mailed for it." if applied else "Nothing was written. To write it, add --apply.")


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where somebody watches it; gives what to call with the bytes read so far."""
    columns = (TextColumn("read"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("read", total=file.stat().st_size)
        yield lambda done: bar.update(task, completed=done)
