"""A worker killed in the middle of its work, again and again: no mail is lost, and every extra copy was counted."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from notifier.store.database import Database
from notifier.store.models import Delivery, Match
from notifier.store.subscriber_store import end_subscriptions
from tests.delivery_rows import add_change, add_digest, add_reader, add_trial
from tests.smtp_servers import Mailbox, mailbox

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).resolve().parents[1]
MAILS = 1000
KILLS = 5
LEASE_SECONDS = 1.0
MOST_IN_DATA = 32
LEAVERS = 40
"""How many readers leave while mails go out, a few after each kill."""


def _fill(database: Database) -> dict[str, int]:
    """A thousand digests due; the Delivery of each address."""
    now = datetime.now(UTC)
    with database.writing() as session:
        trial = add_trial(session, 1, now=now)
        readers = {f"r{n}@example.org": add_reader(session, f"r{n}", trials=[trial], now=now) for n in range(MAILS)}
        add_change(session, trial, now=now)
        return {address: add_digest(session, reader, now=now) for address, reader in readers.items()}


@contextmanager
def _worker(database: Database, box: Mailbox) -> Iterator[subprocess.Popen[bytes]]:
    url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.kill_worker", url, str(box.port), str(LEASE_SECONDS)]
    with subprocess.Popen(command, cwd=REPOSITORY) as worker:
        try:
            yield worker
        finally:
            worker.kill()


def _leave(database: Database, count: int) -> dict[int, bool]:
    """Deliveries of readers who leave now; whether that was committed before their mail went into in_data."""
    gone: dict[int, bool] = {}
    for _ in range(count):
        with database.writing() as session:
            chosen = select(Delivery).where(Delivery.in_data_at.is_(None), Delivery.state.in_(("leased", "waiting")))
            one = session.scalars(chosen.order_by(Delivery.state, Delivery.id).limit(1)).first()
            if one is None or one.subscriber_id is None:
                return gone
            now = datetime.now(UTC)
            end_subscriptions(session, subscriber_id=one.subscriber_id, subscription_id=None, reason="left", now=now)
            # The choice was read before the lock: it may have gone into in_data meanwhile.
            gone[one.id] = session.scalar(select(Delivery.in_data_at).where(Delivery.id == one.id)) is None
    return gone


def _wait_for_more(box: Mailbox, more: int, worker: "subprocess.Popen[bytes]") -> None:
    wanted, deadline = len(box.accepted) + more, time.monotonic() + 60
    while len(box.accepted) < wanted and time.monotonic() < deadline:
        assert worker.poll() is None
        time.sleep(0.001)


def _open_count(database: Database) -> int:
    with database.reading() as session:
        done = ("sent", "cancelled", "failed", "unknown")
        return session.scalar(select(func.count()).where(Delivery.state.not_in(done))) or 0


def _drain(database: Database, box: Mailbox) -> None:
    with _worker(database, box) as worker:
        deadline = time.monotonic() + 120
        while _open_count(database) and time.monotonic() < deadline:
            assert worker.poll() is None
            time.sleep(0.05)


def test_a_killed_worker_loses_nothing_and_counts_its_copies(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random()
    deliveries = _fill(database)
    gone: dict[int, bool] = {}
    with mailbox() as box:
        for _ in range(KILLS):
            with _worker(database, box) as worker:
                _wait_for_more(box, dice.randint(10, 150), worker)
                gone |= _leave(database, LEAVERS // KILLS)
                time.sleep(dice.random() * 0.05)
            time.sleep(LEASE_SECONDS)
        _drain(database, box)
        accepted = Counter(deliveries[recipient] for recipient, _ in box.accepted)

    with database.reading() as session:
        ambiguous = {row.id: row.ambiguous for row in session.execute(select(Delivery.id, Delivery.ambiguous))}
        states = Counter(session.scalars(select(Delivery.state)))
        open_matches = session.scalar(select(func.count()).where(Match.ended_at.is_(None)))
    copies = sum(accepted.values()) - len(accepted)
    never = [id_ for id_ in deliveries.values() if id_ not in accepted and id_ not in gone]
    unflagged = [id_ for id_, times in accepted.items() if times - 1 > ambiguous[id_]]
    in_time = {id_ for id_, before_in_data in gone.items() if before_in_data}
    figures = f"{KILLS} kills, {copies} copies, {sum(ambiguous.values())} flagged, {len(in_time)} left in time"
    with capsys.disabled():
        sys.stdout.write(f"\n{database.engine.dialect.name}: {figures}, {dict(states)}\n")
    assert never == []
    assert unflagged == []
    assert copies <= KILLS * MOST_IN_DATA
    assert in_time
    assert in_time.isdisjoint(accepted)
    assert open_matches == 0
