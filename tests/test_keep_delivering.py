"""Sending in a thread of a worker's process: it lasts as long as there is something due, and is in nobody's way."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy.orm import Session

from notifier import sending_stock
from notifier.delivering import Deliverer
from notifier.domain.deliveries import Claimed, Composing
from notifier.store.database import Database
from tests.deliverers import delivering
from tests.delivery_rows import add_confirmation, compose_simply, expect_digests, states_in
from tests.scripted_smtp import HANG, Script, scripted
from tests.topologies import wait_until

pytestmark = pytest.mark.rules


class _Helpers:
    """Counts how often help was asked for."""

    calls = 0

    def ask(self) -> None:
        self.calls += 1


def _now() -> datetime:
    return datetime.now(UTC)


def _end_of(deliverer: Deliverer) -> None:
    wait_until(lambda: not deliverer.is_delivering, what="the end of sending", every=0.01)


def _has(script: Script, name: str) -> bool:
    return name in script.recipients


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "delivering"}


def test_whoever_asks_need_not_wait_for_the_mails(database: Database) -> None:
    expect_digests(database, "ada", "bob")
    replies = dict.fromkeys(("MESSAGE:ada", "MESSAGE:bob"), "when told 250 2.0.0 ok")
    with scripted(Script(replies)) as script, delivering(database, script.server) as one:
        one.keep_delivering(now=_now, more=_Helpers().ask)
        was_at_it = one.is_delivering
        script.may_answer.set()
        _end_of(one)

    assert was_at_it
    assert states_in(database) == {"sent": 2}


def test_many_rings_begin_one_thread_and_mail_nobody_twice(database: Database) -> None:
    names = [f"reader{number}" for number in range(60)]
    expect_digests(database, *names)
    with scripted(Script()) as script, delivering(database, script.server) as one:
        before, begun = _threads(), set[threading.Thread]()
        for _ in range(50):
            one.keep_delivering(now=_now, more=_Helpers().ask)
            seen = _threads() - before
            # Whoever rings after the last mail has another thread look, rightly.
            begun |= seen if len(script.accepted) < len(names) else set()
        _end_of(one)

    assert len(begun) == 1
    assert sorted(script.recipients) == sorted(names)


@pytest.mark.slow
def test_a_ring_is_heeded_at_once_while_a_mail_hangs(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # By itself the run would not look for anything while this test lasts.
    monkeypatch.setattr(sending_stock, "LOOK_SECONDS", 1000.0)
    expect_digests(database, "ada")
    with scripted(Script({"RCPT:ada": HANG})) as script, delivering(database, script.server) as one:
        one.keep_delivering(now=_now, more=_Helpers().ask)
        wait_until(lambda: any("ada" in line for line in script.heard), what="the mail that hangs")
        with database.writing() as session:
            add_confirmation(session, "cyd", now=_now())
        one.keep_delivering(now=_now, more=_Helpers().ask)
        wait_until(lambda: script.recipients == ["cyd"], what="the letter", every=0.005)


def test_a_ring_that_comes_as_a_run_ends_is_not_lost(database: Database) -> None:
    names = [f"reader{number}" for number in range(30)]
    with scripted(Script()) as script, delivering(database, script.server) as one:
        for name in names:
            with database.writing() as session:
                add_confirmation(session, name, now=_now())
            one.keep_delivering(now=_now, more=_Helpers().ask)
            wait_until(partial(_has, script, name), what="the mail", every=0.0005)

    assert script.recipients == names


@pytest.mark.parametrize(("chunk", "asks"), [(4, True), (64, False)])
def test_help_is_asked_for_only_where_more_is_due_than_can_be_claimed(
    database: Database, chunk: int, asks: bool
) -> None:
    expect_digests(database, *[f"reader{number}" for number in range(12)])
    helpers = _Helpers()
    with scripted(Script()) as script, delivering(database, script.server, chunk=chunk) as one:
        one.keep_delivering(now=_now, more=helpers.ask)
        _end_of(one)

    assert (helpers.calls > 0) == asks


@pytest.mark.usefixtures("no_destination_looks_slow")
def test_mails_are_composed_once_however_often_somebody_rings(database: Database) -> None:
    expect_digests(database, *[f"reader{number}" for number in range(40)])
    composed: list[int] = []

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        composed.extend(one.id for one in claimed)
        return compose_simply(session, claimed, now)

    with (
        scripted(Script(piece=8)) as script,
        delivering(database, script.server, composer=compose, group=4, chunk=16) as one,
    ):
        while len(script.accepted) < 40:
            one.keep_delivering(now=_now, more=_Helpers().ask)
            time.sleep(0.002)
        _end_of(one)

    assert len(composed) == len(set(composed)) == 40


def test_a_run_that_broke_off_does_not_keep_the_next_ring_from_sending(database: Database) -> None:
    expect_digests(database, "ada")
    broken = [True]

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        if broken:
            database.engine.dispose()
            raise MemoryError
        return compose_simply(session, claimed, now)

    with scripted(Script()) as script, delivering(database, script.server, composer=compose) as one:
        one.keep_delivering(now=_now, more=_Helpers().ask)
        _end_of(one)
        broken.clear()
        with database.writing() as session:
            add_confirmation(session, "cyd", now=_now())
        one.keep_delivering(now=_now, more=_Helpers().ask)
        _end_of(one)

    assert script.recipients == ["cyd"]


@pytest.mark.usefixtures("no_destination_looks_slow")
def test_closing_ends_it_and_gives_back_what_was_not_begun(database: Database) -> None:
    names = [f"reader{number}" for number in range(40)]
    expect_digests(database, *names)
    # So slow that some are left, however late this test sees the first ones.
    slowly = {f"MESSAGE:{name}": "after 1 250 2.0.0 ok" for name in names}
    with scripted(Script(slowly)) as script, delivering(database, script.server, group=4) as one:
        one.keep_delivering(now=_now, more=_Helpers().ask)
        wait_until(lambda: len(script.accepted) > 1, what="the first mails", every=0.005)
        one.close(grace=60)
        _end_of(one)

    states = states_in(database)
    assert states == {"sent": len(script.accepted), "waiting": 40 - len(script.accepted)}


@pytest.mark.parametrize(("grace", "takes", "state"), [(0.1, 100, "in_data"), (60.0, 1.5, "sent")])
def test_mails_under_way_have_as_long_as_is_said_when_it_closes(
    database: Database, grace: float, takes: float, state: str
) -> None:
    expect_digests(database, "ada")
    with (
        scripted(Script({"MESSAGE:ada": f"after {takes} 250 2.0.0 ok"})) as script,
        delivering(database, script.server) as one,
    ):
        one.keep_delivering(now=_now, more=_Helpers().ask)
        wait_until(lambda: bool(script.accepted), what="the message", every=0.01)
        one.close(grace=grace)

    assert states_in(database) == {state: 1}
