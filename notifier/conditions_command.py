"""``notifier conditions``: looks for a condition by name, and imports vocabularies of conditions."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from notifier import embedded
from notifier.config import load_settings
from notifier.installation import open_installation
from notifier.store import suggestion_store
from notifier.store.database import Database

conditions = typer.Typer(no_args_is_help=True, help="The conditions that studies held here are about.")
err = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


@conditions.command("search")
def search_conditions(text: str, as_json: AsJson = False) -> None:
    """Conditions that studies held here are about, whose names come near."""
    with _opened() as database, database.reading() as session:
        found = {one.name: one.studies for one in suggestion_store.suggest_conditions(session, text)}
    if not found:
        err.print("Nothing near. Studies name conditions as they are ingested.")
    _answer(found, as_json=as_json)


def _answer(counts: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(counts))
        return
    for name, count in counts.items():
        typer.echo(f"{count:>10,}  {name}")


@contextmanager
def _opened() -> Iterator[Database]:
    installation = open_installation(embedded.with_remembered_ports(load_settings()), now=datetime.now(UTC))
    try:
        yield installation.database
    finally:
        installation.close()
