"""Celery's tasks: each may run twice, each rings the next bell, and a broker that is away is no error."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from notifier import queues, worker
from notifier.config import load_settings
from notifier.domain.schedules import Cadence
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.topologies import wait_until
from tests.world import World


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bells that were rung."""
    bells: list[str] = []
    monkeypatch.setattr(queues, "ring", lambda task, **_how: bells.append(task))
    return bells


@pytest.fixture(autouse=True)
def default_broker_afterwards() -> Iterator[None]:
    yield
    queues.configure(load_settings())


@pytest.fixture
def working(world: World, rung: list[str]) -> Iterator[World]:
    """A worker process on the world's database, in the present."""
    world.now = datetime.now(UTC) - timedelta(minutes=1)
    worker.use_settings(world.installation.settings)
    yield world
    worker.close()


def send() -> None:
    """The sending task, and the end of what it began."""
    worker.send_deliveries()
    wait_until(lambda: not worker.is_sending(), what="the end of sending")


def test_a_record_becomes_a_mail_through_tasks_alone(working: World, rung: list[str], mailbox: Mailbox) -> None:
    working.ingest(make_study(1))
    working.subscribe("a@example.org", trial="NCT90000001")

    worker.ingest_record(make_study(1, enrollment=120, updated="2026-02-21"))
    worker.match_changes()
    send()

    assert mailbox.recipients == ["a@example.org"]
    assert rung == [queues.MATCH_CHANGES, queues.SEND_DELIVERIES]


def test_every_task_may_run_twice(working: World, mailbox: Mailbox) -> None:
    working.ingest(make_study(1))
    working.subscribe("a@example.org", trial="NCT90000001")

    for _ in range(2):
        worker.ingest_record(make_study(1, enrollment=120, updated="2026-02-21"))
        for task in (worker.match_changes, worker.plan_digests, send, worker.sweep):
            task()

    assert mailbox.recipients == ["a@example.org"]


def test_the_sweep_alone_brings_everything_on_its_way(working: World, rung: list[str]) -> None:
    worker.sweep()

    assert rung == [queues.MATCH_CHANGES, queues.PLAN_DIGESTS, queues.SEND_DELIVERIES]


def test_a_bad_record_fails_no_task(working: World) -> None:
    assert worker.ingest_record({"protocolSection": {}})["rejected"] == 1


@pytest.mark.slow
def test_a_broker_that_is_away_is_no_error() -> None:
    queues.configure(load_settings(broker_url="redis://127.0.0.1:9/0"))

    queues.ring(queues.SWEEP)

    assert not queues.is_reachable(0.5)


@pytest.mark.slow
def test_a_broker_that_never_answers_is_waited_for_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "QUIET_SECONDS", 1000.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        queues.configure(load_settings(broker_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        queues.ring(queues.SWEEP)
        silent.settimeout(60)
        with silent.accept()[0]:
            pass
        silent.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
        for _ in range(5):
            queues.ring(queues.SWEEP)
        with pytest.raises(BlockingIOError):
            silent.accept()


@pytest.mark.slow
def test_what_comes_in_is_matched_and_sent_while_a_mail_hangs(
    working: World, rung: list[str], mailbox: Mailbox
) -> None:
    working.ingest(make_study(1), make_study(2))
    working.subscribe("a@example.org", trial="NCT90000001")
    working.subscribe("b@example.org", trial="NCT90000002")
    mailbox.hang_at = "message"
    for number in (1, 2):
        worker.ingest_record(make_study(number, enrollment=120, updated="2026-02-21"))
        worker.match_changes()
        worker.send_deliveries()
        wait_until(lambda so_far=number: len(mailbox.accepted) == so_far, what="the mail")  # type: ignore[misc]

    assert worker.is_sending()


def test_an_urgent_mail_is_sent_from_where_it_is_planned_whatever_else_the_bells_wait_for(
    working: World, mailbox: Mailbox
) -> None:
    working.ingest(make_study(1))
    weekly = Cadence(cadence="weekly", hour=7, weekday=4)
    working.subscribe("a@example.org", trial="NCT90000001", cadence=weekly, urgent=True)

    worker.ingest_record(make_study(1, status="SUSPENDED", why_stopped="Safety", updated="2026-03-03"))
    worker.match_changes()
    wait_until(lambda: not worker.is_sending(), what="the end of sending")

    assert mailbox.recipients == ["a@example.org"]


def test_a_process_with_more_than_it_can_claim_rings_for_others_now_and_then(working: World, rung: list[str]) -> None:
    for _ in range(3):
        worker.ask_for_help()
    wait_until(lambda: bool(rung), what="the ring")

    assert rung == [queues.SEND_DELIVERIES]


def test_a_ring_of_an_earlier_version_is_understood(working: World) -> None:
    worker.send_deliveries(turn="4711")


def test_a_worker_told_to_stop_sends_nothing_more(working: World, mailbox: Mailbox) -> None:
    working.ingest(make_study(1))
    working.subscribe("a@example.org", trial="NCT90000001")
    worker.sweep()
    worker.stop_sending()
    worker.ingest_record(make_study(1, enrollment=120, updated="2026-02-21"))
    for task in (worker.match_changes, worker.plan_digests, send):
        task()

    assert mailbox.recipients == []


def test_a_task_that_comes_after_a_worker_was_closed_sends_nothing(working: World, mailbox: Mailbox) -> None:
    working.ingest(make_study(1))
    working.subscribe("a@example.org", trial="NCT90000001")
    worker.ingest_record(make_study(1, enrollment=120, updated="2026-02-21"))
    worker.match_changes()
    worker.close()
    send()

    assert mailbox.recipients == []


def test_only_ids_and_records_travel() -> None:
    names = {name for name in queues.app.tasks if name.startswith("notifier.")}

    assert names == {
        queues.INGEST_RECORD, queues.MATCH_CHANGES, queues.PLAN_DIGESTS, queues.SEND_DELIVERIES, queues.SWEEP,
    }  # fmt: skip


def test_what_the_schedule_rang_while_nobody_worked_is_done_once(working: World, rung: list[str]) -> None:
    for _ in range(3):
        worker.sweep(every=30.0)

    assert len(rung) == 3
    worker.sweep()
    assert len(rung) == 6


def test_the_schedule_goes_on_when_the_clock_is_put_back_by_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = queues.celery_options(load_settings())["beat_schedule"]
    jumped = type("Jumped", (datetime,), {"now": classmethod(lambda cls, zone: datetime(2020, 1, 1, tzinfo=zone))})
    one = entries["sweep"]["schedule"]
    before = one.now()
    monkeypatch.setattr(queues, "datetime", jumped)

    assert timedelta() <= one.now() - before < timedelta(minutes=1)
    assert "expires" not in str(entries)
