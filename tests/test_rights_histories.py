"""Whatever readers do, at whatever step of a mail: who must not hear does not, and nobody who should is forgotten."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from notifier.domain.consent_words import consent_text
from notifier.domain.consents import Agreement
from notifier.domain.wishes import EVERYTHING, Wish
from notifier.errors import InvalidToken, WrongChoice
from notifier.forgetting import forget_subscriber
from notifier.leaving import end_everything, end_subscription
from notifier.moving import HAND_OVER, MOVE, accept_move, accept_offer, ask_mailbox, view_offer
from notifier.preferring import pause_mails, resume_mails
from notifier.rounds import deliver, make_news
from notifier.store import subscriber_store
from notifier.store.addresses import read_address
from notifier.store.models import Delivery, Match, PendingRequest, Subscriber, Subscription, Told, Trial
from notifier.subscribing import confirm_request, request_subscription
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.world import INSTANT, World, copy_database, open_world, settings_for

pytestmark = [pytest.mark.rules, pytest.mark.slow, pytest.mark.timeout(900)]

NAMES = ("ada@example.org", "bob@example.org", "cyd@example.org")
STEPS = ("planned", "composed", "in_data", "sent")
ENDINGS = {"delivered", "collapsed", "dropped", "ended"}
FINAL = {"sent", "failed", "cancelled", "unknown"}
WORDS = Agreement(text=consent_text(language="en", site_name="Study updates"), health=True)
REPLIES: dict[str, dict[str, Any]] = {
    "takes": {},
    "later": {"on_message": {"": "450 4.2.1 later"}},
    "doubt": {"drop_at": "message"},
}
WISHES = (
    Wish(trial="NCT90000001", cadence=INSTANT, agreed=WORDS),
    Wish(condition="Stroke", wants=EVERYTHING, cadence=INSTANT, agreed=WORDS),
)

who = st.sampled_from(NAMES)
replies = st.sampled_from(["takes", "takes", "later", "doubt"])
rights = st.one_of(
    st.tuples(st.just("leave_all"), who, who),
    st.tuples(st.just("leave_one"), who, who),
    st.tuples(st.just("pause"), who, who),
    st.tuples(st.just("resume"), who, who),
    st.tuples(st.just("move"), who, who),
    st.tuples(st.just("hand_over"), who, who),
    st.tuples(st.just("erase"), who, who),
)


class Rights(RuleBasedStateMachine):
    """Three mailboxes, two studies, one mail at a time that may stand still at any step."""

    def __init__(self, new_world: Callable[[], World]) -> None:
        super().__init__()
        self.world = new_world()
        self.box = self.world.mailbox
        self.sizes = count(201)
        self.told: dict[tuple[int, int], int] = {}
        self.ended: dict[int, str | None] = {}
        self.evidence: dict[int, tuple[object, ...]] = {}

    @initialize()
    def begin(self) -> None:
        self.world.ingest(make_study(1), make_study(2))
        for name in NAMES[:2]:
            for wish in WISHES:
                self.ask_and_confirm(name, wish)

    def teardown(self) -> None:
        try:
            self.come_to_rest()
        finally:
            self.world.close()

    @rule(study=st.integers(1, 2), right=rights, step=st.sampled_from(STEPS), reply=replies)
    def news_goes_out_while_somebody_acts(self, study: int, right: tuple[str, str, str], step: str, reply: str) -> None:
        self.change(study)
        self.send(reply=reply, step=step, act=partial(self.use, *right))

    @rule(right=rights)
    def somebody_acts(self, right: tuple[str, str, str]) -> None:
        self.use(*right)

    @rule(name=who, wish=st.sampled_from(WISHES))
    def somebody_asks_and_confirms(self, name: str, wish: Wish) -> None:
        self.ask_and_confirm(name, wish)

    @rule(hours=st.sampled_from([1, 30, 24 * 100]), reply=replies)
    def time_passes(self, hours: int, reply: str) -> None:
        self.world.now += timedelta(hours=hours)
        self.send(reply=reply)

    @invariant()
    def nothing_goes_back(self) -> None:
        with self.world.installation.database.reading() as session:
            told = {(one.subscriber_id, one.trial_id): one.seq for one in session.scalars(select(Told))}
            matches = {one.id: one.ended_as for one in session.scalars(select(Match))}
            held = [one for one in session.scalars(select(Subscription)) if one.ended_reason != "erased"]
        assert all(told[key] >= seq for key, seq in self.told.items() if key in told)
        assert all(matches[id_] == ended for id_, ended in self.ended.items() if ended and id_ in matches)
        assert set(matches.values()) <= ENDINGS | {None}
        evidence: dict[int, tuple[object, ...]] = {
            one.id: (one.consent_text_id, one.consent_health, one.consent_asked_at, one.confirmed_at) for one in held
        }
        assert all(evidence[id_] == given for id_, given in self.evidence.items() if id_ in evidence)
        assert all(given[0] is not None and given[1] for given in evidence.values())
        self.told, self.ended, self.evidence = told, matches, evidence

    @invariant()
    def counts_are_never_negative(self) -> None:
        assert min(self.world.counts().values()) >= 0

    def change(self, study: int) -> None:
        self.world.ingest(make_study(study, enrollment=next(self.sizes)))

    def send(self, *, reply: str, step: str = "", act: Callable[[], None] = lambda: None) -> None:
        """One round, in which somebody acts at a step; no digest goes to who must not hear, unless it was in_data."""
        world = self.world
        world.now += timedelta(minutes=1)
        make_news(world.installation, now=world.now)
        if step == "planned":
            act()
        before, excused = len(self.box.accepted), set[str]()
        with self.behaving(reply), self.acting(step, act, excused):
            deliver(world.service, now=lambda: world.now)
        hearing = self.hearing()
        for recipient, content in self.box.accepted[before:]:
            mail = message_from_bytes(content, policy=policy.default)
            assert "List-Unsubscribe" not in mail or mail["Message-ID"] in excused or recipient in hearing

    @contextmanager
    def behaving(self, reply: str) -> Iterator[None]:
        for name, value in REPLIES[reply].items():
            setattr(self.box, name, value)
        yield
        self.box.on_message, self.box.drop_at = {}, None

    @contextmanager
    def acting(self, step: str, act: Callable[[], None], excused: set[str]) -> Iterator[None]:
        deliverer = self.world.service.deliverer
        compose, send, acts = deliverer._composer, deliverer._postman.send, iter([act])

        def composing(*given: Any) -> Any:
            made = compose(*given)
            if step == "composed":
                next(acts, lambda: None)()
            return made

        def sending(mails: Any, tray: Any, *, first: Any) -> None:
            going = iter(()) if step not in ("in_data", "sent") else acts
            mine = next(going, None)
            excused.update(mail.message_id for mail in mails if mine)
            if mine and step == "in_data":
                mine()
            send(mails, tray, first=first)
            if mine and step == "sent":
                tray.wait(len(mails), seconds=60, pause=60)
                mine()

        deliverer._composer, deliverer._postman.send = composing, sending  # type: ignore[method-assign, assignment]
        yield
        deliverer._composer, deliverer._postman.send = compose, send  # type: ignore[method-assign]

    def use(self, right: str, name: str, other: str) -> None:
        """Somebody uses a right of theirs; what cannot be is refused."""
        try:
            with self.world.installation.database.writing() as session:
                reader = self.reader(session, name)
                if reader is not None:
                    getattr(self, right)(session, reader, other)
        except (InvalidToken, WrongChoice):
            pass

    def leave_all(self, session: Any, reader: Subscriber, _other: str) -> None:
        end_everything(session, reader.id, reason="reader", now=self.world.now)

    def leave_one(self, session: Any, reader: Subscriber, _other: str) -> None:
        for one in subscriber_store.list_open(session, reader.id)[:1]:
            end_subscription(session, one.id, reason="reader", now=self.world.now)

    def pause(self, session: Any, reader: Subscriber, _other: str) -> None:
        if subscriber_store.count_open(session, reader.id):
            pause_mails(session, reader.id, until=self.world.now + timedelta(days=2))

    def resume(self, session: Any, reader: Subscriber, _other: str) -> None:
        resume_mails(session, reader.id, now=self.world.now)

    def erase(self, session: Any, reader: Subscriber, _other: str) -> None:
        forget_subscriber(session, reader.id, by="reader", now=self.world.now)

    def move(self, session: Any, reader: Subscriber, other: str) -> None:
        accept_move(session, self.ask(session, reader, other, MOVE), now=self.world.now)

    def hand_over(self, session: Any, reader: Subscriber, other: str) -> None:
        request = self.ask(session, reader, other, HAND_OVER)
        seal = view_offer(session, request, now=self.world.now).seal
        accept_offer(session, request, seal=seal, agreed=WORDS, now=self.world.now)

    def ask(self, session: Any, reader: Subscriber, other: str, kind: str) -> int:
        keys, address = self.world.installation.keys, read_address(other)
        ask_mailbox(session, reader.id, kind=kind, keys=keys, address=address, now=self.world.now)
        return max(session.scalars(select(PendingRequest.id)), default=0)

    def ask_and_confirm(self, name: str, wish: Wish) -> None:
        """At the form, and in the mail; where too many were asked for today, tomorrow."""
        world, keys = self.world, self.world.installation.keys
        world.now += timedelta(days=1)
        with world.installation.database.writing() as session:
            request_subscription(session, keys=keys, address=read_address(name), wish=wish, how="form", now=world.now)
            request = max(session.scalars(select(PendingRequest.id)))
            confirm_request(session, request, keys=keys, now=world.now)

    def reader(self, session: Any, name: str) -> Subscriber | None:
        return subscriber_store.find_subscriber(session, self.world.installation.keys.index(read_address(name)))

    def hearing(self) -> set[str]:
        """The mailboxes that digests may go to."""
        with self.world.installation.database.reading() as session:
            found = {name: self.reader(session, name) for name in NAMES}
            return {name for name, one in found.items() if one and self.may_hear(session, one, self.world.now)}

    @staticmethod
    def may_hear(session: Any, reader: Subscriber, now: datetime) -> bool:
        rests = reader.paused_until is not None and reader.paused_until > now
        return not rests and subscriber_store.count_open(session, reader.id) > 0

    def come_to_rest(self) -> None:
        """Nobody rests, the studies change once more, the mail server takes all: then everybody knows everything."""
        for name in NAMES:
            self.use("resume", name, name)
        for study in (1, 2):
            self.change(study)
        for _ in range(8):
            self.world.now += timedelta(hours=2)
            self.send(reply="takes")
        with self.world.installation.database.reading() as session:
            assert session.scalars(select(Match.id).where(Match.ended_at.is_(None))).all() == []
            assert set(session.scalars(select(Delivery.state))) <= FINAL
            latest = {one.id: one.seq for one in session.scalars(select(Trial))}
            told = {(one.subscriber_id, one.trial_id): one.seq for one in session.scalars(select(Told))}
            for one in session.scalars(select(Subscription).where(Subscription.ended_at.is_(None))):
                assert told[one.subscriber_id, one.trial_id or 1] == latest[one.trial_id or 1]
            for (_, trial_id), seq in told.items():
                assert seq == latest[trial_id]


def worlds(folder: Path, template: Path, box: Mailbox, now: datetime) -> Callable[[], World]:
    numbers = count()

    def new_world() -> World:
        here = folder / str(next(numbers))
        copy_database(template, here / "notifier.db")
        box.accepted.clear()
        return open_world(settings_for(here, mailbox=box), mailbox=box, now=now)

    return new_world


def run(new_world: Callable[[], World], *, examples: int, steps: int = 8) -> None:
    class Here(Rights):
        def __init__(self) -> None:
            super().__init__(new_world)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_any_history_keeps_what_readers_were_promised(
    tmp_path: Path, migrated_sqlite: Path, mailbox: Mailbox, now: datetime
) -> None:
    new_world = worlds(tmp_path, migrated_sqlite, mailbox, now)
    run(new_world, examples=1, steps=5)


@pytest.mark.slow
def test_many_histories_do(tmp_path: Path, migrated_sqlite: Path, mailbox: Mailbox, now: datetime) -> None:
    new_world = worlds(tmp_path, migrated_sqlite, mailbox, now)
    run(new_world, examples=60)


@pytest.mark.slow
@pytest.mark.postgres
def test_on_postgresql_too(
    tmp_path: Path, migrated_postgres: str, new_postgres_database: Callable[..., str], mailbox: Mailbox, now: datetime
) -> None:
    def new_world() -> World:
        mailbox.accepted.clear()
        given = settings_for(tmp_path, mailbox=mailbox, database_url=new_postgres_database(migrated_postgres))
        return open_world(given, mailbox=mailbox, now=now)

    run(new_world, examples=12)
