"""Opening an installation: its keys, whoever comes first, and what its errors tell."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pytest

from notifier.installation import open_installation
from tests.smtp_servers import Mailbox
from tests.world import settings_for

PROCESSES = 6


@pytest.mark.postgres
def test_several_processes_may_start_on_a_new_database_at_once(
    migrated_postgres: str,
    new_postgres_database: Callable[..., str],
    tmp_path: Path,
    mailbox: Mailbox,
    now: datetime,
) -> None:
    settings = settings_for(tmp_path, mailbox=mailbox, database_url=new_postgres_database(migrated_postgres))
    together = Barrier(PROCESSES)

    def start(_: int) -> bytes:
        together.wait()
        installation = open_installation(settings, now=now)
        installation.close()
        return installation.keys.check()

    with ThreadPoolExecutor(PROCESSES) as pool:
        assert len(set(pool.map(start, range(PROCESSES)))) == 1
