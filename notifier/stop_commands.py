"""``notifier pause`` and ``resume``: all sending stops at once, and goes on."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from notifier import embedded, queues
from notifier.stopping import Stop, list_stops
from notifier.stopping import pause as stop_sending
from notifier.stopping import resume as go_on

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


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
    began = "All sending is paused." if changed else "All sending was paused already."
    typer.echo(
        f"{began} No mail goes out, confirmations and other letters included, but those in a worker's hands: "
        "at most 32 each. News is still found and waits. To go on: notifier resume"
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
    typer.echo("Mails go out again, what waited first." if changed else "Nothing was paused.")


def as_dict(stop: Stop) -> dict[str, str | None]:
    """A stop as JSON says it."""
    return {"since": stop.since.isoformat(), "why": stop.why, "note": stop.note}
