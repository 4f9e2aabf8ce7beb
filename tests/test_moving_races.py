"""Who moves, leaves, pauses and is matched at the same time: one of them is first, and nobody waits in a circle."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from notifier.errors import InvalidToken
from notifier.leaving import end_everything
from notifier.moving import MOVE, accept_move, ask_mailbox
from notifier.preferring import pause_mails
from notifier.store.addresses import read_address
from notifier.store.models import Match, PendingRequest, Subscription
from tests.studies import make_study
from tests.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

READERS = 12


def prepare(world: World) -> list[int]:
    """Readers who asked for a new address each; every second one of these has a reader already."""
    world.ingest(make_study(1), make_study(2))
    readers = [world.subscribe(f"old{at}@example.org", trial="NCT90000001") for at in range(READERS)]
    for at in range(0, READERS, 2):
        world.subscribe(f"new{at}@example.org", trial="NCT90000002")
    with world.installation.database.writing() as session:
        for at, reader in enumerate(readers):
            address = read_address(f"new{at}@example.org")
            ask_mailbox(session, reader, kind=MOVE, keys=world.installation.keys, address=address, now=world.now)
    return readers


def attempt(world: World, do: Callable[..., object], *given: object, **named: object) -> None:
    try:
        with world.installation.database.writing() as session:
            do(session, *given, **named)
    except InvalidToken:
        pass


def test_each_moves_once_or_leaves_and_gets_one_note(postgres_world: World) -> None:
    world = postgres_world
    readers = prepare(world)
    until = world.now + timedelta(seconds=1)
    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(attempt, world, accept_move, at, now=world.now) for at in range(1, READERS + 1)]
        done += [pool.submit(attempt, world, accept_move, at, now=world.now) for at in range(1, READERS + 1)]
        done += [pool.submit(attempt, world, pause_mails, reader, until=until) for reader in readers]
        done += [
            pool.submit(attempt, world, end_everything, one, reason="reader", now=world.now) for one in readers[:4]
        ]
    assert [one.exception() for one in done] == [None] * len(done)
    world.tick(after=timedelta(seconds=2))

    notes = [
        sum("another mailbox" in mail["Subject"] for mail in world.mails(f"old{at}@example.org"))
        for at in range(READERS)
    ]
    assert max(notes) == 1
    assert notes[4:] == [1] * (READERS - 4)


def test_news_matched_while_readers_are_joined_is_never_mailed_to_the_former_mailbox(postgres_world: World) -> None:
    world = postgres_world
    prepare(world)
    world.ingest(make_study(1, enrollment=120))
    with ThreadPoolExecutor(4) as pool:
        done: list[Future[Any]] = [
            pool.submit(attempt, world, accept_move, at, now=world.now) for at in range(1, READERS + 1)
        ]
        done.append(pool.submit(world.match))
    assert [one.exception() for one in done] == [None] * len(done)
    for _ in range(2):
        world.tick()

    for at in range(READERS):
        assert [str(mail["Subject"]) for mail in world.mails(f"old{at}@example.org")] == [
            "Your e-mails now go to another mailbox"
        ]
    with world.installation.database.reading() as session:
        owners = select(Match.id).join(Subscription, Subscription.id == Match.subscription_id)
        strays = owners.where(Match.subscriber_id != Subscription.subscriber_id, Match.ended_at.is_(None))
        assert session.scalars(strays).all() == []
        assert len(session.scalars(select(PendingRequest).where(PendingRequest.confirmed_at.is_not(None))).all()) == 12
