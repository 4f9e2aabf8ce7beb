"""The real Celery worker, with the real digests, killed five times: nobody is missed, every extra copy was counted."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from notifier import queues
from notifier.config import Settings
from notifier.store.models import Delivery, Match
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.topologies import COMMAND, environment_of, wait_until
from tests.world import World, open_world, settings_for

pytestmark = [pytest.mark.faults, pytest.mark.postgres, pytest.mark.redis, pytest.mark.timeout(600)]

READERS = 1000
STUDIES = 5
KILLS = 5
MOST_IN_DATA = 32
LEASE_SECONDS = 2


@pytest.fixture
def waiting(
    tmp_path: Path, mailbox: Mailbox, redis_url: str, new_postgres_database: object, migrated_postgres: str
) -> Iterator[World]:
    """A thousand digests due on PostgreSQL, and a broker."""
    url = new_postgres_database(migrated_postgres)  # type: ignore[operator]
    settings = settings_for(tmp_path, mailbox=mailbox, database_url=url)
    settings = settings.model_copy(update={"broker_url": redis_url, "lease_seconds": LEASE_SECONDS})
    world = open_world(settings, mailbox=mailbox, now=datetime.now(UTC) - timedelta(hours=2))
    world.ingest(*(make_study(number) for number in range(STUDIES)))
    for number in range(READERS):
        world.subscribe(f"r{number}@example.org", trial=f"NCT9000{number % STUDIES:04}")
    world.ingest(*(make_study(number, enrollment=120) for number in range(STUDIES)))
    assert world.plan() == READERS
    queues.configure(settings)
    yield world
    world.close()


def test_a_killed_celery_worker_misses_nobody(waiting: World, capsys: pytest.CaptureFixture[str]) -> None:
    box = waiting.mailbox
    for kill in range(KILLS):
        with celery_worker(waiting.installation.settings, folder=waiting.installation.settings.data_dir):
            wait_for_mails(box, min(len(box.accepted) + 60 + 20 * kill, READERS))
        time.sleep(LEASE_SECONDS)
    with celery_worker(waiting.installation.settings, folder=waiting.installation.settings.data_dir):
        wait_until(lambda: is_drained(waiting), seconds=180, what="the rest")

    accepted = Counter(box.recipients)
    copies = sum(accepted.values()) - len(accepted)
    flagged = waiting.counts()["ambiguous"]
    with capsys.disabled():
        sys.stdout.write(f"\ncelery: {KILLS} kills, {len(accepted)} readers, {copies} copies, {flagged} flagged\n")
    assert len(accepted) == READERS
    assert copies <= KILLS * MOST_IN_DATA
    assert unflagged(waiting, accepted) == []
    assert set(waiting.endings()) == {"delivered"}


@contextmanager
def celery_worker(settings: Settings, *, folder: Path) -> Iterator[None]:
    """A worker with one process, killed with all its processes at the end."""
    given = {f"NOTIFIER_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, "worker", "--concurrency", "1"],
            cwd=folder, env=environment_of(given), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


def wait_for_mails(box: Mailbox, wanted: int) -> None:
    """Until so many were accepted; rings now and then, because what a killed worker held comes back with a sweep."""
    rung = 0.0

    def enough() -> bool:
        nonlocal rung
        if time.monotonic() - rung > 1:
            queues.ring(queues.SWEEP)
            rung = time.monotonic()
        return len(box.accepted) >= wanted

    wait_until(enough, what=f"{wanted} mails", every=0.002)


def is_drained(world: World) -> bool:
    """Ring for what lost workers left, and look whether anything is still on its way."""
    queues.ring(queues.SWEEP)
    time.sleep(0.5)
    with world.installation.database.reading() as session:
        unfinished = select(func.count()).where(Match.ended_at.is_(None))
        return not session.scalar(unfinished)


def unflagged(world: World, accepted: Counter[str]) -> list[str]:
    """Readers who got more copies than were counted as ambiguous."""
    with world.installation.database.reading() as session:
        rows = session.execute(select(Delivery.subscriber_id, Delivery.ambiguous))
        ambiguous = {row.subscriber_id: row.ambiguous for row in rows}
    # Subscribers are numbered in the order in which they came.
    return [who for who, times in accepted.items() if times - 1 > ambiguous[int(who[1 : who.index("@")]) + 1]]
