"""How commands answer: in words or, where asked to, as one JSON object; and where they say what is no answer."""

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]

err = Console(stderr=True, highlight=False, soft_wrap=True)
"""For people who watch; what a program reads goes to standard output."""


def print_counts(counts: Mapping[str, int]) -> None:
    """A line for each, numbers below each other."""
    for name, count in counts.items():
        typer.echo(f"{count:>10,}  {name.replace('_', ' ')}")
