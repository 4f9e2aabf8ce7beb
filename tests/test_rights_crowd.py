"""Many use their rights at once, while mails go out and news comes: nobody waits in a circle, and nothing breaks."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from random import Random

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.domain.consent_words import consent_text
from notifier.domain.consents import Agreement
from notifier.domain.wishes import EVERYTHING, Wish
from notifier.errors import InvalidToken, WrongChoice
from notifier.forgetting import forget_address, forget_subscriber
from notifier.leaving import end_everything, end_subscription
from notifier.moving import HAND_OVER, MOVE, accept_move, accept_offer, ask_mailbox, view_offer
from notifier.preferring import change_mails, pause_mails, resume_mails
from notifier.retaining import retain
from notifier.rounds import deliver, make_news, open_service
from notifier.store import subscriber_store
from notifier.store.addresses import Address, read_address
from notifier.store.models import Match, PendingRequest, Subscriber, Subscription, Told, Trial
from notifier.subscribing import confirm_request, request_subscription
from tests.studies import make_study
from tests.world import INSTANT, World

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300)]

ADDRESSES = [read_address(f"reader{number}@example.org") for number in range(8)]
SECONDS = 20
WORDS = Agreement(text=consent_text(language="en", site_name="Study updates"), health=True)
WISHES = (
    Wish(trial="NCT90000001", cadence=INSTANT, agreed=WORDS),
    Wish(trial="NCT90000002", cadence=INSTANT, agreed=WORDS),
    Wish(condition="Stroke", wants=EVERYTHING, cadence=INSTANT, agreed=WORDS),
)


class Crowd:
    """What somebody may do at any moment; refusals are answers, too."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random, self.keys = world, Random(seed), world.installation.keys
        self.done = 0

    def go_on(self, until: float) -> int:
        acts = (self.ask, self.confirm, self.leave, self.end_one, self.rest, self.choose, self.name_another,
                self.accept, self.take_over, self.erase)  # fmt: skip
        # On a busy machine it takes longer until enough was done.
        while time.monotonic() < until or self.done < 9:
            try:
                with self.world.installation.database.writing() as session:
                    self.random.choice(acts)(session)
                self.done += 1
            except (InvalidToken, WrongChoice):
                pass
        return self.done

    def address(self) -> Address:
        return self.random.choice(ADDRESSES)

    def reader(self, session: Session) -> Subscriber:
        found = subscriber_store.find_subscriber(session, self.keys.index(self.address()))
        if found is None:
            raise InvalidToken("nobody")
        return found

    def request(self, session: Session, kind: str) -> int:
        waiting = select(PendingRequest.id).where(PendingRequest.kind == kind, PendingRequest.confirmed_at.is_(None))
        return self.random.choice([*session.scalars(waiting), 0])

    def ask(self, session: Session) -> None:
        wish = self.random.choice(WISHES)
        request_subscription(session, keys=self.keys, address=self.address(), wish=wish, how="form", now=self.world.now)

    def confirm(self, session: Session) -> None:
        confirm_request(session, self.request(session, "subscription"), keys=self.keys, now=self.world.now)

    def leave(self, session: Session) -> None:
        end_everything(session, self.reader(session).id, reason="reader", now=self.world.now)

    def end_one(self, session: Session) -> None:
        ids = session.scalars(select(Subscription.id).where(Subscription.ended_at.is_(None))).all()
        end_subscription(session, self.random.choice([*ids, 0]), reason="reader", now=self.world.now)

    def rest(self, session: Session) -> None:
        reader = self.reader(session)
        if reader.paused_until is None:
            pause_mails(session, reader.id, until=self.world.now)
        else:
            resume_mails(session, reader.id, now=self.world.now)

    def choose(self, session: Session) -> None:
        change_mails(session, self.reader(session).id, country="DE", detailed_subjects=True, quiet_notes=True)

    def name_another(self, session: Session) -> None:
        kind = self.random.choice((MOVE, HAND_OVER))
        reader, address = self.reader(session).id, self.address()
        ask_mailbox(session, reader, kind=kind, keys=self.keys, address=address, now=self.world.now)

    def accept(self, session: Session) -> None:
        accept_move(session, self.request(session, MOVE), now=self.world.now)

    def take_over(self, session: Session) -> None:
        request = self.request(session, HAND_OVER)
        seal = view_offer(session, request, now=self.world.now).seal
        accept_offer(session, request, seal=seal, agreed=WORDS, now=self.world.now)

    def erase(self, session: Session) -> None:
        if self.random.random() < 0.5:
            forget_subscriber(session, self.reader(session).id, by="reader", now=self.world.now)
        else:
            forget_address(session, self.address(), keys=self.keys, by="operator", now=self.world.now)


def bring_news(world: World, until: float) -> None:
    size = 200
    while time.monotonic() < until:
        size += 1
        world.ingest(make_study(1, enrollment=size), make_study(2, enrollment=size + 5_000))
        make_news(world.installation, now=world.now)
        retain(database=world.installation.database, now=world.now)


def send(world: World, until: float) -> None:
    service = open_service(world.installation)
    while time.monotonic() < until:
        deliver(service, now=lambda: world.now, real=lambda: datetime.now(UTC))
    service.deliverer.close()


def test_nobody_waits_in_a_circle(postgres_world: World) -> None:
    world = postgres_world
    world.ingest(make_study(1), make_study(2))
    until = time.monotonic() + SECONDS
    work: list[Callable[[float], object]] = [Crowd(world, seed).go_on for seed in range(6)]
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(one, until) for one in work]
        running += [pool.submit(bring_news, world, until), pool.submit(send, world, until)]
    failed = [error for error in (one.exception() for one in running) if error is not None]
    assert failed == []
    assert sum(int(str(one.result() or 0)) for one in running) > 50
    for _ in range(6):
        world.tick(after=world.day)
    with world.installation.database.reading() as session:
        latest = {one.id: one.seq for one in session.scalars(select(Trial))}
        assert session.scalars(select(Match).where(Match.ended_at.is_(None))).all() == []
        told = {(one.subscriber_id, one.trial_id): one.seq for one in session.scalars(select(Told))}
        for one in session.scalars(select(Subscription).where(Subscription.ended_at.is_(None))):
            if one.trial_id is not None:
                assert told[one.subscriber_id, one.trial_id] == latest[one.trial_id]
        hollow = select(Subscriber).where(Subscriber.address_sealed == b"")
        assert all(one.country is None for one in session.scalars(hollow))
