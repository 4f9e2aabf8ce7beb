"""A Change that concerns very many is matched in portions, and whatever happens between two, everybody hears once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, update

from notifier import matching
from notifier.forgetting import forget_subscriber
from notifier.matching import match_changes, settle_changes
from notifier.moving import MOVE, accept_move, ask_mailbox
from notifier.store import match_store
from notifier.store.addresses import read_address
from notifier.store.held_store import list_news
from notifier.store.models import Change, HeldChange, Match, Subscription
from tests.studies import make_study
from tests.world import World

READERS = 7


@pytest.fixture(autouse=True)
def portions_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MATCHES", 2)


def changed(world: World) -> list[int]:
    """A Change waits that concerns a few readers, who follow its study's condition; the last one the study itself."""
    world.ingest(make_study(1), make_study(2))
    readers = [world.subscribe(f"r{number}@example.org", condition="Stroke") for number in range(READERS - 1)]
    readers.append(world.subscribe("last@example.org", trial="NCT90000001"))
    world.ingest(make_study(1, enrollment=120))
    return readers


def match_a_portion(world: World) -> None:
    """Match as far as somebody does who dies after one portion."""
    with world.installation.database.writing() as session:
        [batch] = match_store.list_unmatched(session, limit=100, matches=2, now=world.now)
        portion = match_store.claim_portion(session, batch.change_ids, upto=batch.bounds[0])
        assert portion is not None
        match_store.insert_matches(session, portion, now=world.now)
        match_store.mark_matched(session, portion, now=world.now)


def matched(world: World) -> Counter[int]:
    """How many Matches each subscription has that have not ended; those that ended count nothing."""
    with world.installation.database.reading() as session:
        ended = session.scalars(select(Match.subscription_id).where(Match.ended_at.is_not(None)))
        found = Counter(session.scalars(select(Match.subscription_id).where(Match.ended_at.is_(None))))
        return found + Counter(dict.fromkeys(ended, 0))


def followed(world: World) -> set[int]:
    """The subscriptions that are open."""
    with world.installation.database.reading() as session:
        return set(session.scalars(select(Subscription.id).where(Subscription.ended_at.is_(None))))


def join(world: World, reader: int, *, address: str) -> None:
    """Have a reader come to be who has another mailbox."""
    with world.installation.database.writing() as session:
        keys = world.installation.keys
        ask_mailbox(session, reader, kind=MOVE, keys=keys, address=read_address(address), now=world.now)
    with world.installation.database.writing() as session:
        accept_move(session, 1, now=world.now)


def test_all_are_matched_once_in_one_go(either_world: World) -> None:
    changed(either_world)

    assert (either_world.match(), either_world.match()) == (READERS, 0)
    assert matched(either_world) == dict.fromkeys(followed(either_world), 1)


def test_each_portion_is_a_transaction_of_its_own(world: World) -> None:
    changed(world)
    match_a_portion(world)

    with world.installation.database.reading() as session:
        assert session.execute(select(Change.matched_upto, Change.matched_at).where(Change.seq == 2)).all() == [
            (2, None)
        ]
    assert matched(world) == {1: 1, 2: 1}


@pytest.mark.parametrize("finish", [match_changes, settle_changes])
def test_where_somebody_died_between_two_portions_the_next_goes_on(world: World, finish: object) -> None:
    changed(world)
    match_a_portion(world)

    assert callable(finish)
    assert finish(database=world.installation.database, now=world.now) == READERS - 2
    assert matched(world) == dict.fromkeys(followed(world), 1)
    with world.installation.database.reading() as session:
        assert session.scalars(select(Change.id).where(Change.matched_at.is_(None))).all() == []


def test_a_change_matched_in_part_comes_before_those_after_it_and_alone(world: World) -> None:
    changed(world)
    match_a_portion(world)
    world.ingest(make_study(2, enrollment=120))

    with world.installation.database.reading() as session:
        batch, _later = match_store.list_unmatched(session, limit=100, matches=1000, now=world.now)

    assert (len(batch.change_ids), batch.bounds) == (1, ())
    assert world.match() == READERS - 2 + READERS - 1


@pytest.mark.postgres
def test_two_who_match_at_once_make_each_match_once(postgres_world: World) -> None:
    changed(postgres_world)
    database = postgres_world.installation.database

    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(match_changes, database=database, now=postgres_world.now) for _ in range(3)]

    assert sum(one.result() for one in done) + postgres_world.match() == READERS
    assert matched(postgres_world) == dict.fromkeys(followed(postgres_world), 1)


def test_who_leaves_or_is_erased_between_two_portions_has_no_match_left_open(either_world: World) -> None:
    readers = changed(either_world)
    match_a_portion(either_world)
    either_world.leave(readers[0])
    either_world.leave(readers[4])
    with either_world.installation.database.writing() as session:
        forget_subscriber(session, readers[5], by="reader", now=either_world.now)

    either_world.match()

    assert matched(either_world) == dict.fromkeys(followed(either_world), 1)


def test_who_subscribes_between_two_portions_hears_of_no_change_from_before(either_world: World) -> None:
    changed(either_world)
    before = followed(either_world)
    match_a_portion(either_world)
    either_world.subscribe("new@example.org", condition="Stroke")
    either_world.subscribe("new@example.org", trial="NCT90000001")
    either_world.match()

    assert matched(either_world) == dict.fromkeys(before, 1)


@pytest.mark.parametrize(("leaving", "kept"), [(0, "r5"), (5, "r0"), (6, "r0"), (0, "last")])
def test_readers_joined_between_two_portions_hear_once(either_world: World, leaving: int, kept: str) -> None:
    readers = changed(either_world)
    match_a_portion(either_world)
    join(either_world, readers[leaving], address=f"{kept}@example.org")
    either_world.match()

    assert matched(either_world) == dict.fromkeys(followed(either_world), 1)
    with either_world.installation.database.reading() as session:
        strays = select(Match.id).join(Subscription, Subscription.id == Match.subscription_id)
        assert session.scalars(strays.where(Match.subscriber_id != Subscription.subscriber_id)).all() == []
    either_world.tick()
    news = [mail for mail in either_world.mails(f"{kept}@example.org") if "120 people" in str(mail)]
    assert len(news) == 1


def test_what_is_dropped_between_two_portions_reaches_nobody(world: World) -> None:
    changed(world)
    match_a_portion(world)
    with world.installation.database.writing() as session:
        row = {"signature": b"1", "field": "title", "before": "[]", "after": "[]", "state": "dropped"}
        session.execute(insert(HeldChange), [{**row, "tripped_at": world.now}])
        held_id = list_news(session)[0].breaker.id
        session.execute(update(Change).where(Change.seq == 2).values(held_id=held_id))

    world.match()

    assert world.endings() == ["dropped"] * READERS
