"""Runs whose lease is lost, whose database breaks, or whose places are taken: they end, and harm no other run."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from notifier import sending_window
from notifier.delivering import Deliverer
from notifier.domain.deliveries import Claimed, Composed, Composing, Verdicts
from notifier.domain.traffic import HeldBack
from notifier.emails import pipelining
from notifier.errors import StoreUnavailable
from notifier.store.database import Database
from notifier.store.models import Delivery
from tests.deliverers import delivering
from tests.delivery_rows import (
    compose_in_domains,
    compose_simply,
    expect_digests,
    states_in,
)
from tests.scripted_smtp import HANG, Script, scripted
from tests.topologies import wait_until

pytestmark = pytest.mark.rules


def _now() -> datetime:
    return datetime.now(UTC)


def _take_leases(database: Database, *names: str) -> None:
    """What a sweep does after a long sleep of ours."""
    with database.writing() as session:
        taken = update(Delivery).where(Delivery.state.in_(("leased", "in_data")))
        chosen = taken.where(Delivery.subscriber_id.in_([int(name) for name in names])) if names else taken
        session.execute(chosen.values(state="deferred", lease_token=None, leased_until=None, not_before=_later()))


def _later() -> datetime:
    return _now() + timedelta(hours=1)


def _wait_until(true: Callable[[], bool]) -> None:
    wait_until(true, what="what comes next", every=0.02)


@contextmanager
def _swept(deliverer: Deliverer) -> Iterator[None]:
    """Take back again and again what is under a lease that ran out."""
    done = threading.Event()

    def sweep() -> None:
        while not done.wait(0.2):
            deliverer.sweep(now=_now)

    thread = threading.Thread(target=sweep)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _slowly(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
    time.sleep(0.08 * len(claimed))
    return compose_simply(session, claimed, now)


@pytest.mark.slow
def test_composing_that_takes_longer_than_a_lease_loses_none(database: Database) -> None:
    expect_digests(database, *(f"r{number}" for number in range(100)))
    with (
        scripted(Script()) as script,
        delivering(database, script.server, composer=_slowly, lease=timedelta(seconds=5)) as deliverer,
        _swept(deliverer),
    ):
        done = deliverer.deliver_due(now=_now)

    assert (done.sent, done.stopped, len(script.recipients)) == (100, None, 100)


@pytest.mark.slow
def test_one_mail_that_takes_longer_than_a_lease_to_compose_costs_a_run_and_no_mail(database: Database) -> None:
    names = [f"r{number}" for number in range(6)]
    expect_digests(database, *names)
    tried: list[None] = []

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        tried.append(None)
        if len(tried) == 1:
            _wait_until(lambda: "leased" not in states_in(database))
        return compose_simply(session, claimed, now)

    with (
        scripted(Script()) as script,
        delivering(database, script.server, composer=compose, lease=timedelta(seconds=4)) as deliverer,
        _swept(deliverer),
    ):
        lost = deliverer.deliver_due(now=_now)
        deliverer.deliver_due(now=_now)

    assert (lost.sent, lost.stopped) == (0, "the lease was lost")
    assert sorted(script.recipients) == names
    assert states_in(database) == {"sent": 6}


def test_a_run_that_lost_its_lease_ends_though_a_mail_hangs(database: Database) -> None:
    expect_digests(database, "ada")
    with (
        scripted(Script({"MESSAGE:ada": HANG})) as script,
        delivering(database, script.server, lease=timedelta(seconds=0.7)) as deliverer,
    ):
        run = threading.Thread(target=deliverer.deliver_due, kwargs={"now": _now}, daemon=True)
        run.start()
        _wait_until(lambda: "DATA" in script.heard)
        _take_leases(database)
        run.join(50)
        ended = not run.is_alive()

    assert ended


class _Broken:
    """Traffic that lets everything go, and breaks when it is to learn."""

    def rest_unmade(self, _session: Session, claimed: Sequence[Claimed], *, now: datetime) -> HeldBack:
        return HeldBack()

    def hold_back(self, _session: Session, mails: Sequence[Composed], *, now: datetime) -> HeldBack:
        return HeldBack()

    def note(self, _session: Session, mails: Sequence[Composed], verdicts: Verdicts, *, now: datetime) -> None:
        raise ZeroDivisionError

    def look_again(self, *, now: datetime) -> float | None:
        return None


def test_an_error_of_ours_in_learning_loses_no_answer_and_ends_the_run(database: Database) -> None:
    expect_digests(database, "ada", "bob")
    errors: list[Exception] = []
    with scripted(Script()) as script, delivering(database, script.server, traffic=_Broken()) as deliverer:

        def go() -> None:
            try:
                deliverer.deliver_due(now=_now)
            except ZeroDivisionError as error:
                errors.append(error)

        run = threading.Thread(target=go, daemon=True)
        run.start()
        run.join(60)

    assert errors
    assert states_in(database) == {"sent": 2}


@contextmanager
def _answer_lost(commit: int) -> Iterator[None]:
    """Nobody hears of what one commit wrote; it is there nevertheless."""
    seen: list[None] = []

    def lose(session: Session) -> None:
        if session.get_bind().get_execution_options().get("postgresql_readonly"):
            return
        seen.append(None)
        if len(seen) == commit:
            raise OperationalError("COMMIT", None, Exception("the connection was lost"))

    event.listen(Session, "after_commit", lose)
    try:
        yield
    finally:
        event.remove(Session, "after_commit", lose)


def test_what_was_admitted_though_nobody_heard_of_it_goes_out_in_a_minute_and_is_in_no_doubt(
    database: Database,
) -> None:
    expect_digests(database, "ada")
    with scripted(Script()) as script, delivering(database, script.server) as deliverer:
        with _answer_lost(2):
            deliverer.deliver_due(now=_now)
        assert states_in(database) == {"deferred": 1}
        deliverer.deliver_due(now=lambda: _now() + timedelta(seconds=70), real=_now)

    assert script.recipients == ["ada"]
    with database.reading() as session:
        assert session.execute(select(Delivery.state, Delivery.ambiguous)).one() == ("sent", 0)


def _go_away(database: Database, script: Script, *, seconds: float) -> None:
    """From the moment on when the server has the message, no commit succeeds for a while."""
    _wait_until(lambda: bool(script.accepted))
    until = time.monotonic() + seconds

    def refuse(_session: Session) -> None:
        if time.monotonic() < until:
            raise OperationalError("COMMIT", None, Exception("the connection was lost"))

    database.before_commit = refuse


@pytest.mark.slow
def test_what_the_server_said_is_kept_longer_than_a_lease(database: Database) -> None:
    expect_digests(database, "ada")
    replies = {"MESSAGE:ada": "after 0.3 250 2.0.0 queued"}
    with (
        scripted(Script(replies)) as script,
        delivering(database, script.server, lease=timedelta(seconds=1)) as deliverer,
    ):
        threading.Thread(target=_go_away, args=(database, script), kwargs={"seconds": 1.8}).start()
        with suppress(StoreUnavailable):
            deliverer.deliver_due(now=_now)
        _wait_until(lambda: states_in(database) == {"sent": 1})

    assert states_in(database) == {"sent": 1}


def _domain_of(name: str) -> str:
    """Everybody has a mail domain of their own, but those who are slow share one."""
    return name.rstrip("0123456789") if name.startswith("slow") else name


APART = compose_in_domains(_domain_of)


def test_what_comes_back_under_the_same_token_goes_out_once(database: Database) -> None:
    names = [f"r{number}" for number in range(6)]
    expect_digests(database, *names)
    replies = {f"MESSAGE:{name}": HANG for name in names}
    with (
        scripted(Script(replies)) as script,
        delivering(database, script.server, composer=APART, group=4) as deliverer,
    ):

        def free() -> None:
            _wait_until(lambda: bool(script.accepted))
            with database.writing() as session:
                leased = update(Delivery).where(Delivery.state == "leased")
                session.execute(leased.values(state="waiting", lease_token=None, leased_until=None))

        threading.Thread(target=free).start()
        assert deliverer.deliver_due(now=_now).stopped == "the lease was lost"

    assert len(script.recipients) == len(set(script.recipients))


@pytest.mark.slow
def test_a_slow_destination_whose_mails_are_all_that_was_claimed_lets_others_pass(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_window, "MOVING_SECONDS", 0.1)
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 0.1)
    slow = [f"slow{number}" for number in range(24)]
    expect_digests(database, *slow, "ada", "bob")
    hangs = {f"RCPT:{name}": HANG for name in slow}
    with (
        scripted(Script(hangs)) as script,
        delivering(database, script.server, composer=APART, group=8, chunk=24) as deliverer,
    ):
        run = threading.Thread(target=deliverer.deliver_due, kwargs={"now": _now})
        run.start()
        _wait_until(lambda: len(script.accepted) == 2)
        deliverer.close()
        run.join(60)

    assert sorted(script.recipients) == ["ada", "bob"]
