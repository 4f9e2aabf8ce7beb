"""Destinations that take nothing rest, workers keep rates together, and no other destination waits for that."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from notifier.delivering import Deliverer
from notifier.domain.deliveries import GIVEN_UP_AFTER, Claimed, Composing
from notifier.domain.sending_rates import Rate, Rates
from notifier.domain.traffic import GIVEN_UP, PROBES, REFUSALS, RESTING
from notifier.store.addresses import AddressKeys, read_address
from notifier.store.database import Database
from notifier.store.models import Delivery, Destination, Match, Subscriber
from notifier.traffic_rules import TrafficRules
from tests.deliverers import make_deliverer
from tests.delivery_rows import add_change, add_digest, add_reader, add_trial, compose_simply
from tests.smtp_servers import Mailbox, mailbox

pytestmark = pytest.mark.rules

KEYS = AddressKeys(secrets=("a made-up secret that is long enough for anybody",), index_key="a made-up index key")
REFUSED = "451 4.4.1 no answer from host"


@dataclass
class Post:
    """A database, a mail server, a clock that a test sets, and workers."""

    database: Database
    box: Mailbox
    now: datetime
    closing: ExitStack = field(default_factory=ExitStack)
    trials: int = 0

    def expect(self, domain: str, count: int, *, lane: int = 1, since: timedelta = timedelta()) -> list[int]:
        """Readers at a mail domain who wait for a digest; the Deliveries."""
        self.trials += 1
        with self.database.writing() as session:
            trial = add_trial(session, self.trials, now=self.now)
            names = [f"r{self.trials}n{number}" for number in range(count)]
            readers = [add_reader(session, name, trials=[trial], now=self.now) for name in names]
            for name, reader in zip(names, readers, strict=True):
                session.get_one(Subscriber, reader).address_sealed = f"{name}@{domain}".encode()
            add_change(session, trial, now=self.now)
            return [add_digest(session, reader, now=self.now - since, lane=lane) for reader in readers]

    def refuse(self, domain: str, reply: str = REFUSED) -> None:
        with self.database.reading() as session:
            addresses = [sealed.decode() for sealed in session.scalars(select(Subscriber.address_sealed))]
        self.box.on_rcpt = {address: reply for address in addresses if address.endswith(f"@{domain}")}

    def worker(self, *, rates: Rates | None = None, group: int = 4, **special: Any) -> Deliverer:
        rules = TrafficRules(database=self.database, keys=KEYS, rates=rates)
        deliverer = make_deliverer(self.database, self.box.server, traffic=rules, connections=2, group=group, **special)
        self.closing.callback(deliverer.close)
        return deliverer

    def send(self, *workers: Deliverer) -> None:
        """All workers at the same time, until nothing is due."""
        with ThreadPoolExecutor() as threads:
            for done in [threads.submit(worker.deliver_due, now=lambda: self.now) for worker in workers]:
                done.result()

    def sent(self, domain: str = "") -> int:
        return sum(recipient.endswith(domain) for recipient in self.box.recipients)

    def deliveries(self, ids: list[int]) -> list[Delivery]:
        with self.database.reading() as session:
            return list(session.scalars(select(Delivery).where(Delivery.id.in_(ids))))

    def destination(self, domain: str) -> Destination | None:
        with self.database.reading() as session:
            return session.get(Destination, KEYS.destination(domain))

    def rest(self, domain: str, *, tries: int = REFUSALS) -> None:
        with self.database.writing() as session:
            rest = {"tries": tries, "rests_until": self.now + timedelta(minutes=30), "seen_at": self.now}
            session.add(Destination(key=KEYS.destination(domain), **rest))

    def seal_all(self, domain: str) -> None:
        """Keep these addresses as they are kept in earnest, which mails of these tests cannot be made from."""
        with self.database.writing() as session:
            for reader in session.scalars(select(Subscriber)):
                if reader.address_sealed and reader.address_sealed.endswith(f"@{domain}".encode()):
                    reader.address_sealed = KEYS.seal(read_address(reader.address_sealed.decode()))

    def until_rest_ends(self, domain: str) -> None:
        found = self.destination(domain)
        assert found is not None
        assert found.rests_until is not None
        self.now = found.rests_until + timedelta(minutes=6)


@pytest.fixture
def post(database: Database, now: datetime) -> Iterator[Post]:
    with mailbox() as box:
        post = Post(database, box, now)
        with post.closing:
            yield post


def test_a_destination_that_takes_nothing_is_left_alone_and_no_other_waits(post: Post) -> None:
    refusing, others = post.expect("busy.example", 20), post.expect("example.net", 20)
    post.refuse("busy.example")

    post.send(post.worker())
    post.send(post.worker())

    assert post.sent() == post.sent("example.net") == len(others)
    rows = post.deliveries(refusing)
    tried = [row for row in rows if row.attempts]
    assert REFUSALS <= len(tried) < 12
    assert {(row.state, row.reason) for row in rows if not row.attempts} == {("deferred", RESTING)}


def test_few_go_first_after_a_rest_and_then_all(post: Post) -> None:
    waiting = post.expect("busy.example", 20)
    post.refuse("busy.example")
    worker = post.worker()
    post.send(worker)
    tried = sum(row.attempts for row in post.deliveries(waiting))
    post.until_rest_ends("busy.example")

    post.send(worker)
    more = sum(row.attempts for row in post.deliveries(waiting)) - tried
    post.until_rest_ends("busy.example")
    post.box.on_rcpt = {}
    post.send(worker)
    first = post.sent()
    for _ in range(4):
        post.now += timedelta(minutes=30)
        post.send(worker)

    assert 1 <= more <= PROBES
    assert 1 <= first <= 20
    assert post.sent() == len(set(post.box.recipients)) == 20
    found = post.destination("busy.example")
    assert found is not None
    assert found.tries == 0


def test_mails_refused_for_their_own_sake_keep_no_other_at_their_destination_back(post: Post) -> None:
    waiting = post.expect("busy.example", 20)
    post.refuse("busy.example")
    worker = post.worker()
    post.send(worker)
    tried = [row for row in post.deliveries(waiting) if row.attempts]
    with post.database.writing() as session:
        readers = [session.get_one(Subscriber, row.subscriber_id) for row in tried]
        post.box.on_rcpt = {(one.address_sealed or b"").decode(): REFUSED for one in readers}
        post.until_rest_ends("busy.example")
        session.execute(update(Delivery).values(not_before=post.now))

    post.send(worker)

    assert post.sent() == len(waiting) - len(tried) > 0


def test_what_goes_to_a_destination_that_rests_is_not_even_made(post: Post) -> None:
    resting, others = post.expect("busy.example", 20), post.expect("example.net", 3)
    old = post.expect("busy.example", 2, since=GIVEN_UP_AFTER + timedelta(hours=1))
    post.rest("busy.example", tries=REFUSALS + 120)
    post.seal_all("busy.example")
    made: list[int] = []

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        made.extend(one.id for one in claimed)
        return compose_simply(session, claimed, now)

    done = post.worker(composer=compose).deliver_due(now=lambda: post.now)

    assert (made, done.sent, done.held, done.failed) == (others, 3, 20, 2)
    rows = post.deliveries(resting)
    assert {(row.state, row.reason, row.attempts) for row in rows} == {("deferred", RESTING, 0)}
    assert len({row.not_before for row in rows}) > 5
    assert {row.state for row in post.deliveries(old)} == {"failed"}


def test_what_one_worker_learns_another_heeds(post: Post) -> None:
    waiting = post.expect("busy.example", 4)
    post.refuse("busy.example")
    first, second = post.worker(), post.worker()
    post.send(first)
    post.now += timedelta(seconds=3)

    later = post.expect("busy.example", 5)
    post.refuse("busy.example")
    post.send(second)

    assert sum(row.attempts for row in post.deliveries(waiting)) >= REFUSALS
    assert [row.attempts for row in post.deliveries(later)] == [0] * 5


def test_mailboxes_that_refuse_are_no_reason_to_rest(post: Post) -> None:
    post.expect("example.net", 12)
    post.refuse("example.net", "452 4.2.2 mailbox full")

    post.send(post.worker())

    assert post.destination("example.net") is None


def test_after_four_days_of_refusals_the_mails_end(post: Post) -> None:
    old, young = (
        post.expect("gone.example", 3, since=GIVEN_UP_AFTER + timedelta(hours=1)),
        post.expect("gone.example", 2),
    )
    with post.database.writing() as session:
        rests = {"tries": REFUSALS + 120, "rests_until": post.now + timedelta(minutes=30)}
        session.add(Destination(key=KEYS.destination("gone.example"), seen_at=post.now, **rests))

    done = post.worker().deliver_due(now=lambda: post.now)

    assert (done.failed, done.held) == (3, 2)
    assert {(row.state, row.reason) for row in post.deliveries(old)} == {("failed", GIVEN_UP)}
    assert {(row.state, row.attempts) for row in post.deliveries(young)} == {("deferred", 0)}
    with post.database.reading() as session:
        assert sorted(map(str, session.scalars(select(Match.ended_as)))) == ["None"] * 2 + ["dropped"] * 3
    assert post.sent() == 0


def test_where_nothing_rests_and_no_rate_is_set_nothing_is_written_and_one_thing_read(post: Post) -> None:
    post.expect("example.net", 40)
    asked: list[str] = []

    @event.listens_for(post.database.engine, "before_cursor_execute")
    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.extend([statement] if "destinations" in statement else [])

    post.send(post.worker())

    assert post.sent() == 40
    assert [statement.split()[0] for statement in asked] == ["SELECT"]


def most_in_a_second(counts: list[int], *, steps: int) -> int:
    return max(sum(counts[at : at + steps]) for at in range(len(counts)))


def test_two_workers_keep_rates_together(post: Post) -> None:
    second = timedelta(seconds=1)
    rates = Rates(relay=Rate(count=60, unit=second), named={"busy.example": Rate(count=10, unit=second)})
    post.expect("busy.example", 30)
    post.expect("example.net", 130)
    workers = [post.worker(rates=rates, group=32), post.worker(rates=rates, group=32)]
    all_, busy = [], []

    for step in range(40):
        if step == 15:
            urgent = post.expect("example.net", 3, lane=0)
        before = post.sent(), post.sent("busy.example")
        post.send(*workers)
        all_.append(post.sent() - before[0])
        busy.append(post.sent("busy.example") - before[1])
        if step == 19:
            assert {row.state for row in post.deliveries(urgent)} == {"sent"}
        post.now += timedelta(milliseconds=50)

    assert most_in_a_second(all_, steps=20) <= 60
    assert most_in_a_second(busy, steps=20) <= 10
    assert sum(all_) >= 0.9 * 60 * 2
    assert len(set(post.box.recipients)) == len(post.box.recipients)


def test_a_run_waits_for_the_turns_of_its_mails_where_time_passes(post: Post) -> None:
    post.expect("example.net", 40)
    worker = post.worker(rates=Rates(relay=Rate(count=100, unit=timedelta(seconds=1))), group=32)
    began = datetime.now(UTC)

    done = worker.deliver_due(now=lambda: post.now + (datetime.now(UTC) - began))

    assert (done.sent, done.held > 0) == (40, True)
    assert datetime.now(UTC) - began > timedelta(seconds=0.3)


def test_what_waits_for_a_turn_is_not_made_before(post: Post) -> None:
    post.expect("example.net", 60)
    made: list[int] = []

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        made.extend(one.id for one in claimed)
        return compose_simply(session, claimed, now)

    rates = Rates(relay=Rate(count=20, unit=timedelta(seconds=1)))
    worker = post.worker(rates=rates, chunk=10, composer=compose)
    post.send(worker)
    assert len(made) <= 20
    [urgent] = post.expect("example.net", 1, lane=0)

    for _ in range(45):
        post.now += timedelta(milliseconds=100)
        post.send(worker)
    assert (post.sent(), len(set(post.box.recipients))) == (61, 61)
    assert urgent in made[:22]
    assert len(made) < 90


def test_a_crowd_that_is_held_back_does_not_end_a_run_before_the_others(post: Post) -> None:
    post.expect("busy.example", 60)
    post.expect("example.net", 5)
    key = KEYS.destination("busy.example")
    with post.database.writing() as session:
        rest = {"tries": REFUSALS, "rests_until": post.now + timedelta(minutes=5), "seen_at": post.now}
        session.add(Destination(key=key, **rest))
    worker = post.worker(chunk=10)

    post.send(worker)

    assert post.sent() == 5
