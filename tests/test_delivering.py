"""Delivering from the database to real SMTP servers, with every kind of answer and every kind of trouble."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from notifier.delivering import Composer, Deliverer
from notifier.domain.deliveries import Claimed, Composed, Composing
from notifier.emails.pipelining import Timeouts
from notifier.emails.postman import Postman
from notifier.emails.tray import Tray
from notifier.errors import ConfigurationError
from notifier.store.database import Database
from notifier.store.lease_store import LEASE, claim
from notifier.store.models import Delivery, Match, Subscriber, Told
from tests.deliverers import delivering, make_deliverer
from tests.delivery_rows import (
    add_change,
    add_confirmation,
    add_digest,
    add_reader,
    add_trial,
    compose_simply,
    states_in,
)
from tests.smtp_servers import Mailbox, mailbox
from tests.topologies import wait_until

pytestmark = [pytest.mark.rules, pytest.mark.usefixtures("no_destination_looks_slow")]
SHORT = Timeouts(connect=60, command=60, message=1.5)
"""For who waits for a reply to a message that never comes."""


@dataclass
class Watch:
    """A clock that a test sets."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: int) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def watch(now: datetime) -> Watch:
    return Watch(now)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@dataclass
class Town:
    """A database with readers who wait for a digest."""

    database: Database
    now: datetime
    readers: dict[str, int] = field(default_factory=dict)
    digests: dict[str, int] = field(default_factory=dict)

    def expect(self, *names: str) -> None:
        with self.database.writing() as session:
            trial = add_trial(session, len(self.readers) + 1, now=self.now)
            for name in names:
                self.readers[name] = add_reader(session, name, trials=[trial], now=self.now)
                self.digests[name] = add_digest(session, self.readers[name], now=self.now)
            add_change(session, trial, now=self.now)

    def delivery(self, name: str) -> Delivery:
        with self.database.reading() as session:
            return session.get_one(Delivery, self.digests[name])

    def states(self) -> dict[str, int]:
        return states_in(self.database)

    def told(self) -> list[int]:
        with self.database.reading() as session:
            return list(session.scalars(select(Told.seq).order_by(Told.subscriber_id)))


@pytest.fixture
def town(database: Database, now: datetime) -> Town:
    return Town(database, now)


def _deliverer(town: Town, box: Mailbox, **special: Any) -> AbstractContextManager[Deliverer]:
    return delivering(town.database, box.server, **{"connections": 2, **special})


@pytest.fixture
def deliverer(town: Town, box: Mailbox) -> Iterator[Deliverer]:
    with _deliverer(town, box) as deliverer:
        yield deliverer


def test_every_reader_gets_their_mail_once(town: Town, box: Mailbox, deliverer: Deliverer, watch: Watch) -> None:
    town.expect("ada", "bob", "cyd")

    assert deliverer.deliver_due(now=watch).sent == 3
    assert deliverer.deliver_due(now=watch).sent == 0

    assert box.recipients == ["ada@example.org", "bob@example.org", "cyd@example.org"]
    assert (town.states(), town.told()) == ({"sent": 3}, [2, 2, 2])


def test_many_groups_and_chunks_go_out(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect(*(f"reader{number}" for number in range(25)))

    with _deliverer(town, box, chunk=10, group=4) as deliverer:
        assert deliverer.deliver_due(now=watch).sent == 25
    assert len(set(box.recipients)) == 25


def test_a_limit_leaves_the_rest(town: Town, box: Mailbox, deliverer: Deliverer, watch: Watch) -> None:
    town.expect("ada", "bob", "cyd")

    assert deliverer.deliver_due(now=watch, limit=2).sent == 2
    assert town.states() == {"sent": 2, "waiting": 1}


def test_a_confirmation_goes_before_digests(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect("ada", "bob")
    with town.database.writing() as session:
        add_confirmation(session, "cyd", now=town.now)

    with _deliverer(town, box, connections=1) as deliverer:
        deliverer.deliver_due(now=watch)

    assert box.accepted[0][0] == "cyd@example.org"


def test_each_answer_leads_to_its_state(town: Town, box: Mailbox, deliverer: Deliverer, watch: Watch) -> None:
    town.expect("ada", "bob", "cyd")
    box.on_rcpt["bob@example.org"] = "450 4.2.0 <bob@example.org> greylisted"
    box.on_message["cyd@example.org"] = "550 5.1.1 cyd@example.org is unknown"

    delivered = deliverer.deliver_due(now=watch)

    assert (delivered.sent, delivered.deferred, delivered.failed) == (1, 1, 1)
    assert (town.delivery("bob").state, town.delivery("cyd").state) == ("deferred", "failed")
    assert "@" not in f"{town.delivery('bob').reply} {town.delivery('cyd').reply}"
    assert town.told() == [2, 1, 1]


def test_a_mail_put_off_goes_out_when_its_time_comes(
    town: Town, box: Mailbox, deliverer: Deliverer, watch: Watch
) -> None:
    town.expect("ada")
    box.on_rcpt[""] = "450 4.2.0 wait"
    deliverer.deliver_due(now=watch)
    box.on_rcpt.clear()

    assert deliverer.deliver_due(now=watch).sent == 0
    watch.pass_by(minutes=6)
    assert deliverer.deliver_due(now=watch).sent == 1


def test_a_connection_dropped_before_the_message_is_tried_again(
    town: Town, box: Mailbox, deliverer: Deliverer, watch: Watch
) -> None:
    town.expect("ada")
    box.drop_at = "rcpt"
    assert deliverer.deliver_due(now=watch).deferred == 1
    box.drop_at = None
    watch.pass_by(minutes=6)

    assert deliverer.deliver_due(now=watch).sent == 1
    assert town.delivery("ada").ambiguous == 0


@pytest.mark.parametrize("trouble", ["drop_at", "hang_at"])
def test_a_mail_that_may_have_arrived_is_sent_again_as_the_same_mail(
    town: Town, box: Mailbox, deliverer: Deliverer, watch: Watch, trouble: str
) -> None:
    town.expect("ada")
    setattr(box, trouble, "message")
    with _deliverer(town, box, timeouts=SHORT) as hasty:
        assert hasty.deliver_due(now=watch).ambiguous == 1
    setattr(box, trouble, None)
    with town.database.writing() as session:
        add_change(session, 1, now=watch.now)
    watch.pass_by(minutes=6)

    assert deliverer.deliver_due(now=watch).sent == 1
    assert box.accepted[0] == box.accepted[1]
    assert (town.delivery("ada").ambiguous, town.told()) == (1, [2])


def test_a_mail_server_that_is_down_blames_nobody(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect("ada", "bob")
    gone = Mailbox(port=1)

    with _deliverer(town, gone) as deliverer:
        delivered = deliverer.deliver_due(now=watch)

    assert (delivered.deferred, delivered.stopped) == (2, "the mail server cannot be reached")
    assert town.delivery("ada").attempts == 0
    watch.pass_by(seconds=61)
    with _deliverer(town, box) as deliverer:
        assert deliverer.deliver_due(now=watch).sent == 2


def test_a_refused_sender_stops_the_run(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect(*"abcdefgh")
    box.on_mail = "550 5.1.8 who are you"

    with _deliverer(town, box, connections=1, group=2) as deliverer:
        delivered = deliverer.deliver_due(now=watch)

    assert (delivered.deferred, delivered.failed, town.states()) == (8, 0, {"deferred": 8})
    assert "NOTIFIER_MAIL_FROM" in str(delivered.stopped)


def _poisoned(error: Exception) -> Composer:
    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        if any(one.subscriber_id == 1 for one in claimed):
            raise error
        return compose_simply(session, claimed, now)

    return compose


def test_a_mail_that_cannot_be_made_keeps_no_other(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect("ada", "bob", "cyd")

    with _deliverer(town, box, composer=_poisoned(ZeroDivisionError("ada@example.org"))) as deliverer:
        delivered = deliverer.deliver_due(now=watch)

    assert (delivered.sent, delivered.deferred) == (2, 1)
    assert town.delivery("ada").reason == "the mail could not be made: ZeroDivisionError"


def test_a_missing_setting_fails_nothing(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect("ada", "bob")

    with _deliverer(town, box, composer=_poisoned(ConfigurationError("a secret is missing"))) as deliverer:
        delivered = deliverer.deliver_due(now=watch)

    assert (delivered.sent, delivered.deferred, town.delivery("ada").state) == (1, 1, "deferred")


def test_nothing_to_say_sends_nothing(town: Town, box: Mailbox, deliverer: Deliverer, watch: Watch) -> None:
    town.expect("ada")
    with town.database.writing() as session:
        session.execute(update(Match).values(ended_at=watch.now, ended_as="ended"))

    assert deliverer.deliver_due(now=watch).cancelled == 1
    assert box.accepted == []


def _meanwhile(town: Town, act: Callable[[Session], object]) -> Composer:
    """Something that happens between the claim and in_data, once."""
    once = iter([act])

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        composed = compose_simply(session, claimed, now)
        session.rollback()
        for happening in once:
            with town.database.writing() as writing:
                happening(writing)
        return composed

    return compose


def test_who_changed_their_mind_is_mailed_what_they_want_now(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect("ada", "bob")
    change = _meanwhile(
        town, lambda session: session.execute(update(Subscriber).values(revision=Subscriber.revision + 1))
    )

    with _deliverer(town, box, composer=change) as deliverer:
        deliverer.deliver_due(now=watch)
        deliverer.deliver_due(now=watch)

    assert (town.states(), len(box.accepted)) == ({"sent": 2}, 2)


def test_a_worker_that_lost_its_lease_sends_nothing_more(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect(*"abcd")

    def take_over(session: Session) -> None:
        session.execute(update(Delivery).values(state="waiting", lease_token=None))
        claim(session, now=watch.now, limit=9, token="somebody else")
        watch.pass_by(seconds=60)

    with _deliverer(town, box, composer=_meanwhile(town, take_over)) as deliverer:
        delivered = deliverer.deliver_due(now=watch)

    assert (delivered.stopped, box.accepted) == ("the lease was lost", [])
    assert town.states() == {"leased": 4}


def test_a_lease_is_renewed_while_the_server_is_slow(town: Town, box: Mailbox) -> None:
    town.expect("ada")
    box.hang_at = "message"
    # Time passes as the run looks at the clock: a machine that stands still costs no lease.
    real, swept = Watch(town.now), threading.Event()
    deliverer = make_deliverer(town.database, box.server, timeouts=SHORT, lease=timedelta(seconds=7))

    def later() -> datetime:
        real.pass_by(seconds=1)
        return real.now

    def sweep_often() -> None:
        while not swept.wait(0.1):
            deliverer.sweep(now=real)

    sweeper = threading.Thread(target=sweep_often)
    sweeper.start()
    delivered = deliverer.deliver_due(now=lambda: town.now, real=later)
    swept.set()
    sweeper.join()
    deliverer.close()

    assert (delivered.ambiguous, town.delivery("ada").reason) == (
        1,
        "the connection was lost after the message had gone out",
    )


def test_two_workers_send_nothing_twice(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect(*(f"reader{number}" for number in range(60)))

    def work() -> None:
        with _deliverer(town, box, chunk=8, group=4) as deliverer:
            deliverer.deliver_due(now=watch)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(box.recipients) == len(set(box.recipients)) == 60
    assert town.states() == {"sent": 60}


def test_a_run_asked_to_stop_gives_back_what_it_did_not_begin(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect(*"abcdef")

    with _deliverer(town, box) as deliverer:
        deliverer.stop()
        assert deliverer.deliver_due(now=watch).stopped == "asked to stop"

    assert town.states() == {"waiting": 6}


def test_a_run_stopped_while_it_composes_gives_back_what_it_claimed(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect(*"abcd")

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        one.stop()
        return compose_simply(session, claimed, now)

    with _deliverer(town, box, composer=compose, chunk=2) as one:
        delivered = one.deliver_due(now=watch)

    assert (delivered.stopped, town.states()) == ("asked to stop", {"waiting": 4})


def test_a_deliverer_can_be_closed_while_the_mail_server_hangs(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect(*"abcd")
    box.hang_at = "message"
    deliverer = make_deliverer(town.database, box.server, connections=2)
    run = threading.Thread(target=deliverer.deliver_due, kwargs={"now": watch})
    run.start()
    wait_until(lambda: len(box.accepted) == 2, what="the mails that hang", every=0.01)
    deliverer.close(grace=0.1)
    run.join(60)

    assert not run.is_alive()
    assert town.states() == {"in_data": 2, "deferred": 2}


def test_leases_run_by_the_real_time(town: Town, box: Mailbox, watch: Watch) -> None:
    town.expect("ada")
    real = Watch(watch.now - timedelta(days=2000))
    seen: list[datetime | None] = []
    look = _meanwhile(town, lambda session: seen.extend(session.scalars(select(Delivery.leased_until))))

    with _deliverer(town, box, composer=look) as deliverer:
        assert deliverer.deliver_due(now=watch, real=real).sent == 1

    assert seen == [real.now + LEASE]
    assert town.delivery("ada").sent_at == watch.now


def test_threads_that_begin_together_share_one_loop(box: Mailbox) -> None:
    postman = Postman(box.server, sender="me@x.org", connections=2, timeouts=SHORT)
    together = threading.Barrier(8, timeout=60)
    before = {thread for thread in threading.enumerate() if thread.name == "postman"}

    def begin() -> None:
        together.wait()
        postman.send([], Tray())

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(begin) for _ in range(8)]:
            future.result()
    assert sum(thread.name == "postman" for thread in {*threading.enumerate()} - before) == 1
    postman.close()


def test_what_the_server_answered_is_known_even_where_the_next_mails_break(
    town: Town, box: Mailbox, watch: Watch
) -> None:
    town.expect(*"abcd")
    odd: Any = object()

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        composed = compose_simply(session, claimed, now)
        mails = [one for one in composed if isinstance(one, Composed)]
        return [*mails[:2], *(replace(mail, language=odd) for mail in mails[2:])]

    with _deliverer(town, box, composer=compose, group=2) as deliverer, pytest.raises((SQLAlchemyError, TypeError)):
        deliverer.deliver_due(now=watch)

    assert town.states() == {"sent": 2, "leased": 2}


def test_no_address_is_logged(
    town: Town, box: Mailbox, deliverer: Deliverer, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    town.expect("ada", "bob", "cyd")
    box.on_rcpt["bob@example.org"] = "450 <bob@example.org> wait"
    box.on_rcpt["cyd@example.org"] = "550 cyd@example.org unknown"

    deliverer.deliver_due(now=watch)

    said = capsys.readouterr()
    assert "delivery.sent" in said.out + said.err
    assert "example.org" not in said.out + said.err
