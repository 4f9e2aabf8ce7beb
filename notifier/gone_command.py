"""``notifier gone``: the operator says that the registry shows a study no longer, or under another number."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from notifier import embedded
from notifier.answering import AsJson
from notifier.retiring import Retired, retire_study


def gone(
    number: Annotated[str, typer.Argument(help="The study, such as NCT01234567.")],
    merged_into: Annotated[str | None, typer.Option(help="The number under which it goes on.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say that the registry shows a study no longer; its readers are told once. A later record brings it back."""
    now = datetime.now(UTC)
    with embedded.opened(now=now) as installation:
        retired = retire_study(database=installation.database, number=number, merged_into=merged_into, now=now)
    if as_json:
        answer = {"nct_id": retired.number, "listing": retired.listing, "merged_into": retired.merged_into}
        typer.echo(json.dumps({**answer, "changed": retired.changed}))
    else:
        typer.echo(_said(retired))


def _said(retired: Retired) -> str:
    if not retired.changed:
        return f"Nothing to do: {retired.number} {_state(retired)} already."
    return f"{retired.number} {_state(retired)} now. Its readers will be told once."


def _state(retired: Retired) -> str:
    return f"is listed under {retired.merged_into}" if retired.merged_into else "counts as gone"
