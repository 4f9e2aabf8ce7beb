"""Databases to measure on: SQLite files and PostgreSQL databases, both as durable as in production, copied at will."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text

from bench.installations import database_file
from notifier.config import Settings, load_settings
from notifier.store import migrating
from notifier.store.database import open_database
from tests.servers import postgres_process

ENGINES = ("sqlite", "postgresql")
SECRET = "a made-up secret that is long enough for anybody"
API_KEY = "a made-up key that is long enough for anybody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where databases of one engine are made; ``server`` is the process of its server, if it has one."""

    engine: str
    home: Path
    maintenance_url: str = ""
    server: int | None = None

    def new(self, name: str) -> str:
        """The URL of a new database at the newest schema."""
        if self.engine == "sqlite":
            return _sqlite_url(self.home / name)
        url = self._create(name, "")
        database = open_database(url)
        migrating.migrate(database)
        database.close()
        return url

    def copy(self, url: str, name: str) -> str:
        """The URL of a copy; nobody may be connected to the original."""
        if self.engine == "postgresql":
            return self._create(name, f'TEMPLATE "{make_url(url).database}"')
        copied = _sqlite_url(self.home / name)
        shutil.copyfile(_file_of(url), _file_of(copied))
        return copied

    def drop(self, url: str) -> None:
        """Throw one away."""
        if self.engine == "sqlite":
            shutil.rmtree(_file_of(url).parent)
            return
        self._tell(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')

    def _create(self, name: str, how: str) -> str:
        full = f"{name}_{uuid4().hex[:8]}"
        self._tell(f'CREATE DATABASE "{full}" {how}')
        return make_url(self.maintenance_url).set(database=full).render_as_string(hide_password=False)

    def _tell(self, statement: str) -> None:
        engine = create_engine(self.maintenance_url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@contextmanager
def place_for(engine: str, home: Path) -> Iterator[Place]:
    """A place for databases, with a PostgreSQL server of its own where one is needed.

    Raises:
        ServerMissing: PostgreSQL is asked for and is not on this machine.
    """
    if engine == "sqlite":
        yield Place(engine=engine, home=home)
        return
    with postgres_process(durable=True) as server:
        yield Place(engine=engine, home=home, maintenance_url=server.url, server=server.postmaster)


def settings_on(url: str, *, home: Path, smtp_port: int, **others: object) -> Settings:
    """Settings of an installation on a database, whose mail goes to a local port; as an operator would have them."""
    home.mkdir(parents=True, exist_ok=True)
    return load_settings(
        data_dir=home,
        database_url=url,
        smtp_url=f"smtp://127.0.0.1:{smtp_port}?starttls=never",
        base_url="http://updates.example.org",
        secret_key=SECRET,
        index_key=SECRET,
        api_key=API_KEY,
        mail_from="Study updates <updates@updates.example.org>",
        postal_address="1 Made-up Road, Example",
        **({"broker_url": "redis://127.0.0.1:1/0" if url.startswith("postgresql") else "memory://"} | others),
    )


def _sqlite_url(home: Path) -> str:
    home.mkdir(parents=True)
    return f"sqlite:///{database_file(home)}"


def _file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))
