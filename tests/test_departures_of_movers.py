"""Who moved, left something there and came back has left it in a backup from before, too."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from notifier.domain.departures import Departed, Line, read_line, sum_up
from notifier.forgetting import forget_subscriber
from notifier.leaving import BY_BUTTON, end_everything, end_subscription
from notifier.moving import MOVE, accept_move, ask_mailbox
from notifier.store.addresses import read_address
from notifier.store.departure_log import read_texts
from notifier.store.models import PendingRequest, Subscription
from tests.studies import make_study
from tests.world import World

HOME, AWAY, THIRD = "home@example.org", "away@example.org", "third@example.org"


def move(world: World, reader: int, *, to: str) -> None:
    world.now += timedelta(minutes=1)
    keys, database = world.installation.keys, world.installation.database
    with database.writing() as session:
        ask_mailbox(session, reader, kind=MOVE, keys=keys, address=read_address(to), now=world.now)
    with database.writing() as session:
        asked = session.scalars(select(PendingRequest.id).order_by(PendingRequest.id.desc())).first()
        accept_move(session, asked or 0, now=world.now)


def said(world: World, *, since: datetime) -> Departed:
    folder = world.installation.settings.departures_folder
    assert folder is not None
    lines = [read_line(text) for text in read_texts(folder, since=since)]
    return sum_up(line for line in lines if isinstance(line, Line))


def ended_at_home(world: World, *, since: datetime) -> set[int]:
    """Which subscriptions of who was at home ended, by the log; without those that a move ended."""
    keys = world.installation.keys
    index = keys.index(read_address(HOME))
    departed = said(world, since=since)
    assert departed.last_left(keys.departed(index)) is None
    ended = departed.ended.get(keys.departed(index), {})
    return {number for number in range(1, 9) if keys.departed(index, subscription_id=number) in ended}


@pytest.mark.parametrize("all_of_it", [False, True])
def test_what_ended_in_another_mailbox_ended_at_home(world: World, all_of_it: bool) -> None:
    world.ingest(make_study(), make_study(2), baseline=True)
    reader = world.subscribe(HOME, trial="NCT90000001")
    world.subscribe(HOME, trial="NCT90000002")
    began = world.now
    move(world, reader, to=AWAY)
    with world.installation.database.writing() as session:
        if all_of_it:
            end_everything(session, reader, reason=BY_BUTTON, now=world.now)
        else:
            end_subscription(session, 1, reason=BY_BUTTON, now=world.now)
    if all_of_it:
        world.subscribe(AWAY, trial="NCT90000001")
    move(world, reader, to=HOME)

    assert ended_at_home(world, since=began) == ({1, 2} if all_of_it else {1})
    with world.installation.database.reading() as session:
        assert session.scalars(select(Subscription.id).where(Subscription.ended_at.is_(None))).all()


@pytest.mark.parametrize("ends_at", [AWAY, THIRD])
def test_what_ended_in_one_of_several_mailboxes_ended_at_home(world: World, ends_at: str) -> None:
    world.ingest(make_study(), make_study(2), baseline=True)
    reader = world.subscribe(HOME, trial="NCT90000001")
    world.subscribe(HOME, trial="NCT90000002")
    began = world.now
    for mailbox in (AWAY, THIRD):
        move(world, reader, to=mailbox)
        if mailbox == ends_at:
            with world.installation.database.writing() as session:
                end_subscription(session, 1, reason=BY_BUTTON, now=world.now)
    move(world, reader, to=HOME)

    assert ended_at_home(world, since=began) == {1}


def test_who_moved_twice_and_left_there_is_gone_from_each_mailbox(world: World) -> None:
    world.ingest(make_study(), baseline=True)
    reader = world.subscribe(HOME, trial="NCT90000001")
    began = world.now
    for mailbox in (AWAY, THIRD):
        move(world, reader, to=mailbox)
    with world.installation.database.writing() as session:
        forget_subscriber(session, reader, by="reader", now=world.now)

    departed, keys = said(world, since=began), world.installation.keys
    erased = {keys.departed(keys.index(read_address(one))) for one in (HOME, AWAY, THIRD)}
    assert erased == departed.erased.keys()
