"""``notifier pause`` and ``resume``: all sending stops at once, and goes on."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from notifier import embedded, queues
from notifier.answering import AsJson
from notifier.stopping import Stop, list_stops, said
from notifier.stopping import pause as stop_sending
from notifier.stopping import resume as go_on


def pause(
    note: Annotated[str | None, typer.Option(help="Why, for whoever looks next; name nobody.")] = None,
    as_json: AsJson = False,
) -> None:
    """Stop all sending at once, confirmations too; what is due waits. Twice is fine."""
    now = datetime.now(UTC)
    with embedded.opened(now=now) as here:
        changed = stop_sending(here.database, note=note, now=now)
        stops = list_stops(here.database)
    if as_json:
        typer.echo(json.dumps({"paused": True, "changed": changed, "stops": [as_dict(one) for one in stops]}))
        return
    if not changed:
        kept = " Its note stays as it was." if note else ""
        typer.echo(f"It was paused already.{kept}")
        for one in stops:
            typer.echo(said(one))
        return
    typer.echo(
        "All sending is paused. No mail goes out, confirmations and other letters included, but those in a worker's "
        "hands: at most 32 each. News is still found and waits. To go on: notifier resume"
    )


def resume(as_json: AsJson = False) -> None:
    """Let mails go out again, what waited first. Twice is fine."""
    now = datetime.now(UTC)
    with embedded.opened(now=now) as here:
        changed = go_on(here.database, now=now)
        queues.configure(here.settings)
        if changed and not here.settings.is_embedded:
            queues.ring(queues.SEND_DELIVERIES)
    if as_json:
        typer.echo(json.dumps({"paused": False, "changed": changed}))
        return
    going = "Mails go out again, what waited first."
    typer.echo(going if changed else "Nothing was paused. If mails do not go out, this says why: notifier doctor")


def as_dict(stop: Stop) -> dict[str, str | int | None]:
    """A stop as JSON says it."""
    return {"since": stop.since.isoformat(), "why": stop.why, "note": stop.note, "undecided": stop.undecided}
