"""Checks configuration, database, broker and mail server, and says what to do about each."""

from dataclasses import dataclass
from datetime import datetime

from notifier import queues
from notifier.config import Settings
from notifier.errors import NotifierError
from notifier.installation import open_installation
from notifier.web.probes import OK, look

ADVICE = {
    "database": "Is NOTIFIER_DATABASE_URL right, and was `notifier migrate` run?",
    "broker": "Is NOTIFIER_BROKER_URL right, and does the broker run? Mail waits for the sweep until it does.",
    "mail_server": "Is NOTIFIER_SMTP_URL right, and does the mail server run? Mail waits until it does.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the service: whether it is as it should be, and what to do if not."""

    part: str
    ok: bool
    message: str


def check_up(settings: Settings, *, now: datetime) -> list[Finding]:
    """Look at every part; an installation that cannot be opened is the only finding."""
    try:
        installation = open_installation(settings, now=now)
    except NotifierError as error:
        return [Finding("installation", False, str(error))]
    queues.configure(installation.settings)
    try:
        found = look(installation)
    finally:
        installation.close()
    opened = Finding("installation", True, "the keys are those of this database")
    return [opened, *(_finding(part, state) for part, state in found.items())]


def _finding(part: str, state: str) -> Finding:
    if state == OK:
        return Finding(part, True, state)
    return Finding(part, False, f"{state.rstrip('.')}. {ADVICE.get(part, '')}".strip())
