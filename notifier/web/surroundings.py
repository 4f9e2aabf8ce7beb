"""What every endpoint works with: the installation, the clock and, in the embedded default, the mailbox."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from notifier.emails.mailbox import Mailbox
from notifier.installation import Installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Made once by ``create_app``."""

    installation: Installation
    mailbox: Mailbox | None
    now: Callable[[], datetime]


def read_clock() -> datetime:
    """The moment, aware, in UTC."""
    return datetime.now(UTC)


async def _surroundings(request: Request) -> Surroundings:
    found = request.app.state.surroundings
    assert isinstance(found, Surroundings)
    return found


Here = Annotated[Surroundings, Depends(_surroundings)]
"""What an endpoint asks for."""
