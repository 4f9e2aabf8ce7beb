"""``notifier conditions``: looks for a condition by name, and imports vocabularies of conditions."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from notifier import embedded
from notifier.answering import AsJson, err, print_counts
from notifier.importing import Chosen, import_vocabulary, tie_anew
from notifier.registries.vocabulary_files import FORMATS
from notifier.store import suggestion_store, text_conditions

conditions = typer.Typer(no_args_is_help=True, help="The conditions that studies held here are about.")


@conditions.command("search")
def search_conditions(text: str, as_json: AsJson = False) -> None:
    """Conditions that may be meant, the likeliest first, and in which studies the words themselves stand."""
    with embedded.opened(now=datetime.now(UTC)) as here, here.database.reading() as session:
        found = suggestion_store.suggest_conditions(session, text)
        said = text_conditions.preview_text(session, text)
    if as_json:
        typer.echo(json.dumps({"conditions": [_as_dict(one) for one in found], "words": asdict(said)}))
        return
    if not found:
        err.print("No condition comes near. Studies and imported vocabularies bring their names.")
    for one in found:
        typer.echo(f"{one.studies:>10,}  {f'{one.matched}: ' if one.matched else ''}{one.name}")
    typer.echo(f"{said.studies:>10,}  studies say these words, and would be matched if they were followed as text")
    for example in said.examples:
        typer.echo(f"{example.number:>13}  {example.title}")


def _as_dict(one: suggestion_store.Suggestion) -> dict[str, str | int | None]:
    """As the API gives it."""
    kind = "concept" if one.is_concept else "listed"
    return {"name": one.name, "matched": one.matched, "mesh_id": one.mesh_id, "studies": one.studies, "kind": kind}


@conditions.command("import")
def import_conditions(
    file: Annotated[
        Path, typer.Argument(help="MeSH as XML or ASCII, OBO such as MONDO, or a table; .gz and .zip too.")
    ],
    format_name: Annotated[str | None, typer.Option("--format", help=f"{', '.join(FORMATS)}; the file tells.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the vocabulary, such as mesh; most files tell.")] = None,
    trees: Annotated[
        str | None, typer.Option(help="Parts of MeSH's tree, such as C,F03; diseases if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn names of conditions and which are broader; what the same vocabulary said before goes. Mails nobody."""
    chosen = Chosen(format=format_name, name=name, trees=trees.replace(" ", "").split(",") if trees else None)
    with embedded.opened(now=datetime.now(UTC)) as here, _progress() as (read, tied):
        database = here.database
        report = import_vocabulary(database=database, path=file, chosen=chosen, now=datetime.now(UTC), on_progress=read)
        studies = tie_anew(database=database, now=datetime.now(UTC), on_progress=tied)
    if as_json:
        typer.echo(json.dumps(report.as_dict() | {"studies": studies}))
        return
    err.print(f"{report.vocabulary} is imported. It widens what later changes match; nobody is mailed for it.")
    counts = {said: count for said, count in report.as_dict().items() if isinstance(count, int)}
    print_counts(counts | {"studies looked at": studies})


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int], None], Callable[[int, int], None]]]:
    """Bars on standard error where somebody watches them: what to call with how many terms, and studies, are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}{task.fields[of]}"))
    with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
        terms, studies = (bars.add_task(said, total=None, of="") for said in ("terms read", "studies tied"))
        yield partial(_show, bars, terms), partial(_show, bars, studies)


def _show(bars: Progress, task: TaskID, done: int, total: int | None = None) -> None:
    bars.update(task, completed=done, total=total, of="" if total is None else f" of {total:,}")
