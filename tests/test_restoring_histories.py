"""Whatever readers did after a backup: put back, it gives nobody a study they had left, and costs nobody else one."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from notifier.errors import InvalidToken, WrongChoice
from notifier.forgetting import forget_subscriber
from notifier.leaving import end_everything, end_subscription
from notifier.moving import HAND_OVER, MOVE, accept_move, accept_offer, ask_mailbox, view_offer
from notifier.store.addresses import read_address
from notifier.store.models import PendingRequest, Subscriber, Subscription, Trial
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.test_restoring import Place, put_back
from tests.test_same_answers import AGREED
from tests.world import World, copy_database, settings_for

pytestmark = pytest.mark.slow
BOXES = [f"box{number}@example.org" for number in range(3)]
STUDIES = ["NCT90000001", "NCT90000002"]
STEPS = ("subscribe", "subscribe", "subscribe", "leave", "erase", "end", "move", "move", "hand over")


@pytest.fixture
def place(tmp_path: Path, migrated_sqlite: Path, mailbox: Mailbox, now: datetime) -> Iterator[Place]:
    copy_database(migrated_sqlite, tmp_path / "notifier.db")
    settings = settings_for(tmp_path, mailbox=mailbox)
    place = Place(settings.model_copy(update={"departures_log": str(tmp_path / "departures")}), mailbox, None, now)
    yield place
    for world in place.worlds:
        world.close()


def followed(world: World) -> set[tuple[str, str]]:
    """Which mailbox hears of which study."""
    keys = world.installation.keys
    names = {keys.index(read_address(box)): box for box in BOXES}
    chosen = select(Subscriber.address_index, Trial.number).join(
        Subscription, Subscription.subscriber_id == Subscriber.id
    )
    open_ones = chosen.join(Trial, Trial.id == Subscription.trial_id).where(Subscription.ended_at.is_(None))
    with world.installation.database.reading() as session:
        return {(names[row.address_index], row.number) for row in session.execute(open_ones)}


def do(world: World, step: str, box: str, *, other: str, study: str) -> None:
    """One thing that somebody does; nothing where it is not possible."""
    world.now += timedelta(minutes=1)
    if step == "subscribe":
        world.subscribe(box, trial=study)
        return
    index = world.installation.keys.index(read_address(box))
    with world.installation.database.writing() as session:
        reader = session.scalar(select(Subscriber.id).where(Subscriber.address_index == index)) or 0
        mine = select(Subscription.id).where(Subscription.subscriber_id == reader, Subscription.ended_at.is_(None))
        first = session.scalars(mine.order_by(Subscription.id)).first()
        if first is None:
            return
        if step == "leave":
            end_everything(session, reader, reason="link", now=world.now)
        elif step == "erase":
            forget_subscriber(session, reader, by="reader", now=world.now)
        elif step == "end":
            end_subscription(session, first, reason="link", now=world.now)
    if step in {"move", "hand over"} and other != box:
        give(world, reader, kind=MOVE if step == "move" else HAND_OVER, to=other)


def give(world: World, reader: int, *, kind: str, to: str) -> None:
    keys, database = world.installation.keys, world.installation.database
    with database.writing() as session:
        ask_mailbox(session, reader, kind=kind, keys=keys, address=read_address(to), now=world.now)
    with database.writing() as session:
        asked = session.scalars(select(PendingRequest.id).order_by(PendingRequest.id.desc())).first() or 0
        if kind == MOVE:
            accept_move(session, asked, now=world.now)
        else:
            seal = view_offer(session, asked, now=world.now).seal
            accept_offer(session, asked, seal=seal, agreed=AGREED, now=world.now)


def live(world: World, chance: random.Random, *, steps: int) -> set[str]:
    """So many things happen; whom they concerned."""
    concerned = set()
    for _ in range(steps):
        step, box, other = chance.choice(STEPS), chance.choice(BOXES), chance.choice(BOXES)
        concerned |= {box, other}
        try:
            do(world, step, box, other=other, study=chance.choice(STUDIES))
        except (InvalidToken, WrongChoice):
            continue
    return concerned


@pytest.mark.parametrize("seed", range(40))
def test_who_left_since_a_backup_stays_gone_and_nobody_else_goes(place: Place, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    world = place.open()
    world.ingest(make_study(), make_study(2), baseline=True)
    live(world, chance, steps=8)
    (tmp_path / "departures").mkdir(exist_ok=True)
    (tmp_path / "departures" / "2026-01-01.log").touch()
    world.now += timedelta(minutes=chance.choice((1, 20)))
    in_backup, at = followed(world), place.back_up(world)
    concerned = live(world, chance, steps=chance.randrange(1, 13))
    before = followed(world)

    world = place.put_back(world)
    put_back(world, at=at, log=tmp_path / "departures")
    assert followed(world) <= before
    assert {one for one in in_backup if one[0] not in concerned} <= followed(world)
