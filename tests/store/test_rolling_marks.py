"""Mails of one worker are marked and admitted in the same transaction, some of them, in any order, on both engines."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text, update

from notifier.domain.deliveries import Answer, Composed, Verdict, Verdicts
from notifier.store import lease_store, outcome_store
from notifier.store.database import Database, open_database
from notifier.store.delivery_contents import lock_readers_of
from notifier.store.delivery_store import Admission, enter_data
from notifier.store.lease_store import claim
from notifier.store.models import Base, Delivery, DeliverySpan, Match, Subscriber, Told
from notifier.store.outcome_store import mark, sweep
from tests.delivery_rows import add_change, add_confirmation, add_digest, add_reader, add_trial, compose_simply

TOKEN = "a worker"
MINUTE = timedelta(minutes=1)
ACCEPTED = Verdict(answer=Answer.ACCEPTED, reply="250 OK")
NEVER = Verdict(answer=Answer.NEVER, reason="refused", reply="550 no")


def plan_digests(database: Database, count: int, *, now: datetime) -> None:
    """Each for a reader of its own."""
    with database.writing() as session:
        trial = add_trial(session, 1, now=now)
        readers = [add_reader(session, f"reader{number}", trials=[trial], now=now) for number in range(count)]
        add_change(session, trial, now=now)
        for reader in readers:
            add_digest(session, reader, now=now)


def compose_due(database: Database, *, now: datetime) -> list[Composed]:
    with database.writing() as session:
        claimed = claim(session, now=now, limit=100, token=TOKEN)
        return [one for one in compose_simply(session, claimed, now) if isinstance(one, Composed)]


def digests(database: Database, count: int, *, now: datetime) -> list[Composed]:
    """Planned, claimed and composed."""
    plan_digests(database, count, now=now)
    return compose_due(database, now=now)


def advance(
    database: Database, going: list[Composed], *, ended: list[Composed], verdicts: Verdicts, now: datetime
) -> tuple[dict[int, str], Admission]:
    with database.writing() as session:
        readers = lock_readers_of(session, (*ended, *going))
        states = mark(session, token=TOKEN, mails=ended, verdicts=verdicts, now=now, readers=readers)
        return states, enter_data(session, token=TOKEN, mails=going, now=now, readers=readers)


def states_of(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Delivery.state).order_by(Delivery.id)))


def test_some_are_marked_while_others_begin(database: Database, now: datetime) -> None:
    first, second, third, fourth = digests(database, 4, now=now)
    advance(database, [first, second, third], ended=[], verdicts={}, now=now)

    verdicts = {third.delivery_id: NEVER, first.delivery_id: ACCEPTED}
    states, admission = advance(database, [fourth], ended=[third, first], verdicts=verdicts, now=now)

    assert states == {first.delivery_id: "sent", third.delivery_id: "failed"}
    assert admission.admitted == {fourth.delivery_id}
    assert states_of(database) == ["sent", "in_data", "failed", "in_data"]


def test_answers_of_every_kind_are_marked_together(database: Database, now: datetime) -> None:
    mails = digests(database, 5, now=now)
    advance(database, mails, ended=[], verdicts={}, now=now)

    verdicts = {mail.delivery_id: Verdict(answer=answer) for mail, answer in zip(mails, Answer, strict=True)}
    advance(database, [], ended=mails, verdicts=verdicts, now=now)

    assert states_of(database) == ["sent", "deferred", "failed", "deferred", "deferred"]
    with database.reading() as session:
        rows = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        assert [row.message_id is None for row in rows] == [False, True, False, True, False]
        assert [row.attempts for row in rows] == [1, 1, 1, 0, 1]
        assert [row.sent_at for row in rows] == [now, None, None, None, None]


def test_a_reply_with_every_sign_is_kept_as_it_was(database: Database, now: datetime) -> None:
    (mail,) = digests(database, 1, now=now)
    advance(database, [mail], ended=[], verdicts={}, now=now)
    said = Verdict(answer=Answer.LATER, reason="later", reply="""450 "it's" \\ 100 % :now {x} ü \t 'end'""")

    advance(database, [], ended=[mail], verdicts={mail.delivery_id: said}, now=now)

    with database.reading() as session:
        row = session.get_one(Delivery, mail.delivery_id)
        assert (row.reply, row.reason, row.sent_at) == (said.reply, "later", None)
        assert timedelta(minutes=5) <= row.not_before - now <= timedelta(minutes=6)


def test_two_mails_that_tell_the_same_do_not_both_go(database: Database, now: datetime) -> None:
    (first,) = digests(database, 1, now=now)
    with database.writing() as session:
        add_digest(session, first.subscriber_id or 0, now=now)
    (second,) = compose_due(database, now=now)

    _, admission = advance(database, [first, second], ended=[], verdicts={}, now=now)

    assert admission.admitted == {first.delivery_id}
    assert admission.changed == {second.delivery_id}


def test_a_mail_that_cannot_tell_all_of_its_news_leaves_the_rest_to_another(database: Database, now: datetime) -> None:
    with database.writing() as session:
        trials = [add_trial(session, number, now=now) for number in (1, 2)]
        reader = add_reader(session, "ada", trials=trials, now=now)
        for trial in trials:
            add_change(session, trial, now=now)
        add_digest(session, reader, now=now)
    (mail,) = compose_due(database, now=now)
    with database.writing() as session:
        session.execute(update(Match).where(Match.id == mail.match_ids[0]).values(ended_at=now, ended_as="ended"))

    _, admission = advance(database, [mail], ended=[], verdicts={}, now=now)

    assert admission.changed == {mail.delivery_id}
    with database.reading() as session:
        assert session.scalars(select(Match.delivery_id)).all() == [None, None]
        assert session.scalars(select(DeliverySpan)).all() == []


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("ambiguous", [False, True])
def test_who_still_follows_a_study_counts_as_told(
    database: Database, now: datetime, changed: bool, ambiguous: bool
) -> None:
    (mail,) = digests(database, 1, now=now)
    advance(database, [mail], ended=[], verdicts={}, now=now)
    if ambiguous:
        now += 3 * MINUTE
        with database.writing() as session:
            sweep(session, now=now)
        (mail,) = compose_due(database, now=now)
        advance(database, [mail], ended=[], verdicts={}, now=now)
    if changed:
        with database.writing() as session:
            session.execute(update(Subscriber).values(revision=Subscriber.revision + 1))

    advance(database, [], ended=[mail], verdicts={mail.delivery_id: ACCEPTED}, now=now)

    with database.reading() as session:
        assert session.scalars(select(Told.seq)).all() == [mail.spans[0].to_seq]


def test_what_was_swept_meanwhile_is_not_marked_by_who_lost_it(database: Database, now: datetime) -> None:
    first, second = digests(database, 2, now=now)
    advance(database, [first], ended=[], verdicts={}, now=now)
    later = now + 3 * MINUTE
    with database.writing() as session:
        sweep(session, now=later)

    states, admission = advance(database, [second], ended=[first], verdicts={first.delivery_id: ACCEPTED}, now=later)

    assert (states, admission) == ({}, Admission())
    assert states_of(database) == ["deferred", "waiting"]


def test_what_rests_in_the_first_lane_holds_up_nothing(database: Database, now: datetime) -> None:
    with database.writing() as session:
        resting = add_confirmation(session, "ada", now=now + MINUTE)
        reader = add_reader(session, "bob", trials=[], now=now)
        due = add_digest(session, reader, now=now)
        asked = add_confirmation(session, "eve", now=now)

        assert [one.id for one in claim(session, now=now, limit=1, token=TOKEN)] == [asked]
        assert [one.id for one in claim(session, now=now, limit=9, token=TOKEN)] == [due]
        assert [one.id for one in claim(session, now=now + MINUTE, limit=9, token=TOKEN, lane=0)] == [resting]


def test_no_statement_reads_a_whole_table_whatever_was_counted_before(tmp_path: Path, now: datetime) -> None:
    """ANALYZE may have run while nothing was frozen yet, so that an index on it looks as if it told nothing apart."""
    database = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(database.engine)
    plan_digests(database, 40, now=now)
    with database.engine.connect() as connection:
        connection.execute(text("ANALYZE"))
    database.close()
    said: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: said.append((given[2], given[3])))
    mails = compose_due(database, now=now)
    begun = len(said)
    advance(database, mails, ended=[], verdicts={}, now=now)
    advance(database, [], ended=mails, verdicts={mail.delivery_id: ACCEPTED for mail in mails}, now=now)

    plans = [_plan(database, *one) for one in said[begun:] if one[0].startswith(("SELECT", "UPDATE", "INSERT"))]
    database.close()
    read = {line for plan in plans for line in plan if line.startswith("SCAN") and "USING" not in line}
    assert len(plans) >= 10
    assert not {line.split()[1] for line in read} & Base.metadata.tables.keys()


def _plan(database: Database, statement: str, values: Any) -> list[str]:
    with database.engine.connect() as connection:
        return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]


def test_what_very_many_lost_workers_left_is_taken_back_in_portions(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_store, "SWEPT_AT_ONCE", 2)
    monkeypatch.setattr(lease_store, "FREED_AT_ONCE", 2)
    mails = digests(database, 8, now=now)
    advance(database, mails[:5], ended=[], verdicts={}, now=now)
    counts: list[Counter[str]] = []
    while not counts or counts[-1]:
        with database.writing() as session:
            counts.append(sweep(session, now=now + 2 * MINUTE))

    assert counts == [{"returned": 2, "deferred": 2}, {"returned": 1, "deferred": 2}, {"deferred": 1}, {}]
    assert states_of(database) == ["deferred"] * 5 + ["waiting"] * 3
