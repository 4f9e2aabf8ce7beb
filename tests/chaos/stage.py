"""The stage of a row: servers shared by all rows, and for each a database, a mail server, a service and a crowd."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import create_engine, make_url, text, update

from notifier.config import load_settings
from notifier.errors import StoreUnavailable
from notifier.installation import Installation, open_installation
from notifier.store import migrating
from notifier.store.database import open_database
from notifier.store.models import Delivery
from notifier.store.sending_tables import Destination
from tests.chaos.broker import Broker
from tests.chaos.counting import Figures, count_unfinished, count_up, explain_missed, has_work
from tests.chaos.crowd import Crowd
from tests.chaos.service import Service
from tests.chaos.sinking import Sink, mail_sink
from tests.servers import PostgresServer, free_port, postgres_process
from tests.topologies import API_KEY
from tests.world import copy_database

LEASE_SECONDS = 3.0
STANDS_STILL = 120.0
"""Seconds without any progress after which nobody waits any longer: how busy the machine is does not matter."""
MOST_TRIES_IN_DOUBT = 3
ONCE_IN_DOUBT = 1
"""As often as a mail may have been in doubt for another doubt to leave it one more try."""
LENIENCE = 3.0
"""How much longer than on a machine with nothing else to do something may take in the short version."""
TEMPLATE = "template_of_rows"
PARTS = {"sqlite": ("up",), "postgresql": ("web", "worker", "beat")}


@dataclass(slots=True)
class Grounds:
    """What rows share, started when the first asks for it."""

    folder: Path
    broker: Broker = field(default_factory=Broker)
    running: ExitStack = field(default_factory=ExitStack)
    _postgres: PostgresServer | None = None
    _sqlite: Path | None = None
    _made: int = 0

    @property
    def postgres(self) -> PostgresServer:
        """A server with a migrated database to copy."""
        if self._postgres is None:
            self._postgres = self.running.enter_context(postgres_process())
            self._ask(f'CREATE DATABASE "{TEMPLATE}"', self._postgres)
            _migrate(self._url(TEMPLATE))
        return self._postgres

    def new_database(self, engine: str, folder: Path) -> str:
        """The URL of a migrated database of its own."""
        if engine == "sqlite":
            copy_database(self._sqlite_template(), folder / "notifier.db")
            return f"sqlite:///{folder / 'notifier.db'}"
        self._made += 1
        self._ask(f'CREATE DATABASE "row_{self._made}" TEMPLATE "{TEMPLATE}"', self.postgres)
        return self._url(f"row_{self._made}")

    def copy_of(self, database: str) -> str:
        """The URL of a copy of a database on PostgreSQL that nobody uses now; without a name, of an empty one."""
        self._made += 1
        of = f' TEMPLATE "{database}"' if database else ""
        self._ask(f'CREATE DATABASE "row_{self._made}"{of}', self.postgres)
        return self._url(f"row_{self._made}")

    def _sqlite_template(self) -> Path:
        if self._sqlite is None:
            self._sqlite = self.folder / "template.db"
            _migrate(f"sqlite:///{self._sqlite}")
        return self._sqlite

    def _ask(self, statement: str, server: PostgresServer) -> None:
        engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _url(self, name: str) -> str:
        assert self._postgres is not None
        return make_url(self._postgres.url).set(database=name).render_as_string(hide_password=False)


@dataclass(slots=True, kw_only=True)
class Stage:
    """What a row breaks, and how it says what it found besides the count."""

    engine: str
    short: bool
    folder: Path
    grounds: Grounds
    sink: Sink
    service: Service
    installation: Installation
    crowd: Crowd
    disk: Path
    """Where a SQLite database lies; a small file system of its own if the row asked for one."""
    losses: int = 0
    """Connections that the mail server, or the wire to it, lost with a mail on it."""
    in_real_time: bool = False
    """Whether what rests waits as long as it would in life."""
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def pick(self, long: int, short: int) -> int:
        """A number for the whole suite and one for its short version."""
        return short if self.short else long

    def say(self, note: str) -> None:
        """Have a figure stand beside the row."""
        self.notes.append(note)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Have the row fail with this sentence unless something holds."""
        if not holds:
            self.faults.append(otherwise)

    def ready(self, readers: int) -> None:
        """A crowd of so many, and the service running."""
        self.crowd.gather(readers)
        self.service.start()

    def bound(self, seconds: float) -> float:
        """How long something may take that has to be done in so many seconds; the short version allows for load."""
        return seconds * (LENIENCE if self.short else 1)

    def hold(self, *, after: int) -> None:
        """Have news go out, and the mail server hold them after so many mails: what breaks now does so in the midst.

        Raises:
            AssertionError: not so many mails came.
        """
        self.sink.hold_after(after)
        wanted = self.sink.count() + after
        self.crowd.insist(self.service.url)
        self.need_mails(wanted - self.sink.count())

    def need_mails(self, more: int) -> None:
        """Wait until so many mails more have come.

        Raises:
            AssertionError: they did not.
        """
        wanted = self.sink.count() + more
        if not self.wait_for_mails(more):
            raise AssertionError(f"{self.sink.count()} mails of {wanted} came, {self.unfinished()} things wait")

    def wait_for_mails(self, more: int, *, seconds: float = STANDS_STILL) -> bool:
        """Wait until so many mails more have come; False if none came for so long."""
        seen = self.sink.count()
        wanted, until = seen + more, time.monotonic() + seconds
        while seen < wanted and time.monotonic() < until:
            time.sleep(0.005)
            now = self.sink.count()
            if now > seen:
                seen, until = now, time.monotonic() + seconds
        return seen >= wanted

    def unfinished(self) -> int:
        """What still waits; more than nothing while the database is away."""
        try:
            with self.installation.database.reading() as session:
                return count_unfinished(session)
        except StoreUnavailable:
            return 1

    def has_work(self, *, most_doubt: int = ONCE_IN_DOUBT) -> bool:
        """Whether anything waits that a fault may befall once more."""
        with self.installation.database.reading() as session:
            return has_work(session, most_doubt=most_doubt)

    def drain(self, *, seconds: float = STANDS_STILL) -> float:
        """Wait until nothing waits any more, or nothing has moved for so long; after how many seconds."""
        since = moved = time.monotonic()
        least, taken = sys.maxsize, 0
        while (left := self.unfinished()) and time.monotonic() - moved < seconds:
            if left < least or self.sink.count("taken") > taken:
                least, taken, moved = min(left, least), self.sink.count("taken"), time.monotonic()
            if not self.in_real_time:
                self.hasten()
            time.sleep(0.25)
        return time.monotonic() - since

    def hasten(self, *, most_doubt: int = MOST_TRIES_IN_DOUBT) -> None:
        """Have what rests for minutes or hours be due now: time, scaled down.

        While a fault lasts that leaves doubt, ``most_doubt`` spares those that would be given up after one more.
        """
        now = datetime.now(UTC)
        resting = update(Delivery).where(Delivery.state == "deferred", Delivery.not_before > now)
        resting = resting.where(Delivery.ambiguous <= most_doubt)
        places = update(Destination).where(Destination.rests_until > now)
        try:
            with self.installation.database.writing() as session:
                session.execute(resting.values(not_before=now))
                session.execute(places.values(rests_until=now))
        except StoreUnavailable:
            return

    def count(self) -> Figures:
        """What all that did to the readers."""
        seen = self.sink.list_all()
        with self.installation.database.reading() as session:
            figures = count_up(session, self.crowd, seen, kills=self.service.kills, losses=self.losses)
            if figures.never:
                self.notes += explain_missed(session, self.crowd, seen)
        return figures


@contextmanager
def grounds(*, keep: Path | None = None) -> Iterator[Grounds]:
    """What all rows of a run share; all of it is stopped in the end, and its files are gone unless kept in a folder."""
    shared = Grounds(Path(mkdtemp(prefix="notifier-chaos-", dir=keep)))
    try:
        yield shared
    finally:
        shared.broker.kill()
        shared.running.close()
        if not keep:
            shutil.rmtree(shared.folder, ignore_errors=True)


@contextmanager
def stage(
    shared: Grounds, *, name: str, engine: str, short: bool, settings: Mapping[str, str], disk_megabytes: int = 0
) -> Iterator[Stage]:
    """Everything for one row but its crowd."""
    folder = shared.folder / f"{name}-{engine}".replace(" ", "-").replace(":", "-")
    folder.mkdir()
    with ExitStack() as running:
        sink = running.enter_context(mail_sink(folder / "sink"))
        disk = running.enter_context(_small_disk(folder, disk_megabytes)) if disk_megabytes else folder
        url = shared.new_database(engine, disk)
        chosen = {**_settings(shared, engine, folder, sink), "NOTIFIER_DATABASE_URL": url, **settings}
        given = {key.removeprefix("NOTIFIER_").lower(): value for key, value in chosen.items()}
        installation = open_installation(load_settings(**given), now=datetime.now(UTC))
        service = Service(folder, chosen, PARTS[engine])
        running.callback(service.close)
        crowd = Crowd(installation)
        stage = Stage(
            engine=engine, short=short, folder=folder, grounds=shared, sink=sink,
            service=service, installation=installation, crowd=crowd, disk=disk,
        )  # fmt: skip
        running.callback(lambda: stage.installation.close())  # noqa: PLW0108 - it may be another one by then
        yield stage


def _settings(shared: Grounds, engine: str, folder: Path, sink: Sink) -> dict[str, str]:
    port = free_port()
    settings = {
        "NOTIFIER_PORT": str(port),
        "NOTIFIER_DATA_DIR": str(folder / "var"),
        "NOTIFIER_BASE_URL": f"http://127.0.0.1:{port}",
        "NOTIFIER_SECRET_KEY": "a made-up secret that is long enough for anybody",
        "NOTIFIER_INDEX_KEY": "a made-up index key that is long enough for anybody",
        "NOTIFIER_API_KEY": API_KEY,
        "NOTIFIER_MAIL_FROM": "Study updates <updates@updates.example.org>",
        "NOTIFIER_POSTAL_ADDRESS": "1 Made-up Road, Example",
        "NOTIFIER_SMTP_URL": f"smtp://127.0.0.1:{sink.port}?starttls=never",
        "NOTIFIER_LEASE_SECONDS": str(LEASE_SECONDS),
    }
    if engine == "postgresql":
        shared.broker.start()
        shared.broker.empty()
        settings["NOTIFIER_BROKER_URL"] = shared.broker.url
    return settings


@contextmanager
def _small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system in memory; only root may make one.

    Raises:
        CalledProcessError: it may not be made here.
    """
    place = folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def may_mount() -> bool:
    """Whether a row can have a disk of its own."""
    return os.geteuid() == 0


def _migrate(url: str) -> None:
    database = open_database(url)
    migrating.migrate(database)
    database.close()
