"""Deliveries in a real database: claims and leases, who is admitted, what marks do, on both engines."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update

from notifier.domain.deliveries import (
    OUR_SIDE,
    Answer,
    CannotCompose,
    Claimed,
    Composed,
    NothingToSay,
    Verdict,
    wait_before_retry,
)
from notifier.store.database import Database, open_database
from notifier.store.delivery_store import Admission, cancel_silent, enter_data, fail_uncomposed
from notifier.store.lease_store import claim, put_back, put_off, renew
from notifier.store.models import Base, Delivery, DeliverySpan, Match, Subscriber, Suppression, Told
from notifier.store.outcome_store import mark, sweep
from notifier.store.subscriber_store import end_subscriptions
from tests.delivery_rows import add_change, add_confirmation, add_digest, add_reader, add_trial, compose_simply

MINUTE = timedelta(minutes=1)
ACCEPTED = Verdict(answer=Answer.ACCEPTED, reply="250 OK")
LATER = Verdict(answer=Answer.LATER, reason="not accepted yet", reply="450 wait")
NEVER = Verdict(answer=Answer.NEVER, reason="refused", reply="550 no")
OURS = Verdict(answer=Answer.OURS, reason="the mail server cannot be reached")
AMBIGUOUS = Verdict(answer=Answer.AMBIGUOUS, reason="lost")


@dataclass
class Office:
    """A worker's steps, one at a time, under one token."""

    database: Database
    token: str

    def claim(self, now: datetime, limit: int = 100) -> list[Claimed]:
        with self.database.writing() as session:
            return claim(session, now=now, limit=limit, token=self.token)

    def compose(self, claimed: list[Claimed], now: datetime) -> list[Composed]:
        with self.database.reading() as session:
            return [one for one in compose_simply(session, claimed, now) if isinstance(one, Composed)]

    def enter(self, mails: list[Composed], now: datetime) -> Admission:
        with self.database.writing() as session:
            return enter_data(session, token=self.token, mails=mails, now=now)

    def mark(self, mails: list[Composed], verdict: Verdict, now: datetime) -> dict[int, str]:
        with self.database.writing() as session:
            verdicts = {mail.delivery_id: verdict for mail in mails}
            return mark(session, token=self.token, mails=mails, verdicts=verdicts, now=now)

    def send(self, verdict: Verdict, now: datetime) -> list[Composed]:
        """All the steps with one answer; what was admitted."""
        mails = self.compose(self.claim(now), now)
        admitted = self.enter(mails, now).admitted
        gone = [mail for mail in mails if mail.delivery_id in admitted]
        self.mark(gone, verdict, now)
        return gone


@pytest.fixture
def new_office(database: Database) -> Callable[[], Office]:
    return lambda: Office(database, str(uuid4()))


@pytest.fixture
def office(new_office: Callable[[], Office]) -> Office:
    return new_office()


@pytest.fixture
def digest(database: Database, now: datetime) -> int:
    """A digest for one reader about one change, due."""
    with database.writing() as session:
        trial = add_trial(session, 1, now=now)
        reader = add_reader(session, "ada", trials=[trial], now=now)
        add_change(session, trial, now=now)
        return add_digest(session, reader, now=now)


def _delivery(database: Database, id_: int) -> Delivery:
    with database.reading() as session:
        return session.get_one(Delivery, id_)


def _endings(database: Database) -> list[str | None]:
    with database.reading() as session:
        return list(session.scalars(select(Match.ended_as).order_by(Match.id)))


def _told(database: Database) -> list[int]:
    with database.reading() as session:
        return list(session.scalars(select(Told.seq).order_by(Told.subscriber_id, Told.trial_id)))


def test_mails_somebody_waits_for_are_claimed_first(database: Database, office: Office, now: datetime) -> None:
    with database.writing() as session:
        reader = add_reader(session, "ada", trials=[], now=now)
        old = add_digest(session, reader, now=now - 9 * MINUTE)
        new = add_digest(session, reader, now=now - MINUTE)
        asked = add_confirmation(session, "bob", now=now)
        add_digest(session, reader, now=now + MINUTE)

    claimed = office.claim(now)

    assert [one.id for one in claimed] == [asked, old, new]


def test_two_claims_share_no_delivery(database: Database, new_office: Callable[[], Office], now: datetime) -> None:
    with database.writing() as session:
        reader = add_reader(session, "ada", trials=[], now=now)
        expected = {add_digest(session, reader, now=now) for _ in range(60)}

    with ThreadPoolExecutor(6) as pool:
        claims = list(pool.map(lambda _: new_office().claim(now, limit=10), range(6)))

    ids = [one.id for claimed in claims for one in claimed]
    assert len(ids) == len(set(ids))
    assert set(ids) <= expected


def test_a_claimed_delivery_is_not_claimed_again(new_office: Callable[[], Office], digest: int, now: datetime) -> None:
    assert [one.id for one in new_office().claim(now)] == [digest]
    assert new_office().claim(now) == []


def test_a_lease_that_runs_out_makes_the_delivery_due_again(
    database: Database, new_office: Callable[[], Office], digest: int, now: datetime
) -> None:
    new_office().claim(now)
    later = now + 2 * MINUTE

    with database.writing() as session:
        swept = sweep(session, now=later)

    assert swept == {"returned": 1}
    assert [one.attempts for one in new_office().claim(later)] == [0]


def test_a_renewed_lease_does_not_run_out(database: Database, office: Office, digest: int, now: datetime) -> None:
    office.claim(now)

    with database.writing() as session:
        assert renew(session, token=office.token, now=now + MINUTE) == 1
        assert sweep(session, now=now + 2 * MINUTE) == {}


def test_a_lost_lease_cannot_be_renewed(database: Database, office: Office, digest: int, now: datetime) -> None:
    office.claim(now)

    with database.writing() as session:
        sweep(session, now=now + 2 * MINUTE)
        assert renew(session, token=office.token, now=now + 2 * MINUTE) == 0


def test_what_was_claimed_can_be_given_back(database: Database, office: Office, digest: int, now: datetime) -> None:
    office.claim(now)
    with database.writing() as session:
        assert put_off(session, token=office.token, until=now + MINUTE, reason="mail server down") == 1
    assert office.claim(now) == []
    assert len(office.claim(now + MINUTE)) == 1
    with database.writing() as session:
        assert put_back(session, token=office.token, now=now) == 1
    assert len(office.claim(now)) == 1


def test_another_token_is_not_admitted(new_office: Callable[[], Office], digest: int, now: datetime) -> None:
    first = new_office()
    mails = first.compose(first.claim(now), now)

    assert new_office().enter(mails, now).admitted == frozenset()
    assert first.enter(mails, now).admitted == {digest}


def test_a_lease_that_ran_out_is_not_admitted(office: Office, digest: int, now: datetime) -> None:
    mails = office.compose(office.claim(now), now)

    assert office.enter(mails, now + 2 * MINUTE).admitted == frozenset()


def test_admission_freezes_what_is_told(database: Database, office: Office, digest: int, now: datetime) -> None:
    mails = office.compose(office.claim(now), now)
    office.enter(mails, now)

    delivery = _delivery(database, digest)
    assert (delivery.state, delivery.message_id, delivery.dated_at) == ("in_data", mails[0].message_id, now)
    with database.reading() as session:
        assert session.scalars(select(Match.delivery_id)).all() == [digest]
        assert [span.to_seq for span in session.scalars(select(DeliverySpan))] == [2]


def test_who_changed_their_mind_gets_no_mail_made_for_the_old_wish(
    database: Database, office: Office, digest: int, now: datetime
) -> None:
    mails = office.compose(office.claim(now), now)
    with database.writing() as session:
        session.execute(update(Subscriber).values(revision=Subscriber.revision + 1))

    admission = office.enter(mails, now)

    assert not admission.admitted
    assert admission.changed == {digest}
    assert [one.id for one in office.claim(now)] == [digest]


def test_who_left_before_in_data_gets_nothing(database: Database, office: Office, digest: int, now: datetime) -> None:
    mails = office.compose(office.claim(now), now)
    with database.writing() as session:
        end_subscriptions(
            session, subscriber_id=mails[0].subscriber_id or 0, subscription_id=None, reason="left", now=now
        )

    assert office.enter(mails, now).admitted == frozenset()
    assert _delivery(database, digest).state == "cancelled"
    assert _endings(database) == ["ended"]


def test_a_suppressed_reader_gets_nothing(database: Database, office: Office, digest: int, now: datetime) -> None:
    mails = office.compose(office.claim(now), now)
    with database.writing() as session:
        session.add(Suppression(address_index=b"ada@example.org", reason="complaint", created_at=now))

    assert office.enter(mails, now).cancelled == {digest}
    assert (_delivery(database, digest).state, _delivery(database, digest).reason) == ("cancelled", "suppressed")
    assert _endings(database) == ["dropped"]


def test_a_suppressed_address_gets_no_confirmation(database: Database, office: Office, now: datetime) -> None:
    with database.writing() as session:
        asked = add_confirmation(session, "ada", now=now)
        session.add(Suppression(address_index=b"ada@example.org", reason="complaint", created_at=now))

    assert office.enter(office.compose(office.claim(now), now), now).cancelled == {asked}


def test_a_match_that_another_delivery_carries_is_not_told_twice(
    database: Database, new_office: Callable[[], Office], digest: int, now: datetime
) -> None:
    with database.writing() as session:
        reader = session.scalars(select(Subscriber.id)).one()
        second = add_digest(session, reader, now=now)
    office = new_office()
    mails = office.compose(office.claim(now), now)

    assert office.enter(mails[:1], now).admitted == {digest}
    assert office.enter(mails[1:], now).changed == {second}


def test_sent_ends_matches_and_moves_the_reader_on(
    database: Database, office: Office, digest: int, now: datetime
) -> None:
    office.send(ACCEPTED, now)

    delivery = _delivery(database, digest)
    assert (delivery.state, delivery.sent_at, delivery.reply) == ("sent", now, "250 OK")
    assert (_endings(database), _told(database)) == (["delivered"], [2])
    assert office.claim(now + timedelta(days=9)) == []


def test_telling_never_goes_back(database: Database, office: Office, digest: int, now: datetime) -> None:
    mails = office.compose(office.claim(now), now)
    office.enter(mails, now)
    with database.writing() as session:
        session.execute(update(Told).values(seq=7))

    office.mark(mails, ACCEPTED, now)

    assert _told(database) == [7]


def test_a_mark_under_another_token_changes_nothing(
    database: Database, new_office: Callable[[], Office], digest: int, now: datetime
) -> None:
    first = new_office()
    mails = first.compose(first.claim(now), now)
    first.enter(mails, now)

    assert new_office().mark(mails, ACCEPTED, now) == {}
    assert _delivery(database, digest).state == "in_data"


def test_later_waits_and_composes_afresh(database: Database, office: Office, digest: int, now: datetime) -> None:
    office.send(LATER, now)

    delivery = _delivery(database, digest)
    assert (delivery.state, delivery.attempts, delivery.message_id) == ("deferred", 1, None)
    assert now + 5 * MINUTE <= delivery.not_before <= now + 6 * MINUTE
    assert (_endings(database), _told(database)) == ([None], [1])


def test_never_fails_and_drops(database: Database, office: Office, digest: int, now: datetime) -> None:
    office.send(NEVER, now)

    assert (_delivery(database, digest).state, _delivery(database, digest).reason) == ("failed", "refused")
    assert (_endings(database), _told(database)) == (["dropped"], [1])


def test_what_is_refused_for_what_we_are_is_never_given_up_and_lets_others_go_first(
    database: Database, office: Office, digest: int, now: datetime
) -> None:
    refused, waits = Verdict(answer=Answer.OURS, reason=OUR_SIDE), []
    for _ in range(6):
        office.send(refused, now)
        waits.append(_delivery(database, digest).not_before - now)
        now += waits[-1]

    assert waits[0] >= 5 * MINUTE
    assert waits[-1] >= 60 * MINUTE
    assert _delivery(database, digest).attempts == 4


def test_our_own_fault_counts_as_no_try(database: Database, office: Office, digest: int, now: datetime) -> None:
    office.send(OURS, now)

    delivery = _delivery(database, digest)
    assert (delivery.state, delivery.attempts, delivery.not_before) == ("deferred", 0, now + MINUTE)


def test_patience_ends_after_four_days(database: Database, office: Office, digest: int, now: datetime) -> None:
    with database.writing() as session:
        session.execute(update(Delivery).values(attempts=100))

    office.send(LATER, now)

    assert _delivery(database, digest).state == "failed"
    assert _endings(database) == ["dropped"]


def test_an_ambiguous_mail_is_tried_twice_more_as_the_same_mail(
    database: Database, office: Office, digest: int, now: datetime
) -> None:
    first = office.send(AMBIGUOUS, now)
    again = office.send(AMBIGUOUS, now + timedelta(days=1))
    last = office.send(AMBIGUOUS, now + timedelta(days=2))

    assert {mail.message for mail in (*first, *again, *last)} == {first[0].message}
    assert [len(mails) for mails in (first, again, last)] == [1, 1, 1]
    assert (_delivery(database, digest).state, _delivery(database, digest).ambiguous) == ("unknown", 3)


def test_an_unknown_mail_ends_and_the_next_news_tells_everything(
    database: Database, office: Office, digest: int, now: datetime
) -> None:
    for days in range(3):
        office.send(AMBIGUOUS, now + timedelta(days=days))
    assert (_endings(database), _told(database)) == (["dropped"], [1])

    with database.writing() as session:
        assert session.scalars(select(DeliverySpan.to_seq)).all() == []
        add_change(session, 1, now=now)
        add_digest(session, session.scalars(select(Subscriber.id)).one(), now=now)
    next_one = office.send(ACCEPTED, now + timedelta(days=3))

    assert b"trial 1: 1 to 3" in next_one[0].message
    assert (_endings(database), _told(database)) == (["dropped", "delivered"], [3])


@pytest.mark.parametrize(("attempts", "outcome"), [(0, ("deferred", None)), (100, ("failed", "dropped"))])
def test_a_mail_that_cannot_be_made_is_tried_for_four_days(
    database: Database, office: Office, digest: int, now: datetime, attempts: int, outcome: tuple[str, str | None]
) -> None:
    with database.writing() as session:
        session.execute(update(Delivery).values(attempts=attempts))
    office.claim(now)

    with database.writing() as session:
        broken = CannotCompose(delivery_id=digest, reason="the mail could not be made: KeyError")
        states = fail_uncomposed(session, token=office.token, broken=[broken], now=now)

    assert _delivery(database, digest).attempts == attempts + 1
    assert (states[digest], *_endings(database)) == outcome


def test_a_frozen_mail_stays_frozen_when_it_is_put_off(
    database: Database, office: Office, digest: int, now: datetime
) -> None:
    first = office.send(AMBIGUOUS, now)
    office.send(LATER, now + timedelta(days=1))
    with database.writing() as session:
        add_change(session, 1, now=now)

    last = office.send(ACCEPTED, now + timedelta(days=2))

    assert last[0].message == first[0].message
    assert (_endings(database), _told(database)) == (["delivered", None], [2])


def test_a_worker_lost_while_sending_leaves_an_ambiguous_mail(
    database: Database, office: Office, digest: int, now: datetime
) -> None:
    office.enter(office.compose(office.claim(now), now), now)

    with database.writing() as session:
        swept = sweep(session, now=now + 2 * MINUTE)

    delivery = _delivery(database, digest)
    assert swept == {"deferred": 1}
    assert (delivery.state, delivery.ambiguous, delivery.message_id is not None) == ("deferred", 1, True)


def test_who_left_while_a_mail_was_under_way_is_not_mailed_again(
    database: Database, office: Office, digest: int, now: datetime
) -> None:
    mails = office.compose(office.claim(now), now)
    office.enter(mails, now)
    with database.writing() as session:
        end_subscriptions(
            session, subscriber_id=mails[0].subscriber_id or 0, subscription_id=None, reason="left", now=now
        )
    office.mark(mails, AMBIGUOUS, now)

    claimed = office.claim(now + timedelta(days=1))
    with database.writing() as session:
        cancel_silent(
            session,
            token=office.token,
            silent=[NothingToSay(delivery_id=one.id, reason="ended") for one in claimed],
            now=now,
        )

    assert _delivery(database, digest).state == "cancelled"
    assert _endings(database) == ["ended"]


def test_what_comes_to_nothing_ends_without_a_mail(
    database: Database, office: Office, digest: int, now: datetime
) -> None:
    match_ids = office.compose(office.claim(now), now)[0].match_ids

    with database.writing() as session:
        silent = NothingToSay(delivery_id=digest, reason="nothing to say", match_ids=match_ids)
        assert cancel_silent(session, token=office.token, silent=[silent], now=now) == [digest]

    assert _delivery(database, digest).state == "cancelled"
    assert (_endings(database), _told(database)) == (["collapsed"], [1])


def test_claiming_uses_its_index(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'empty.db'}")
    Base.metadata.create_all(database.engine)
    with database.reading() as session:
        chosen = "state IN ('waiting', 'deferred') AND not_before <= '2026' ORDER BY lane, not_before, id"
        plan = session.execute(text(f"EXPLAIN QUERY PLAN SELECT id FROM deliveries WHERE {chosen}")).all()
    database.close()

    assert "ix_deliveries_due" in str(plan)


def test_waits_grow_to_an_hour_and_end() -> None:
    waits = [wait_before_retry(delivery_id=1, attempts=attempts) for attempts in range(1, 102)]
    minutes = [wait / MINUTE for wait in waits if wait]

    for wait, least in zip(minutes, [5, 15, 30, 60, 60, 60], strict=False):
        assert least <= wait <= least * 1.2
    assert waits[-1] is None
    assert timedelta(days=4) <= timedelta(minutes=sum(minutes)) <= timedelta(days=5)
