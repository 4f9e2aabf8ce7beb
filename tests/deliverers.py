"""Deliverers of small mails that need no keys: a test says only what is special about its own."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from notifier.config import MailServer
from notifier.delivering import Deliverer, Limits, Traffic
from notifier.emails.pipelining import Timeouts
from notifier.sending_terms import Composer
from notifier.store.database import Database
from tests.delivery_rows import compose_simply

PATIENT = Timeouts(connect=60, command=60, data=60, message=60)
"""With these, what hangs hangs for longer than a test lasts."""


def make_deliverer(
    database: Database,
    server: MailServer,
    *,
    composer: Composer = compose_simply,
    traffic: Traffic | None = None,
    **limits: Any,
) -> Deliverer:
    """One with the usual limits but for those named, as `Limits` names them; whoever makes it closes it."""
    return Deliverer(
        database=database,
        mail_server=server,
        sender="updates@example.org",
        composer=composer,
        traffic=traffic,
        limits=Limits(**{"timeouts": PATIENT, **limits}),
    )


@contextmanager
def delivering(database: Database, server: MailServer, **special: Any) -> Iterator[Deliverer]:
    """One made as `make_deliverer` does, and closed at the end."""
    with closing(make_deliverer(database, server, **special)) as deliverer:
        yield deliverer
