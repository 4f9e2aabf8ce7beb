"""How sending ends where something else does: no answer is lost, and nothing keeps the next ring from sending."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from notifier.delivering import Deliverer
from notifier.domain.deliveries import OURS_IN_A_ROW, Claimed, Composed, Composing, Verdicts
from notifier.domain.traffic import HeldBack
from notifier.errors import StoreUnavailable
from notifier.store.database import Database
from tests.deliverers import delivering
from tests.delivery_rows import add_confirmation, compose_simply, expect_digests, states_in
from tests.scripted_smtp import HANG, Script, scripted
from tests.topologies import wait_until

pytestmark = pytest.mark.rules


def _now() -> datetime:
    return datetime.now(UTC)


def _ring(deliverer: Deliverer) -> None:
    deliverer.keep_delivering(now=_now, more=lambda: None)


def _end_of(deliverer: Deliverer) -> None:
    wait_until(lambda: not deliverer.is_delivering, what="the end of sending", every=0.01)


class _Slow:
    """Traffic that lets everything go, and takes its time when it first has something to learn."""

    def __init__(self) -> None:
        self.learns, self.may_end = threading.Event(), threading.Event()

    def rest_unmade(self, _session: Session, claimed: Sequence[Claimed], *, now: datetime) -> HeldBack:
        return HeldBack()

    def hold_back(self, _session: Session, mails: Sequence[Composed], *, now: datetime) -> HeldBack:
        return HeldBack()

    def note(self, _session: Session, mails: Sequence[Composed], verdicts: Verdicts, *, now: datetime) -> None:
        self.learns.set()
        self.may_end.wait(100)

    def look_again(self, *, now: datetime) -> float | None:
        return None


def test_what_is_known_as_connections_end_is_marked_though_the_database_is_slow(database: Database) -> None:
    names = ["ada", "bob", "cyd", "dan"]
    expect_digests(database, *names)
    slow = _Slow()
    replies = {"MESSAGE:bob": HANG, "RCPT:cyd": HANG, "RCPT:dan": HANG}
    with scripted(Script(replies)) as script, delivering(database, script.server, traffic=slow) as one:
        _ring(one)
        assert slow.learns.wait(60)
        wait_until(lambda: len(script.accepted) == 2, what="the mail that hangs", every=0.01)
        ending = threading.Thread(target=one.close, kwargs={"grace": 0.1})
        ending.start()
        wait_until(lambda: script.open_connections == 0, what="the end of the connections", every=0.01)
        ending.join(1)
        slow.may_end.set()
        ending.join(60)
        _end_of(one)

    assert states_in(database) == {"sent": 1, "in_data": 1, "deferred": 2}


def _broken_start(name: str, *, start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def begin(thread: threading.Thread) -> None:
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    return begin


@pytest.mark.parametrize("name", ["delivering", "postman"])
def test_a_thread_that_could_not_begin_keeps_no_later_ring_from_sending(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    expect_digests(database, "ada")
    with scripted(Script()) as script, delivering(database, script.server) as one:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", _broken_start(name, start=threading.Thread.start))
            with suppress(RuntimeError):
                _ring(one)
            _end_of(one)
        _ring(one)
        _end_of(one)

    assert "in_data" not in states_in(database)
    assert len(script.accepted) == (name == "delivering")


def test_a_run_that_our_own_fault_stopped_goes_on_at_a_ring_though_a_mail_hangs(database: Database) -> None:
    refused = [f"reader{number}" for number in range(OURS_IN_A_ROW)]
    expect_digests(database, "ada", *refused)
    replies = {"MESSAGE:ada": HANG} | {f"RCPT:{name}": "554 5.7.1 Relay access denied" for name in refused}
    with scripted(Script(replies)) as script, delivering(database, script.server) as one:
        _ring(one)
        wait_until(lambda: states_in(database).get("deferred") == OURS_IN_A_ROW, what="the stop", every=0.02)
        with database.writing() as session:
            add_confirmation(session, "cyd", now=_now())
        _ring(one)
        wait_until(lambda: states_in(database).get("sent") == 1, what="the letter", every=0.02)

    assert "cyd" in script.recipients
    assert states_in(database) == {"in_data": 1, "sent": 1, "deferred": OURS_IN_A_ROW}


def test_a_database_that_was_away_for_a_moment_keeps_no_ring_from_sending_though_a_mail_hangs(
    database: Database,
) -> None:
    expect_digests(database, "ada")
    breaks: list[bool] = []

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        if breaks == [True]:
            breaks.append(False)
            raise StoreUnavailable("away")
        return compose_simply(session, claimed, now)

    with (
        scripted(Script({"MESSAGE:ada": HANG})) as script,
        delivering(database, script.server, composer=compose) as one,
    ):
        _ring(one)
        wait_until(lambda: "ada" in script.recipients, what="the mail that hangs", every=0.02)
        breaks.append(True)
        with database.writing() as session:
            add_confirmation(session, "cyd", now=_now())
        wait_until(lambda: len(breaks) == 2, what="the database to be away", every=0.02)
        _ring(one)
        wait_until(lambda: states_in(database).get("sent") == 1, what="the letter", every=0.02)

    assert "cyd" in script.recipients
    assert states_in(database) == {"in_data": 1, "sent": 1}


def test_a_ring_that_comes_as_a_run_breaks_off_is_not_lost(database: Database) -> None:
    expect_digests(database, "ada")
    composes, may_break = threading.Event(), threading.Event()

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        if not composes.is_set():
            composes.set()
            may_break.wait(100)
            raise StoreUnavailable("away")
        return compose_simply(session, claimed, now)

    with scripted(Script()) as script, delivering(database, script.server, composer=compose) as one:
        _ring(one)
        assert composes.wait(60)
        with database.writing() as session:
            add_confirmation(session, "cyd", now=_now())
        _ring(one)
        may_break.set()
        _end_of(one)

    assert script.recipients == ["cyd"]
