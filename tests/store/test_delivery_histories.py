"""Whatever happens in whatever order, every Match ends once, nobody is told backwards, and nothing is stuck."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from notifier.domain.deliveries import Answer, Composed, NothingToSay, Verdict
from notifier.store.database import Database, open_database
from notifier.store.delivery_contents import lock_readers_of
from notifier.store.delivery_store import cancel_silent, enter_data
from notifier.store.lease_store import claim
from notifier.store.models import Base, Delivery, Match, Told
from notifier.store.outcome_store import mark, sweep
from notifier.store.subscriber_store import end_subscriptions
from tests.delivery_rows import add_change, add_digest, add_reader, add_trial, compose_simply

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
ENDINGS = {"delivered", "collapsed", "dropped", "ended"}
FINAL = {"sent", "failed", "cancelled", "unknown"}


@dataclass
class Worker:
    """Mails it composed under its token, and those it has in_data."""

    token: str
    composed: list[Composed]
    going: list[Composed] = field(default_factory=list)


class Histories(RuleBasedStateMachine):
    """Two readers, two trials, workers that are answered, killed or too slow."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.database = self.open_database()
        Base.metadata.create_all(self.database.engine)
        self.now = BEGIN
        self.under_way: list[Worker] = []
        self.ended: dict[int, str] = {}
        self.told: dict[tuple[int, int], int] = {}
        with self.database.writing() as session:
            self.trials = [add_trial(session, number, now=self.now) for number in (1, 2)]
            self.readers = [add_reader(session, name, trials=self.trials, now=self.now) for name in ("ada", "bob")]

    def open_database(self) -> Database:
        return open_database(f"sqlite:///{Path(self.folder.name) / 'test.db'}")

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self._come_to_rest()
            self.database.close()
            self.folder.cleanup()

    @rule(trial=st.integers(0, 1))
    def a_study_changes(self, trial: int) -> None:
        with self.database.writing() as session:
            add_change(session, self.trials[trial], now=self.now)

    @rule()
    def digests_are_planned(self) -> None:
        """One for each reader with news, unless one is on its way."""
        with self.database.writing() as session:
            busy = set(session.scalars(select(Delivery.subscriber_id).where(Delivery.state.not_in(FINAL))))
            news = select(Match.subscriber_id).where(Match.ended_at.is_(None), Match.delivery_id.is_(None))
            for reader in sorted(set(session.scalars(news)) - busy):
                add_digest(session, reader, now=self.now)

    @rule(limit=st.integers(1, 2))
    def a_worker_begins(self, limit: int) -> None:
        token = str(uuid4())
        with self.database.writing() as session:
            claimed = claim(session, now=self.now, limit=limit, token=token)
        with self.database.reading() as session:
            outcomes = compose_simply(session, claimed, self.now)
        silent = [one for one in outcomes if isinstance(one, NothingToSay)]
        with self.database.writing() as session:
            cancel_silent(session, token=token, silent=silent, now=self.now)
        self.under_way.append(Worker(token, [one for one in outcomes if isinstance(one, Composed)]))

    @precondition(lambda self: self.under_way)
    @rule(answer=st.sampled_from(Answer), worker=st.integers(0, 3), which=st.integers(0, 3), admit=st.integers(0, 2))
    def a_worker_goes_on(self, answer: Answer, worker: int, which: int, admit: int) -> None:
        """In one transaction it marks some of what it has in_data, and more of what it composed goes in_data."""
        one = self.under_way[worker % len(self.under_way)]
        ended = [mail for place, mail in enumerate(one.going) if which & 1 << place % 2]
        going, one.composed = one.composed[:admit], one.composed[admit:]
        verdicts = {mail.delivery_id: Verdict(answer=answer, reason="drawn") for mail in ended}
        with self.database.writing() as session:
            readers = lock_readers_of(session, (*ended, *going))
            mark(session, token=one.token, mails=ended, verdicts=verdicts, now=self.now, readers=readers)
            admission = enter_data(session, token=one.token, mails=going, now=self.now, readers=readers)
        one.going = [mail for mail in one.going if mail not in ended]
        one.going += [mail for mail in going if mail.delivery_id in admission.admitted]
        if not (one.going or one.composed):
            self.under_way.remove(one)

    @precondition(lambda self: self.under_way)
    @rule(worker=st.integers(0, 3))
    def a_worker_is_killed(self, worker: int) -> None:
        self.under_way.pop(worker % len(self.under_way))

    @rule(minutes=st.sampled_from([1, 3, 90]))
    def time_passes_and_is_swept(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        with self.database.writing() as session:
            sweep(session, now=self.now)

    @rule(reader=st.integers(0, 1))
    def a_reader_leaves(self, reader: int) -> None:
        with self.database.writing() as session:
            who = self.readers[reader]
            end_subscriptions(session, subscriber_id=who, subscription_id=None, reason="left", now=self.now)

    @invariant()
    def a_match_ends_once(self) -> None:
        if not hasattr(self, "database"):
            return
        with self.database.reading() as session:
            endings = session.execute(select(Match.id, Match.ended_as).where(Match.ended_at.is_not(None)))
            ended = {row.id: row.ended_as for row in endings}
        assert set(ended.values()) <= ENDINGS
        assert self.ended.items() <= ended.items()
        self.ended = ended

    @invariant()
    def nobody_is_told_backwards(self) -> None:
        if not hasattr(self, "database"):
            return
        with self.database.reading() as session:
            told = {(row.subscriber_id, row.trial_id): row.seq for row in session.scalars(select(Told))}
        assert all(told[key] >= seq for key, seq in self.told.items() if key in told)
        self.told = told

    def _come_to_rest(self) -> None:
        """With a server that takes everything, all that is due gets an end."""
        self.under_way.clear()
        for _ in range(6):
            self.now += timedelta(hours=2)
            with self.database.writing() as session:
                sweep(session, now=self.now)
            self.digests_are_planned()
            self.a_worker_begins(limit=9)
            while self.under_way:
                self.a_worker_goes_on(answer=Answer.ACCEPTED, worker=0, which=3, admit=2)
        with self.database.reading() as session:
            assert session.scalars(select(Match.id).where(Match.ended_at.is_(None))).all() == []
            assert set(session.scalars(select(Delivery.state))) <= FINAL


SOME = settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
Histories.TestCase.settings = SOME
test_any_history_comes_to_its_end = Histories.TestCase


@pytest.mark.rules
@pytest.mark.postgres
def test_any_history_comes_to_its_end_on_postgres_too(new_postgres_database: Callable[..., str]) -> None:
    class OnPostgres(Histories):
        def open_database(self) -> Database:
            return open_database(new_postgres_database())

    run_state_machine_as_test(OnPostgres, settings=settings(SOME, max_examples=8))
