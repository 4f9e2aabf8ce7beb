"""``notifier held``: what the breaker keeps back, and the operator's decision on it."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from notifier import embedded
from notifier.answering import AsJson
from notifier.domain.breaking import HELD, Parts
from notifier.domain.vocabulary import DEFAULT_LANGUAGE, language_of
from notifier.holding import drop, list_held, release
from notifier.store.held_store import HeldNews

held = typer.Typer(no_args_is_help=True, help="One same change in many studies, kept back until you decide.")

Ids = Annotated[list[int], typer.Argument(help="Numbers that notifier held list shows.")]


@held.command("list")
def list_all(
    decided: Annotated[bool, typer.Option("--all", help="Also what was released or dropped.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is kept back, in how many studies it came, and how many readers wait for it."""
    with embedded.opened(now=datetime.now(UTC)) as here:
        found = [one for one in list_held(here.database) if decided or one.breaker.state == HELD]
    if as_json:
        typer.echo(json.dumps({"held": [_as_dict(one) for one in found]}))
        return
    for one in found:
        typer.echo(_said(one))
    if not found:
        typer.echo("Nothing is held.")


@held.command("release")
def release_some(ids: Ids, as_json: AsJson = False) -> None:
    """Let changes through: who waits for them is told with their next digest."""
    with embedded.opened(now=datetime.now(UTC)) as here:
        release(here.database, ids, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps({"released": sorted(set(ids))}))
    else:
        typer.echo(f"Released {_listed(ids)}. Who waits for it is told with their next digest.")


@held.command("drop")
def drop_some(ids: Ids, as_json: AsJson = False) -> None:
    """Tell nobody of changes, now or later."""
    with embedded.opened(now=datetime.now(UTC)) as here:
        ended = drop(here.database, ids, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps({"dropped": sorted(set(ids)), "matches": ended}))
    else:
        typer.echo(f"Dropped {_listed(ids)}. Nobody is told of it; {ended:,} matches ended.")


def _said(one: HeldNews) -> str:
    breaker = one.breaker
    label = language_of(DEFAULT_LANGUAGE).label(breaker.rename.field)
    what = f"{label}: {_text(breaker.rename.went)} → {_text(breaker.rename.came)}"
    since = f"since {breaker.tripped_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"{breaker.id:>4}  {what}\n      {breaker.state} {since} · studies: {one.studies:,} · readers: {one.readers:,}"
    )


def _as_dict(one: HeldNews) -> dict[str, object]:
    breaker = one.breaker
    return {
        "id": breaker.id,
        "field": breaker.rename.field,
        "before": _text(breaker.rename.went),
        "after": _text(breaker.rename.came),
        "studies": one.studies,
        "readers": one.readers,
        "since": breaker.tripped_at.isoformat(),
        "state": breaker.state,
        "decided": breaker.decided_at.isoformat() if breaker.decided_at else None,
    }


def _text(parts: Parts) -> str:
    return "; ".join(text for _name, text in sorted(parts))


def _listed(ids: list[int]) -> str:
    return ", ".join(map(str, sorted(set(ids))))
