"""What every endpoint works with: the installation, the clock and, in the embedded default, the mailbox."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from notifier.emails.mailbox import Mailbox
from notifier.installation import Installation
from notifier.web.form_tokens import FormTokens
from notifier.web.limiting import Limits
from notifier.web.proof_of_work import Proofs


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Made once by ``create_app``."""

    installation: Installation
    mailbox: Mailbox | None
    now: Callable[[], datetime]
    limits: Limits
    form_tokens: FormTokens
    proofs: Proofs


def surround(installation: Installation, *, mailbox: Mailbox | None, now: Callable[[], datetime]) -> Surroundings:
    """What the endpoints of one application work with."""
    settings = installation.settings
    return Surroundings(
        installation=installation,
        mailbox=mailbox,
        now=now,
        limits=Limits(url=settings.counts_in, secret=settings.secrets[0]),
        form_tokens=FormTokens(secrets=settings.secrets),
        proofs=Proofs(secrets=settings.secrets),
    )


def read_clock() -> datetime:
    """The moment, aware, in UTC."""
    return datetime.now(UTC)


async def _surroundings(request: Request) -> Surroundings:
    found = request.app.state.surroundings
    assert isinstance(found, Surroundings)
    return found


Here = Annotated[Surroundings, Depends(_surroundings)]
"""What an endpoint asks for."""
