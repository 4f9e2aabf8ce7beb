"""Checks configuration, database, broker and mail server, and says what to do about each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier import queues
from notifier.config import Settings
from notifier.domain.blame import UNREACHABLE, what_to_check
from notifier.domain.breaking import HELD
from notifier.domain.retention import DEPARTED
from notifier.emails.introducing import try_out
from notifier.errors import NotifierError, StoreUnavailable
from notifier.holding import list_held
from notifier.installation import Installation, open_installation
from notifier.matching import list_broken
from notifier.stopping import list_stops, said
from notifier.store import audit_store, status_store
from notifier.store.database import Database
from notifier.store.departure_log import NOT_LOGGED
from notifier.web.limiting import is_counting_together
from notifier.web.probes import OK, look

ADVICE = {
    "database": "Is NOTIFIER_DATABASE_URL right, does it run, is there room to write, and was `notifier migrate` run?",
    "broker": "Is NOTIFIER_BROKER_URL right, and does the broker run? Mail waits for the sweep until it does.",
    "mail_server": "Is NOTIFIER_SMTP_URL right, and does the mail server run? Mail waits until it does.",
    "limits": "Does it run? Without the setting it is the broker's. Until then each process counts for itself.",
}


DECIDED_WITHIN = timedelta(days=1)
TRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the service: whether it is as it should be, and what to do if not."""

    part: str
    ok: bool
    message: str


def check_up(settings: Settings, *, now: datetime) -> list[Finding]:
    """Look at every part; a database or an installation that cannot be opened is the only finding."""
    try:
        installation = open_installation(settings, now=now)
    except StoreUnavailable as error:
        return [_finding("database", str(error))]
    except NotifierError as error:
        return [Finding("installation", False, str(error))]
    queues.configure(installation.settings)
    try:
        found = [_finding(part, state) for part, state in look(installation).items()]
        waiting = [*_limits(installation.settings), *_held(installation, now=now), *_stops(installation)]
        waiting += _faults(installation)
        waiting += _unplanned(installation, now=now)
        waiting += _unmatched(installation)
        waiting += _departures(installation, now=now)
    finally:
        installation.close()
    opened = Finding("installation", True, "the keys are those of this database")
    return [opened, *(_tried(one, installation.settings) for one in found), *waiting]


def by_part(findings: Iterable[Finding]) -> dict[str, dict[str, bool | str]]:
    """The findings as JSON says them: where there are several of one part, all of what they say."""
    parts: dict[str, list[Finding]] = {}
    for one in findings:
        parts.setdefault(one.part, []).append(one)
    return {
        part: {"ok": all(one.ok for one in found), "message": " ".join(one.message for one in found)}
        for part, found in parts.items()
    }


def _tried(finding: Finding, settings: Settings) -> Finding:
    """A mail server that answers may still refuse us; that should not show with the first reader's mail."""
    if finding.part != "mail_server" or not finding.ok:
        return finding
    verdict = try_out(settings.mail_server, sender=settings.envelope_from, seconds=TRY_SECONDS)
    if verdict is None:
        return finding
    reason = verdict.reason or UNREACHABLE
    what = what_to_check(reason) or ADVICE[finding.part]
    return Finding(finding.part, False, _trouble(reason, reply=verdict.reply, what=what))


def _trouble(reason: str, *, reply: str | None, what: str) -> str:
    said = f"It said: {reply.rstrip('.')}. " if reply else ""
    return f"{reason}. {said}{what}"


def _limits(settings: Settings) -> list[Finding]:
    """Whether floods are kept out as they should be."""
    found = []
    if "*" in settings.trusted_proxies:
        says = "NOTIFIER_TRUSTED_PROXIES is *, so everybody says who they are and no limit holds. Name your proxies."
        found.append(Finding("visitors", False, says))
    where = settings.counts_in
    if not where.startswith("memory://"):
        state = OK if is_counting_together(where) else "the Redis of NOTIFIER_LIMITS_URL does not answer"
        found.append(_finding("limits", state))
    elif not settings.is_embedded:
        says = "each web process counts for itself. If there are several, set NOTIFIER_LIMITS_URL to a Redis."
        found.append(Finding("limits", True, says))
    return found


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


def _stops(installation: Installation) -> list[Finding]:
    """That no mail goes out, which nobody should forget."""
    try:
        return [Finding("sending", False, said(one)) for one in list_stops(installation.database)]
    except StoreUnavailable:
        return []


def list_faults(database: Database) -> list[str]:
    """Why mails wait that nothing but our own side keeps here, and what to check, most mails first.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    with database.reading() as session:
        reasons = status_store.list_reasons(session)
    return [
        f"Mails kept here: {one.mails:,}, as {_trouble(one.reason, reply=one.reply, what=what)}"
        for one in reasons
        if (what := what_to_check(one.reason, mails=one.mails, others_went=one.others_went))
    ]


def _faults(installation: Installation) -> list[Finding]:
    try:
        return [Finding("mails", False, fault) for fault in list_faults(installation.database)]
    except StoreUnavailable:
        return []


def list_unplanned(database: Database, *, now: datetime) -> list[str]:
    """That changes are not matched, or digests not planned although their hour has come, and what to check.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    with database.reading() as session:
        since = status_store.overdue_since(session, now=now)
    if since is None:
        return []
    return [
        f"Work that was due at {since:%Y-%m-%d %H:%M} UTC is not done yet. Do notifier beat, notifier worker and the "
        "broker run (with SQLite: notifier up)? It is done, and readers hear of it, once these do."
    ]


def _unplanned(installation: Installation, *, now: datetime) -> list[Finding]:
    try:
        return [Finding("schedule", False, says) for says in list_unplanned(installation.database, now=now)]
    except StoreUnavailable:
        return []


def _unmatched(installation: Installation) -> list[Finding]:
    try:
        return [Finding("matching", False, says) for says in list_broken(installation.database)]
    except StoreUnavailable:
        return []


def _departures(installation: Installation, *, now: datetime) -> list[Finding]:
    """Whether a backup could be put back without bringing back who left."""
    if installation.departures is None:
        says = (
            "NOTIFIER_DEPARTURES_LOG names no folder, so a backup put back would bring back everybody who left since."
        )
        return [Finding("departures", False, says)]
    wrong = installation.departures.check()
    if wrong is not None:
        says = f"the log of who left cannot be written ({wrong}). Is NOTIFIER_DEPARTURES_LOG right, is there room?"
        return [Finding("departures", False, says)]
    try:
        with installation.database.reading() as session:
            missing, last = audit_store.count(session, what=NOT_LOGGED, since=now - DEPARTED)
    except StoreUnavailable:
        return []
    if last is None:
        return [Finding("departures", True, OK)]
    says = (
        f"{missing:,} who left could not be written to their log, last on {last:%Y-%m-%d %H:%M} UTC. "
        "Take a backup now, and put no older one back."
    )
    return [Finding("departures", True, says)]


def _finding(part: str, state: str) -> Finding:
    if state == OK:
        return Finding(part, True, state)
    return Finding(part, False, f"{state.rstrip('.')}. {ADVICE.get(part, '')}".strip())
