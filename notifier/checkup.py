"""Checks configuration, database, broker and mail server, and says what to do about each."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier import queues
from notifier.config import Settings
from notifier.domain.breaking import HELD
from notifier.errors import NotifierError, StoreUnavailable
from notifier.holding import list_held
from notifier.installation import Installation, open_installation
from notifier.web.probes import OK, look

ADVICE = {
    "database": "Is NOTIFIER_DATABASE_URL right, and was `notifier migrate` run?",
    "broker": "Is NOTIFIER_BROKER_URL right, and does the broker run? Mail waits for the sweep until it does.",
    "mail_server": "Is NOTIFIER_SMTP_URL right, and does the mail server run? Mail waits until it does.",
}


DECIDED_WITHIN = timedelta(days=1)


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
        waiting = _held(installation, now=now)
    finally:
        installation.close()
    opened = Finding("installation", True, "the keys are those of this database")
    return [opened, *(_finding(part, state) for part, state in found.items()), *waiting]


def _held(installation: Installation, *, now: datetime) -> list[Finding]:
    """What has waited for the operator for long; nothing is wrong then, but readers wait too."""
    try:
        tripped = [one.breaker.tripped_at for one in list_held(installation.database) if one.breaker.state == HELD]
    except StoreUnavailable:
        return []
    if not tripped or now - min(tripped) < DECIDED_WITHIN:
        return []
    days = (now - min(tripped)).days
    return [
        Finding("held", True, f"{len(tripped)} wait for your decision, the oldest for {days} days: notifier held list")
    ]


def _finding(part: str, state: str) -> Finding:
    if state == OK:
        return Finding(part, True, state)
    return Finding(part, False, f"{state.rstrip('.')}. {ADVICE.get(part, '')}".strip())
