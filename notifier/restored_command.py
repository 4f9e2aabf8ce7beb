"""``notifier restored``: what is to be done after a backup of the database was put back."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from notifier import embedded
from notifier.answering import AsJson
from notifier.domain.moments import read_moment
from notifier.errors import ConfigurationError
from notifier.installation import Installation
from notifier.matching import settle_changes
from notifier.restoring import Decided, Log, Restored, leave_alone, look_over, read_log, restore, send_again
from notifier.stopping import list_stops
from notifier.store import status_store
from notifier.store.stop_store import PAUSED

NOTHING_LEFT = "No mail waits for your decision; what was decided before stays so. To go on: notifier resume"
DECIDE = (
    "Decide about these with the same command and --resend (they are sent, some perhaps again) or --drop (they are "
    "left to the next news); then: notifier resume"
)


def restored(  # noqa: PLR0913, PLR0917  # one option each, as typed
    at: Annotated[
        datetime,
        typer.Option(parser=read_moment, metavar="TIME", help="When the backup was taken (UTC unless it says so)."),
    ],
    log: Annotated[
        list[Path] | None, typer.Option(help="Folder of a log of who left; again for each machine that has its own.")
    ] = None,
    no_log: Annotated[bool, typer.Option("--no-log", help="Go on without one: who left since is here again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it comes to.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send what was unfinished: some arrive twice.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Do not send it: the next news tells it.")] = False,
    as_json: AsJson = False,
) -> None:
    """After a backup was put back: stop all sending, have who left since gone again, hold what was unfinished."""
    now = datetime.now(UTC)
    _check(at=at, now=now, choices=(dry_run, resend, drop))
    if log and no_log:
        raise ConfigurationError("Only one of --log and --no-log makes sense at a time.")
    decided = None
    with embedded.opened(now=now) as here:
        said = read_log([] if no_log else _folders(here, log), at=at)
        if dry_run:
            found = look_over(here.database, said, keys=here.keys, at=at, now=now)
        else:
            found = put_right(here, said, at=at, now=now)
        with here.database.reading() as session:
            held = status_store.count_all(session, now=now)
        if resend:
            decided = send_again(here.database, now=now)
        elif drop:
            decided = leave_alone(here.database, at=at, now=now)
    if as_json:
        choice = {"decided": None if decided is None else {"resend": resend, **asdict(decided)}}
        typer.echo(json.dumps({"at": at.isoformat(), "written": not dry_run, **asdict(found), **choice}))
        return
    hours = int((now - at).total_seconds() // 3600)
    holds = f"{held['trials']:,} studies and {held['subscribers']:,} subscribers"
    typer.echo(f"The backup was taken at {_words(at)}, {hours:,} hours ago. In the database are {holds} now.")
    _print(found, decided=decided, resend=resend, dry_run=dry_run)


def put_right(here: Installation, said: Log, *, at: datetime, now: datetime) -> Restored:
    """As `restore`; what was not matched in the backup is first, as it may have been told since like all other news.

    Only before it is done for the first time: what comes after that is news of the present.
    """
    if not any(one.why != PAUSED and one.since >= at for one in list_stops(here.database)):
        settle_changes(database=here.database, now=at)
    return restore(here.database, said, keys=here.keys, at=at, now=now)


def _check(*, at: datetime, now: datetime, choices: tuple[bool, ...]) -> None:
    if sum(choices) > 1:
        raise ConfigurationError("Only one of --dry-run, --resend and --drop makes sense at a time.")
    if at > now:
        raise ConfigurationError(
            f"--at must be when the backup was taken, and {_words(at)} lies in the future: now it is {_words(now)}. "
            "A time without Z, or a zone such as +01:00, is UTC."
        )


def _words(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _folders(here: Installation, named: list[Path] | None) -> list[Path]:
    if named:
        return named
    folder = here.settings.departures_folder
    if folder is None:
        raise ConfigurationError(
            "No log of who left is set (NOTIFIER_DEPARTURES_LOG). Name its folder with --log, or go on with --no-log: "
            "then whoever left since is here again."
        )
    return [folder]


def _print(found: Restored, *, decided: Decided | None, resend: bool, dry_run: bool) -> None:
    for name, count in asdict(found).items():
        typer.echo(f"{count:>10,}  {MEANT[name]}")
    if dry_run:
        typer.echo("Nothing was written. Without --dry-run it is done, and all sending stops.")
    elif decided is not None and not decided.mails:
        typer.echo(NOTHING_LEFT)
    elif decided is None:
        typer.echo(f"All sending is stopped. {DECIDE if found.mails else 'To go on: notifier resume'}")
    elif resend:
        typer.echo(f"{decided.mails:,} mails go out (again) after: notifier resume")
    else:
        typer.echo(f"{decided.mails:,} mails and {decided.news:,} pieces of news are not sent. Go on: notifier resume")


MEANT = {
    "lines": "lines of the log of who left, since then",
    "unreadable": "lines that cannot be read",
    "elsewhere": "mailboxes in it that this backup does not know",
    "left": "readers who had ended everything since, gone again",
    "moved": "of them had moved to a mailbox that is not known here: they get nothing any more",
    "handed_over": "of them had handed over to somebody who is not known here",
    "erased": "mailboxes erased again",
    "suppressed": "mailboxes that must not be mailed, again",
    "subscriptions": "subscriptions ended again",
    "mails": "mails were unfinished then, or due since, and wait for your decision",
    "waiting": "of them would tell news that waited then; their readers may know it",
}
