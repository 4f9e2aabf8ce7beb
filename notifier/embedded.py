"""Everything in one process: web, worker, schedule and a mailbox, on SQLite and Celery's in-memory broker."""

import errno
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import resources

import structlog
import uvicorn
from celery.beat import EmbeddedService
from celery.worker import WorkController, state

from notifier import queues, worker
from notifier.config import Settings, load_settings
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import EVERYTHING, Wish
from notifier.emails.mailbox import Mailbox, serve_mailbox
from notifier.errors import ConfigurationError
from notifier.ingesting import ingest_records
from notifier.installation import Installation, open_installation, remembered, with_embedded_keys
from notifier.logs import set_up_logs
from notifier.registries.record_files import FoundRecord
from notifier.stopping import Stop, list_stops
from notifier.store import trial_store
from notifier.store.addresses import read_address
from notifier.subscribing import subscribe_directly
from notifier.web.app import create_app
from notifier.web.serving import run_server, web_config, when_started
from notifier.web.warming import warm

PORTS = "ports.json"
STOP_SECONDS = 5
"""How long the worker may take to end when the service is stopped, before what it does is broken off."""
BEAT_SECONDS = 0.2
"""How often the schedule looks whether it was stopped."""

SAMPLE_READERS = (
    ("ada@example.org", Wish(trial="NCT99990001", cadence=Cadence(cadence="instant"))),
    ("ben@example.org", Wish(condition="Stroke", wants=EVERYTHING, cadence=Cadence(cadence="instant"))),
)

Announce = Callable[[Settings, bool, Sequence[Stop]], None]
"""Told the settings as they came out, whether this is the first start in this folder, and what keeps all mails back."""

log = structlog.get_logger(__name__)


def serve(settings: Settings, *, announce: Announce) -> None:
    """Run until interrupted; everything that was started is stopped.

    Args:
        settings: of the embedded default; what is not set is chosen once and remembered in the data folder.
        announce: called once the pages answer.

    Raises:
        ConfigurationError: a setting cannot be used, or another instance runs in this folder.
    """
    settings = settle(settings)
    with ExitStack() as running:
        mailbox = running.enter_context(_mailbox(settings)) if _is_own_mailbox(settings) else None
        installation = open_installation(settings, now=_now())
        running.callback(installation.close)
        # Sample readers must never be written to through a real mail server.
        fresh = mailbox is not None and load_samples(installation)
        worker.use_settings(settings)
        running.enter_context(_celery())
        if fresh:
            queues.ring(queues.MATCH_CHANGES)
        queues.ring(queues.SWEEP)
        tell = partial(announce, settings, fresh, list_stops(installation.database))
        _serve_web(installation, mailbox, tell=tell)


def settle(settings: Settings) -> Settings:
    """The settings with keys and ports that were chosen once, so that links in the mailbox go on working."""
    remembered(settings.data_dir, PORTS, _choose_ports)
    settled = with_remembered_ports(with_embedded_keys(settings))
    web = f"Stop it, or set NOTIFIER_PORT to another port (links in old mails lead to {settled.port})."
    _refuse_taken(settled.bind, settled.port, web)
    if _is_own_mailbox(settled):
        mailbox = f"Stop it, or delete {settings.data_dir / PORTS}: ports are then chosen anew."
        _refuse_taken("127.0.0.1", settled.mail_server.port, mailbox)
    return settled


def with_remembered_ports(settings: Settings) -> Settings:
    """The settings with the addresses that an embedded instance in this folder answers on, where there is one."""
    if not settings.is_embedded or not (settings.data_dir / PORTS).exists():
        return settings
    ports = remembered(settings.data_dir, PORTS, _choose_ports)
    port = settings.port or int(ports["web"])
    update: dict[str, object] = {"port": port}
    if not settings.base_url:
        update["base_url"] = f"http://127.0.0.1:{port}"
    if not settings.smtp_url:
        update["smtp_url"] = _own_mailbox(ports)
    return settings.model_copy(update=update)


@contextmanager
def opened(*, now: datetime) -> Iterator[Installation]:
    """The installation that the settings here name, for one command, which logs to standard error; closed after it.

    Raises:
        ConfigurationError: a setting is missing or wrong.
        StoreUnavailable: the database cannot be reached.
    """
    settings = load_settings()
    set_up_logs(level=settings.log_level, as_json=not sys.stderr.isatty())
    installation = open_installation(with_remembered_ports(settings), now=now)
    try:
        yield installation
    finally:
        installation.close()


def load_samples(installation: Installation) -> bool:
    """On an empty database: sample studies, two readers, then the studies' next version; whether it was empty."""
    database, keys = installation.database, installation.keys
    with database.reading() as session:
        if not trial_store.is_empty(session):
            return False
    ingest_records(database=database, keys=keys, records=_samples("before.json"), now=_now, baseline=True)
    with database.writing() as session:
        for address, wish in SAMPLE_READERS:
            subscribe_directly(session, keys=keys, address=read_address(address), wish=wish, how="sample", now=_now())
    ingest_records(database=database, keys=keys, records=_samples("after.json"), now=_now)
    return True


def _samples(name: str) -> list[FoundRecord]:
    """Sample records, with dates that are always recent."""
    text = resources.files("notifier").joinpath("samples", name).read_text("utf-8")
    today = _now().date()
    for days in (0, 3, 40, 400):
        text = text.replace(f"@{days}-days-ago", (today - timedelta(days=days)).isoformat())
    return [FoundRecord(place=f"samples/{name}", record=record) for record in json.loads(text)]


def _serve_web(installation: Installation, mailbox: Mailbox | None, *, tell: Callable[[], None]) -> None:
    settings = installation.settings
    app = create_app(installation, mailbox=mailbox)
    server = uvicorn.Server(web_config(app, settings))
    when_started(server, tell, partial(warm, app.state.surroundings))
    run_server(server)


@contextmanager
def _celery() -> Iterator[None]:
    """Celery's worker and schedule in threads of this process, on its in-memory broker."""
    controller = WorkController(
        app=queues.app,
        pool_cls="threads",
        concurrency=2,
        hostname="embedded",
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )
    beat = EmbeddedService(queues.app, thread=True, scheduler_cls="celery.beat:Scheduler")
    beat.service.max_interval = BEAT_SECONDS
    working = threading.Thread(target=controller.start, name="worker", daemon=True)
    working.start()
    beat.start()
    try:
        yield
    finally:
        worker.stop_sending()
        # What Celery's own worker sets on a warm shutdown: tasks under way end, no new one begins.
        state.should_stop = 0
        # It listens to its queue once more before it stops, two seconds at a time unless something comes.
        for _ in range(2):
            queues.ring(queues.SEND_DELIVERIES)
        beat.stop()
        working.join(STOP_SECONDS)
        worker.close()
        working.join(STOP_SECONDS)
        state.should_stop = None


@contextmanager
def _mailbox(settings: Settings) -> Iterator[Mailbox]:
    with ExitStack() as serving:
        try:
            mailbox = Mailbox(settings.data_dir / "mailbox")
            serving.enter_context(serve_mailbox(mailbox, host="127.0.0.1", port=settings.mail_server.port))
        except OSError as error:
            raise ConfigurationError(f"The mailbox cannot be started: {error.strerror or error}.") from None
        yield mailbox


def _is_own_mailbox(settings: Settings) -> bool:
    ports = remembered(settings.data_dir, PORTS, _choose_ports)
    return settings.smtp_url == _own_mailbox(ports)


def _own_mailbox(ports: dict[str, str]) -> str:
    return f"smtp://127.0.0.1:{ports['smtp']}?starttls=never"


def _choose_ports() -> dict[str, str]:
    """Two free ports, held together while they are chosen so that they differ.

    They are remembered for ever, so none of those that systems give to outgoing connections if there are others.
    """
    with socket.socket() as web, socket.socket() as smtp:
        for one, wanted in ((web, 8000), (smtp, 2525)):
            for port in (*range(wanted, wanted + 20), 0):
                with suppress(OSError):
                    one.bind(("127.0.0.1", port))
                    break
        return {"web": str(web.getsockname()[1]), "smtp": str(smtp.getsockname()[1])}


def _refuse_taken(host: str, port: int, advice: str) -> None:
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, place in places:
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(place)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise ConfigurationError(
                f"Nothing can listen on NOTIFIER_BIND {host}, port {port}: {error.strerror or error}."
            ) from None
        raise ConfigurationError(
            f"Port {port} is taken: is the service running already in this folder? {advice}"
        ) from None


def _now() -> datetime:
    return datetime.now(UTC)
