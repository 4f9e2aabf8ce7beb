"""What every test may ask for: a fixed clock, free ports, real servers, the registry folder; and no silent skips."""

import gc
import logging
import os
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from itertools import count
from math import inf
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest
import structlog
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from xdist.remote import Producer

from notifier import sending_window
from notifier.store import migrating
from notifier.store.database import Database, open_database
from notifier.store.models import Base
from tests.servers import ServerMissing, free_port, postgres_server, redis_server
from tests.sharing_out import SharingOut
from tests.smtp_servers import Mailbox
from tests.smtp_servers import mailbox as running_mailbox
from tests.world import World, copy_database, open_world, settings_for

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

REPOSITORY = Path(__file__).resolve().parents[1]
REGISTRY = REPOSITORY.parent / "shared" / "registry"
COMPILED = REPOSITORY / ".pytest_cache" / "compiled"
"""Where nothing may be written beside the code; without it, each start of a command takes half as long again."""
FORBID_SKIPS = "NOTIFIER_FORBID_SKIPS"
REGISTRY_MISSING = "the folder ../shared/registry with registry records is not here"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Whatever a test has commands do to the logs ends with it: their streams do, too."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    if root.handlers is handlers:
        return
    root.handlers = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def registry_folder() -> Path:
    """The folder of real registry records; a test that needs it is skipped where it is missing."""
    if not REGISTRY.is_dir():
        pytest.skip(REGISTRY_MISSING)
    return REGISTRY


@pytest.fixture
def now() -> datetime:
    """A Monday morning, always the same."""
    return datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(name="free_port", scope="session")
def free_port_fixture() -> Callable[[], int]:
    """A function that gives a free TCP port on 127.0.0.1."""
    return free_port


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The maintenance database of a PostgreSQL server that lives as long as the test session."""
    try:
        with postgres_server() as url:
            yield url
    except ServerMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def new_postgres_database(postgres_url: str) -> Iterator[Callable[..., str]]:
    """A function that creates a database and gives its URL: empty, or a copy of the database named `template`."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    numbers = count(1)

    def create(template: str = "template0") -> str:
        name = f"test_{next(numbers)}"
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return make_url(postgres_url).set(database=name).render_as_string(hide_password=False)

    yield create
    engine.dispose()


@pytest.fixture
def postgres_database_url(new_postgres_database: Callable[..., str]) -> str:
    """An empty PostgreSQL database for one test."""
    return new_postgres_database()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server that lives as long as the test session."""
    try:
        with redis_server() as url:
            yield url
    except ServerMissing as missing:
        pytest.skip(str(missing))


def pytest_configure() -> None:
    """Forget the settings of whoever runs the tests, and compile the service once for all its processes.

    A run that decides whether a change is taken has the same examples each time;
    others go on looking for new ones. In neither does it matter how fast a machine is.
    """
    hypothesis.settings.register_profile("searching", deadline=None)
    hypothesis.settings.load_profile("ci" if os.environ.get(FORBID_SKIPS) else "searching")
    for name in [name for name in os.environ if name.startswith("NOTIFIER_") and name != FORBID_SKIPS]:
        del os.environ[name]
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = str(COMPILED)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what shows a rule, which is the same on both engines, to SQLite in the plain run."""
    for item in items:
        if item.get_closest_marker("rules") and item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Keep the collector from walking through thousands of tests and all modules again and again."""
    gc.collect()
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharingOut:
    """Share the tests out among parallel workers in our own way."""
    return SharingOut(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one where skips are forbidden."""
    report = yield
    return _without_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped module into a failed one where skips are forbidden."""
    report = yield
    return _without_skip(report)


def _without_skip(report: Report) -> Report:
    expected = hasattr(report, "wasxfail")
    if os.environ.get(FORBID_SKIPS) != "1" or not report.skipped or expected:
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if REGISTRY_MISSING in reason and not REGISTRY.is_dir():
        return report
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} was skipped, which {FORBID_SKIPS} forbids. {reason}"
    return report


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database at the newest schema, to be copied."""
    file = tmp_path_factory.mktemp("template") / "notifier.db"
    database = open_database(f"sqlite:///{file}")
    migrating.migrate(database)
    database.close()
    return file


@pytest.fixture(scope="session")
def migrated_postgres(new_postgres_database: Callable[..., str]) -> str:
    """The name of a PostgreSQL database at the newest schema, to be copied."""
    url = new_postgres_database()
    database = open_database(make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False))
    migrating.migrate(database)
    database.close()
    return str(make_url(url).database)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A real mail server that takes everything."""
    with running_mailbox() as box:
        yield box


@pytest.fixture
def no_destination_looks_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine all do: what waits is put off for seconds, which never pass where time stands still."""
    monkeypatch.setattr(sending_window, "MOVING_SECONDS", inf)


@pytest.fixture
def world(
    tmp_path: Path, migrated_sqlite: Path, mailbox: Mailbox, now: datetime, no_destination_looks_slow: None
) -> Iterator[World]:
    """An installation on SQLite."""
    copy_database(migrated_sqlite, tmp_path / "notifier.db")
    opened = open_world(settings_for(tmp_path, mailbox=mailbox), mailbox=mailbox, now=now)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either_world(
    request: pytest.FixtureRequest, tmp_path: Path, mailbox: Mailbox, now: datetime, no_destination_looks_slow: None
) -> Iterator[World]:
    """An installation on SQLite, then one on PostgreSQL."""
    url = None
    if request.param == "sqlite":
        copy_database(request.getfixturevalue("migrated_sqlite"), tmp_path / "notifier.db")
    else:
        template = request.getfixturevalue("migrated_postgres")
        url = request.getfixturevalue("new_postgres_database")(template)
    opened = open_world(settings_for(tmp_path, mailbox=mailbox, database_url=url), mailbox=mailbox, now=now)
    yield opened
    opened.close()


@pytest.fixture
def postgres_world(
    tmp_path: Path,
    mailbox: Mailbox,
    now: datetime,
    migrated_postgres: str,
    new_postgres_database: Callable[..., str],
    no_destination_looks_slow: None,
) -> Iterator[World]:
    """An installation on PostgreSQL, where writers really write at the same time."""
    settings = settings_for(tmp_path, mailbox=mailbox, database_url=new_postgres_database(migrated_postgres))
    opened = open_world(settings, mailbox=mailbox, now=now)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with every table and nothing in it, on SQLite, then on PostgreSQL."""
    on_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'test.db'}" if on_sqlite else request.getfixturevalue("postgres_database_url")
    database = open_database(url)
    Base.metadata.create_all(database.engine)
    yield database
    database.close()
