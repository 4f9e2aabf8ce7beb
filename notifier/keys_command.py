"""``notifier keys``: keys for programs that use the API."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from notifier import embedded
from notifier.answering import AsJson
from notifier.domain.scopes import MEANINGS, in_order, read_scopes
from notifier.keying import KeyView, list_keys, make_key, revoke_key

keys = typer.Typer(no_args_is_help=True, help="Keys for programs that use the API.")

Name = Annotated[str, typer.Argument(help="What the key is for, such as our-website; never a person.")]
_SCOPES = "; ".join(f"{name} ({meaning})" for name, meaning in MEANINGS.items())


@keys.command("make")
def make(
    name: Name,
    scopes: Annotated[list[str], typer.Option(help=f"What it may do, with commas between: {_SCOPES}.")],
    expires: Annotated[int | None, typer.Option(metavar="DAYS", help="Ends after so many days.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it on standard output, this once; only a hash of it is kept."""
    chosen, now = read_scopes(scopes), datetime.now(UTC)
    with embedded.opened(now=now) as here:
        key = make_key(here.database, name=name, scopes=chosen, days=expires, now=now)
    typer.echo("Keep this key now: nobody can show it again.", err=True)
    typer.echo(json.dumps({"name": name, "key": key, "scopes": in_order(chosen)}) if as_json else key)


@keys.command("list")
def list_all(as_json: AsJson = False) -> None:
    """All keys that were made: how each begins, what it may do, and when it was last used."""
    now = datetime.now(UTC)
    with embedded.opened(now=now) as here:
        found = list_keys(here.database, now=now)
    if as_json:
        typer.echo(json.dumps({"keys": [_as_dict(one) for one in found]}))
        return
    for one in found:
        typer.echo(_said(one))
    if not found:
        typer.echo("No keys were made. The key of the settings, NOTIFIER_API_KEY, may do everything.")


@keys.command("revoke")
def revoke(name: Name, as_json: AsJson = False) -> None:
    """End a key at once, for good; doing it again is fine."""
    now = datetime.now(UTC)
    with embedded.opened(now=now) as here:
        changed = revoke_key(here.database, name=name, now=now)
    if as_json:
        typer.echo(json.dumps({"name": name, "revoked": changed}))
    else:
        typer.echo(f"The key {name} {'is revoked now' if changed else 'was revoked before'}.")


def _said(one: KeyView) -> str:
    until = f" until {one.expires_at:%Y-%m-%d}" if one.expires_at else ""
    used = f"last used {one.used_on}" if one.used_on else "not used yet"
    return f"{one.name}  {one.hint}…  {one.state}{until}  {used}\n    {', '.join(one.scopes)}"


def _as_dict(one: KeyView) -> dict[str, object]:
    return {
        "name": one.name,
        "begins": one.hint,
        "scopes": one.scopes,
        "state": one.state,
        "created": one.created_at.isoformat(),
        "expires": one.expires_at.isoformat() if one.expires_at else None,
        "used_on": one.used_on,
    }
