"""The options of long lists, such as countries: each made once, because hundreds are half the work of a page."""

from collections.abc import Collection, Iterable
from functools import cache

from markupsafe import Markup

Choices = tuple[tuple[str, str], ...]
"""Values and what is read of them, in the order of the list."""


def options(choices: Choices, chosen: Collection[str]) -> Markup:
    """The options in their order, the chosen ones marked."""
    return _joined(marked if value in chosen else plain for value, plain, marked in _made(choices))


def options_with_chosen_first(choices: Choices, chosen: Collection[str]) -> Markup:
    """The chosen options, marked, and then the others."""
    made = _made(choices)
    first = [marked for value, _, marked in made if value in chosen]
    return _joined([*first, *(plain for value, plain, _ in made if value not in chosen)])


def _joined(made: Iterable[Markup]) -> Markup:
    # Each was escaped when it was made.
    return Markup("\n".join(made))  # noqa: S704


@cache
def _made(choices: Choices) -> tuple[tuple[str, Markup, Markup], ...]:
    plain, marked = Markup('<option value="{}">{}</option>'), Markup('<option value="{}" selected>{}</option>')
    return tuple((value, plain.format(value, name), marked.format(value, name)) for value, name in choices)
