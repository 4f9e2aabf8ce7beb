"""All sending stops at the operator's word, within the mails in hand, and goes on with nothing lost or doubled."""

import asyncio
import json
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select

from notifier.checkup import check_up
from notifier.delivering import Limits
from notifier.stopping import list_stops, pause, resume
from notifier.store.models import Delivery
from tests.commands import notifier
from tests.many_readers import BOTH_ENGINES, address_of, follow, send, serving, world_that_mails_to
from tests.servers import free_port
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.topologies import COMMAND, environment_of, wait_until
from tests.world import World

pytestmark = pytest.mark.rules
READERS = 300
WORKERS = 2


@dataclass
class Slow(Mailbox):
    """A mail server that takes its time and says when it took the first mails."""

    enough: threading.Event = field(default_factory=threading.Event)
    is_stopped: bool = False
    """Until then it takes its time over what comes after those, so that some are left however late the stop is."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(0.005)
        if len(self.accepted) > READERS / 10:
            self.enough.set()
            await asyncio.sleep(0 if self.is_stopped else 0.5)
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def slow() -> Iterator[Slow]:
    box = Slow(port=free_port())
    with serving(box):
        yield box


@pytest.fixture(params=BOTH_ENGINES)
def crowd(
    request: pytest.FixtureRequest, tmp_path: Path, slow: Slow, now: datetime, no_destination_looks_slow: None
) -> Iterator[World]:
    with world_that_mails_to(slow, request=request, folder=tmp_path, now=now) as world:
        yield world


def test_workers_stop_within_the_mails_in_hand_and_go_on_where_they_were(crowd: World, slow: Slow) -> None:
    follow(crowd, readers=READERS)
    crowd.ingest(make_study(status="COMPLETED", updated="2026-03-03"))
    assert crowd.plan() == READERS
    with ThreadPoolExecutor(WORKERS) as threads:
        runs = [threads.submit(send, crowd) for _ in range(WORKERS)]
        assert slow.enough.wait(60)
        pause(crowd.installation.database, note=None, now=crowd.now)
        slow.is_stopped, then = True, len(slow.accepted)
        for run in runs:
            run.result()

    assert len(slow.accepted) - then <= WORKERS * Limits().group
    assert len(slow.accepted) < READERS
    stopped = len(slow.accepted)
    send(crowd)
    assert len(slow.accepted) == stopped
    with crowd.installation.database.reading() as session:
        tried = session.scalars(select(Delivery.attempts).where(Delivery.state != "sent")).all()
    assert set(tried) == {0}

    resume(crowd.installation.database, now=crowd.now)
    # On a busy machine the server looked slow, and some were put off for two seconds.
    crowd.now += timedelta(minutes=1)
    send(crowd)
    assert Counter(recipient for recipient, _ in slow.accepted) == {address_of(one): 1 for one in range(READERS)}
    assert crowd.counts()["ambiguous"] == 0


def test_what_is_due_meanwhile_comes_in_one_digest(world: World) -> None:
    world.ingest(make_study(), baseline=True)
    world.subscribe("jo@example.org", trial="NCT90000001")
    pause(world.installation.database, note=None, now=world.now)
    world.ingest(make_study(status="SUSPENDED", updated="2026-03-03"))
    world.tick()
    world.ingest(make_study(status="COMPLETED", updated="2026-03-04"))
    world.tick()
    assert world.mails("jo@example.org") == []

    resume(world.installation.database, now=world.now)
    world.tick()
    assert len(world.mails("jo@example.org")) == 1


def test_pausing_and_resuming_twice_does_it_once(world: World) -> None:
    database = world.installation.database

    assert [pause(database, note="a test", now=world.now), pause(database, note="another", now=world.now)] == [
        True,
        False,
    ]
    assert [(one.why, one.note) for one in list_stops(database)] == [("paused", "a test")]
    assert [resume(database, now=world.now), resume(database, now=world.now)] == [True, False]
    assert list_stops(database) == []


def test_a_note_names_nobody(world: World) -> None:
    pause(world.installation.database, note="asked by jo@example.org, back at 5", now=world.now)

    assert [one.note for one in list_stops(world.installation.database)] == ["asked by [address], back at 5"]


def test_the_doctor_says_since_when_and_why(world: World) -> None:
    pause(world.installation.database, note="the relay moves", now=world.now)

    found = [one for one in check_up(world.installation.settings, now=world.now) if one.part == "sending"]
    assert [one.ok for one in found] == [False]
    assert found[0].message == (
        "No mail goes out since 2026-03-02 09:00 UTC (paused by notifier pause: the relay moves). "
        "To go on: notifier resume"
    )


def test_who_wonders_why_no_mail_goes_out_is_told(tmp_path: Path) -> None:
    notifier(tmp_path, "pause")

    again = notifier(tmp_path, "pause", "--note", "another reason")
    asked = [again.stdout, notifier(tmp_path, "tick", "--no-deliver").stderr]
    asked.append(notifier(tmp_path, "why", "ada@example.org").stderr)

    assert all("paused by notifier pause" in said and "notifier resume" in said for said in asked)
    assert "note stays as it was" in again.stdout


def test_a_worker_says_at_its_start_that_no_mail_goes_out(tmp_path: Path) -> None:
    notifier(tmp_path, "pause", "--note", "the relay moves")
    nowhere = {"NOTIFIER_BROKER_URL": "redis://127.0.0.1:9/0", "NOTIFIER_SMTP_URL": "smtp://127.0.0.1:9"}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen([*COMMAND, "worker"], cwd=tmp_path, env=environment_of(nowhere), stderr=log)
    try:
        wait_until(lambda: "notifier resume" in (tmp_path / "log").read_text(), what="the worker's word")
    finally:
        worker.kill()
        worker.wait(60)
    assert "the relay moves). To go on: notifier resume" in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_the_commands_say_what_they_did(tmp_path: Path) -> None:
    first = notifier(tmp_path, "pause", "--note", "the relay moves")
    again = json.loads(notifier(tmp_path, "pause", "--json").stdout)
    status = json.loads(notifier(tmp_path, "status", "--json").stdout)
    on = notifier(tmp_path, "resume")

    assert (first.returncode, "confirmations and other letters included" in first.stdout) == (0, True)
    assert (again["changed"], again["stops"][0]["note"]) == (False, "the relay moves")
    assert [one["why"] for one in status["stops"]] == ["paused"]
    assert on.stdout == "Mails go out again, what waited first.\n"
    assert notifier(tmp_path, "resume").stdout.endswith("this says why: notifier doctor\n")
    assert json.loads(notifier(tmp_path, "resume", "--json").stdout) == {"paused": False, "changed": False}
