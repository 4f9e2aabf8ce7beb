"""The ``notifier`` command: what an operator types, parsed, passed to a verb, and answered in plain sentences."""

import gc
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, NoReturn

import structlog
import typer
import uvicorn
from celery.bin.celery import celery as celery_program
from celery.signals import beat_init
from rich.console import Console

from notifier import __version__, embedded, queues, why_command, worker
from notifier.answering import AsJson, err, print_counts
from notifier.checkup import by_part, check_up, list_faults, list_unplanned
from notifier.conditions_command import conditions
from notifier.config import Settings, check_shared, load_settings
from notifier.domain.moments import read_moment
from notifier.errors import ConfigurationError, NotifierError, UnknownCondition, UnknownTown
from notifier.gone_command import gone
from notifier.held_commands import held
from notifier.ingesting import ingest_records
from notifier.installation import Installation, folder_of, make_folder, open_installation
from notifier.interrupting import end_beat_when_told, finishing
from notifier.keys_command import keys
from notifier.loading import records_of, show_progress
from notifier.logs import mask_uncaught, set_up_logs
from notifier.matching import list_broken
from notifier.preview_command import preview
from notifier.privacy_commands import audit, export, forget
from notifier.restored_command import restored
from notifier.rounds import deliver, make_news, open_service
from notifier.stop_commands import as_dict, pause, resume
from notifier.stopping import Stop, list_stops, said
from notifier.store import migrating, status_store
from notifier.store.database import open_database
from notifier.subscribe_command import subscribe
from notifier.subscribers_command import subscribers
from notifier.web.app import create_app
from notifier.web.serving import run_server, web_config, when_started
from notifier.web.warming import warm

ABOUT = "Tells people by e-mail when a clinical study they follow changes. Everything on this machine: notifier up"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=ABOUT)

log = structlog.get_logger(__name__)

AHEAD = timedelta(days=1)
TICK_AHEAD = (
    "As if it were {} UTC, and for good: what is due by then goes out now, the next digests come after that, and what "
    "is kept until then at most is erased."
)


def main() -> NoReturn:
    """Run the command; a wrong setting, address or number is one sentence and exit code 2, never a traceback."""
    mask_uncaught()
    # What importing made lives as long as the process; the collector, above all the one at exit, need not walk it.
    gc.freeze()
    # What work makes is mostly freed by itself: looking for rings of it every 700 objects is a fifth of composing.
    gc.set_threshold(20_000, 20, 20)
    try:
        app()
    except NotifierError as error:
        err.print(f"[bold red]notifier:[/] {error}", markup=True)
        if isinstance(error, (UnknownCondition, UnknownTown)) and error.suggestions:
            err.print("Did you mean: " + "; ".join(error.suggestions) + "?", markup=False)
        sys.exit(2)
    sys.exit(0)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"notifier {__version__}")
        raise typer.Exit


@app.command()
def up() -> None:
    """Everything in one process: pages, worker, schedule and a mailbox to look into."""
    settings = _settings()
    if not settings.is_embedded:
        raise ConfigurationError("notifier up is for SQLite. With PostgreSQL, run: notifier web, worker and beat.")
    embedded.serve(settings, announce=_announce)
    err.print("Stopped. Everything is kept; start again to go on.")


@app.command()
def web() -> None:
    """The pages and the API, in a process of their own."""
    installation = _installation(_shared_settings())
    queues.configure(installation.settings)
    served = create_app(installation)
    server = uvicorn.Server(web_config(served, installation.settings))
    when_started(server, partial(warm, served.state.surroundings))
    run_server(server)
    installation.close()


@app.command("worker")
def run_worker(
    concurrency: Annotated[int, typer.Option(min=1, help="Processes that work at the same time.")] = 2,
) -> None:
    """A Celery worker, in a process of its own."""
    settings = _shared_settings()
    installation = _installation(settings)
    for stop in list_stops(installation.database):
        log.warning("sending.stopped", says=said(stop))
    installation.close()
    worker.use_settings(settings)
    _run_celery("worker", f"--concurrency={concurrency}", "--loglevel", settings.log_level)


@app.command()
def beat() -> None:
    """Celery's schedule, in a process of its own; two of them do no harm."""
    settings = _shared_settings()
    queues.configure(settings)
    beat_init.connect(end_beat_when_told)
    _run_celery("beat", "--loglevel", settings.log_level)


@app.command()
def migrate() -> None:
    """The database to the newest schema."""
    settings = _settings()
    if settings.is_embedded:
        make_folder(folder_of(settings.database_url))
    database = open_database(settings.database_url)
    changed = migrating.migrate(database)
    database.close()
    err.print("The database is at the newest schema now." if changed else "The database was at the newest schema.")


@app.command()
def ingest(
    paths: Annotated[list[str], typer.Argument(help="Files or folders of records, or - for standard input.")],
    baseline: Annotated[bool, typer.Option("--baseline", help="Load without making news of it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take ClinicalTrials.gov API v2 records in: JSON, NDJSON, a folder, a zip, a .gz of those."""
    with embedded.opened(now=_now()) as installation, show_progress(err, paths) as progress:
        report = ingest_records(
            database=installation.database,
            keys=installation.keys,
            records=records_of(paths),
            now=_now,
            baseline=baseline,
            breaker=installation.settings.breaker,
            on_progress=progress,
        )
    for problem in report.problems:
        err.print(f"rejected {problem.place}: {problem.reason}", markup=False)
    _answer(report.as_dict(), as_json=as_json)
    if report.counts["rejected"]:
        raise typer.Exit(1)


@app.command()
def tick(
    now: Annotated[
        datetime | None,
        typer.Option(parser=read_moment, metavar="TIME", help="To try out: act, for good, as if it were then (UTC)."),
    ] = None,
    send: Annotated[bool, typer.Option("--deliver/--no-deliver", help="Send what is due, or only plan it.")] = True,
    as_json: AsJson = False,
) -> None:
    """Do all work that is due, here and now, and print what was done; told to end, finish the mails in hand."""
    clock = _clock(now)
    if now is not None and now > _now() + AHEAD:
        err.print(TICK_AHEAD.format(f"{now:%Y-%m-%d %H:%M}"), markup=False)
    with embedded.opened(now=_now()) as installation:
        _say_stops(installation)
        matched, planned = make_news(installation, now=clock())
        done = {"matched": matched, "planned": planned, "sent": 0, "deferred": 0, "failed": 0}
        if not send:
            _answer(done, as_json=as_json)
            return
        service = open_service(installation)
        with finishing(service.deliverer.close):
            delivered = deliver(service, now=clock, real=_now)
            service.deliverer.close()
            done |= {"sent": delivered.sent, "deferred": delivered.deferred, "failed": delivered.failed}
            if delivered.stopped:
                err.print(f"Stopped early: {delivered.stopped}", markup=False)
            _answer(done, as_json=as_json)


@app.command()
def status(as_json: AsJson = False) -> None:
    """How many of everything, and what waits."""
    with embedded.opened(now=_now()) as installation:
        with installation.database.reading() as session:
            counts = status_store.count_all(session, now=_now())
        stops = list_stops(installation.database)
        faults = [*list_faults(installation.database), *list_broken(installation.database)]
        faults += list_unplanned(installation.database, now=_now())
    if as_json:
        typer.echo(json.dumps({**counts, "stops": [as_dict(one) for one in stops], "faults": faults}))
        return
    print_counts(counts)
    for line in (*map(said, stops), *faults):
        err.print(line, markup=False)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check settings, database, broker and mail server, and say what to do."""
    findings = check_up(embedded.with_remembered_ports(_settings()), now=_now())
    if as_json:
        typer.echo(json.dumps(by_part(findings)))
    else:
        for one in findings:
            err.print(f"{'[green]ok[/]   ' if one.ok else '[red]wrong[/]'} {one.part}: {one.message}")
    if not all(one.ok for one in findings):
        raise typer.Exit(2)


@app.command()
def why(
    email: str,
    trial: Annotated[str | None, typer.Option(help="This study only, by its number.")] = None,
    since: Annotated[str | None, typer.Option(help="Days (7d) or a time; 30 days if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """What was seen, matched, held back and mailed for one reader, and why; exit code 1 if nothing is known of them."""
    with embedded.opened(now=_now()) as installation:
        account = why_command.account_of(installation, email, trial=trial, since=since, now=_now())
        _say_stops(installation)
    if as_json:
        typer.echo(why_command.as_json(account))
    else:
        why_command.print_account(Console(highlight=False, soft_wrap=True), account)
    if not account.known:
        raise typer.Exit(1)


def _settings() -> Settings:
    settings = load_settings()
    set_up_logs(level=settings.log_level, as_json=not sys.stderr.isatty())
    return settings


def _shared_settings() -> Settings:
    settings = _settings()
    check_shared(settings)
    return settings


def _installation(settings: Settings | None = None) -> Installation:
    return open_installation(settings or _settings(), now=_now())


def _run_celery(*arguments: str) -> None:
    celery_program.main(["--app", "notifier.worker", *arguments], prog_name="notifier", standalone_mode=False)


def _announce(settings: Settings, fresh: bool, stops: Sequence[Stop]) -> None:
    its_digest = "its digest waits until mails go out." if stops else "its digest is on its way to the mailbox."
    news = f"A sample study has just changed: {its_digest}" if fresh else "Everything is as you left it."
    said_last = "\n".join(f"  {line}" for line in (news, *map(said, stops), "Ctrl-C stops everything."))
    err.print(
        f"\n  Pages     {settings.base_url}/\n"
        f"  Mailbox   {settings.base_url}/mailbox\n"
        f"  API       {settings.base_url}/api/docs\n\n"
        f"{said_last}\n",
        markup=False,
    )


def _answer(counts: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        print_counts(counts)


def _clock(moment: datetime | None) -> Callable[[], datetime]:
    if moment is None:
        return _now
    return lambda: moment


def _say_stops(installation: Installation) -> None:
    """That no mail goes out, for who wonders why none did."""
    for stop in list_stops(installation.database):
        err.print(said(stop), markup=False)


def _now() -> datetime:
    return datetime.now(UTC)


# What has a file of its own comes last in --help: first what runs and feeds the service.
app.command("pause")(pause)
app.command("resume")(resume)
app.command("restored")(restored)
app.command("gone")(gone)
app.command("preview")(preview)
app.command("subscribe")(subscribe)
app.command("export")(export)
app.command("forget")(forget)
app.command("audit")(audit)
app.add_typer(subscribers, name="subscribers")
app.add_typer(keys, name="keys")
app.add_typer(conditions, name="conditions")
app.add_typer(held, name="held")
