"""``notifier export``, ``forget`` and ``audit``: what is held of a person, given out, erased, and what was done."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from notifier import embedded
from notifier.answering import AsJson
from notifier.forgetting import collect_address, forget_address, is_anything_held
from notifier.store import audit_store
from notifier.store.addresses import read_address
from notifier.store.forget_store import Erased

NOTHING = "Nothing is held of this address."

Email = Annotated[str, typer.Argument(help="Whose mailbox it is.")]


def export(
    email: Email,
    _as_json: Annotated[bool, typer.Option("--json", help="What it does in any case: print one JSON object.")] = True,
) -> None:
    """Print everything that is held of a person as JSON, to be given to them; hand it to nobody else."""
    now, address = datetime.now(UTC), read_address(email)
    with embedded.opened(now=now) as here, here.database.writing() as session:
        found = collect_address(session, address, keys=here.keys, now=now)
    if found is None:
        typer.echo(NOTHING, err=True)
    typer.echo(json.dumps({"held": found is not None, **(found or {})}, indent=2, ensure_ascii=False))


def forget(
    email: Email,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase everything that is held of a person, at once and for good; only a ban on mail to them stays."""
    now, address = datetime.now(UTC), read_address(email)
    with embedded.opened(now=now) as here:
        with here.database.reading() as session:
            held = is_anything_held(session, address, keys=here.keys)
        if held and not yes:
            typer.confirm("Erase everything that is held of this address? It cannot be undone.", abort=True, err=True)
        erased = Erased()
        if held:
            with here.database.writing() as session:
                erased = forget_address(session, address, keys=here.keys, by="operator", now=now)
    typer.echo(json.dumps(asdict(erased)) if as_json else _said(erased))


def audit(
    limit: Annotated[int, typer.Option(min=1, help="How many entries, the newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """What was done with personal data, when, and by whom in kind; no entry names anybody."""
    with embedded.opened(now=datetime.now(UTC)) as here, here.database.reading() as session:
        rows = audit_store.list_newest(session, limit=limit)
    if as_json:
        entries = [{"at": row.done_at.isoformat(), "what": row.what, "by": row.by, "count": row.count} for row in rows]
        typer.echo(json.dumps({"entries": entries}))
        return
    for row in rows:
        typer.echo(f"{row.done_at:%Y-%m-%d %H:%M} UTC  {row.what:<14} by {row.by:<10} {row.count:>8,}")
    if not rows:
        typer.echo("Nothing was done with personal data yet.")


def _said(erased: Erased) -> str:
    if erased == Erased():
        return NOTHING
    counts = [f"{name} {number:,}" for name, number in asdict(erased).items() if number]
    return f"Erased: {', '.join(counts)}. No mail goes to this address any more."
