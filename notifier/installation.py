"""One installation: its settings, its database, its keys and its links, opened together and checked."""

import fcntl
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from notifier.config import Settings, check_secrets
from notifier.emails.links import Links
from notifier.errors import ConfigurationError
from notifier.store import migrating
from notifier.store.addresses import Address, AddressKeys, read_address, refuse_own
from notifier.store.database import Database, open_database
from notifier.store.departure_log import DepartureLog
from notifier.store.inserting import insert_once
from notifier.store.models import Installation as InstallationRow

FALLBACK_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Installation:
    """What every entry point works with. Open it after a fork, never before."""

    settings: Settings
    database: Database
    keys: AddressKeys
    links: Links
    departures: DepartureLog | None = None

    @property
    def host(self) -> str:
        """The host that readers know us by, for List-Id and Message-ID."""
        return urlsplit(self.links.base_url).hostname or "localhost"

    def read_address(self, text: str) -> Address:
        """A reader's address as somebody typed it.

        Raises:
            InvalidAddress: it is not one address that mail can be sent to, or it is one of ours.
        """
        address = read_address(text)
        refuse_own(address, sender=self.settings.envelope_from, host=self.host)
        return address

    def forget_departures(self, *, now: datetime) -> None:
        """Delete what the log of who left has kept for long enough."""
        if self.departures is not None:
            self.departures.forget_old(now=now)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def open_installation(settings: Settings, *, now: datetime) -> Installation:
    """Open the database and the keys, and refuse keys that are not this database's.

    An embedded database is made and migrated as needed; a PostgreSQL database is migrated by ``notifier migrate``.

    Raises:
        ConfigurationError: a secret is missing, the keys are not those of this database, or its schema is not current.
        StoreUnavailable: the database cannot be reached.
    """
    settings = with_embedded_keys(settings)
    database = prepare_database(settings)
    keys = _keys_of(settings, database, now=now)
    links = Links(base_url=settings.base_url or FALLBACK_URL, secrets=settings.secrets)
    departures = DepartureLog(settings.departures_folder, keys) if settings.departures_folder else None
    database.before_commit = departures.keep if departures else None
    return Installation(settings, database, keys, links, departures)


def prepare_database(settings: Settings) -> Database:
    """The database, at the newest schema.

    Raises:
        ConfigurationError: a PostgreSQL database is not at the newest schema.
        StoreUnavailable: the database cannot be reached.
    """
    database = open_database(settings.database_url)
    if settings.is_embedded:
        make_folder(folder_of(settings.database_url))
        migrating.migrate(database)
    elif not migrating.is_current(database):
        raise ConfigurationError("The database is not at the newest schema. Run: notifier migrate")
    return database


def with_embedded_keys(settings: Settings) -> Settings:
    """The settings with what the embedded default makes once and remembers in its data folder."""
    if not settings.is_embedded or settings.secret_key:
        return settings
    made = remembered(settings.data_dir, "keys.json", _new_keys)
    given = {name: value for name, value in made.items() if not getattr(settings, name)}
    settled = settings.model_copy(update=given)
    check_secrets(settled)
    return settled


def remembered(folder: Path, name: str, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What a file in the data folder remembers; made once, readable by its owner only.

    Raises:
        ConfigurationError: the folder cannot be written, or the file is spoiled.
    """
    make_folder(folder)
    try:
        with (folder / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            file = folder / name
            if not file.exists():
                _write_private(file, json.dumps(make()))
            content: dict[str, str] = dict(json.loads(file.read_text()))
    except OSError as error:
        raise _unusable(folder, error) from None
    except (ValueError, TypeError):
        raise ConfigurationError(f"{folder / name} is spoiled: it must be one JSON object. Put a copy back.") from None
    return content


def make_folder(folder: Path) -> None:
    """Have this folder.

    Raises:
        ConfigurationError: that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from None


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The folder {folder} cannot be written ({error.strerror or error}). Is there room, and may this user write "
        "there? NOTIFIER_DATA_DIR may name another one."
    )


def _new_keys() -> dict[str, str]:
    return {name: secrets.token_urlsafe(48) for name in ("secret_key", "index_key", "api_key")}


def _write_private(file: Path, text: str) -> None:
    draft = file.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def folder_of(url: str) -> Path:
    """Where the file of a database of ours lies."""
    return Path(url.removeprefix("sqlite:///")).parent


def _keys_of(settings: Settings, database: Database, *, now: datetime) -> AddressKeys:
    """The keys whose index this database was made with; a new database takes the first that are given."""
    candidates = [settings.index_key] if settings.index_key else [f"index of {one}" for one in settings.secrets]
    offered = [AddressKeys(secrets=settings.secrets, index_key=candidate) for candidate in candidates]
    if not offered:
        raise ConfigurationError("NOTIFIER_SECRET_KEY is missing.")
    with database.reading() as session:
        row = session.get(InstallationRow, 1)
    if row is None:
        with database.writing() as session:
            insert_once(session, InstallationRow, [{"id": 1, "index_key_check": offered[0].check(), "created_at": now}])
            row = session.get_one(InstallationRow, 1)
    for keys in offered:
        if keys.check() == row.index_key_check:
            return keys
    raise ConfigurationError(
        "These keys are not the ones this database was made with. Set NOTIFIER_INDEX_KEY to what it was, "
        "or keep the first secret in NOTIFIER_SECRET_KEY."
    )
