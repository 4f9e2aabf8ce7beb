"""Who moves to a mailbox where they read already is one reader from then on, and of the former nothing is left."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from notifier.domain.schedules import Cadence
from notifier.domain.wishes import EVERYTHING
from notifier.forgetting import forget_subscriber
from notifier.leaving import end_subscription
from notifier.moving import MOVE, accept_move, ask_mailbox
from notifier.retiring import retire_study
from notifier.store.addresses import read_address
from notifier.store.models import Delivery, Match, PendingRequest, Subscriber, Subscription, Told
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

OLD, NEW = "old@example.org", "new@example.org"
WEEKLY = Cadence(cadence="weekly", hour=7, weekday=4)


def ask(world: World, reader: int, *, address: str = NEW) -> None:
    with world.installation.database.writing() as session:
        keys = world.installation.keys
        ask_mailbox(session, reader, kind=MOVE, keys=keys, address=read_address(address), now=world.now)


def join(world: World, reader: int) -> None:
    ask(world, reader)
    with world.installation.database.writing() as session:
        accept_move(session, 1, now=world.now)


def test_of_the_former_reader_an_empty_row_is_left(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2))
    former = world.subscribe(OLD, trial="NCT90000001")
    world.subscribe(OLD, trial="NCT90000002")
    world.subscribe(NEW, trial="NCT90000002")
    world.ingest(make_study(1, enrollment=120))
    world.tick()
    join(world, former)

    with world.installation.database.reading() as session:
        assert session.get_one(Subscriber, former).is_erased
        for table in (Subscription, Match, Told, Delivery):
            assert session.scalars(select(table).where(table.subscriber_id == former)).all() == []


def test_who_erases_everything_then_erases_what_came_from_there_too(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2))
    former = world.subscribe(OLD, trial="NCT90000001")
    reader = world.subscribe(NEW, trial="NCT90000002")
    ask(world, former, address="mistyped@example.org")
    ask(world, former)
    with world.installation.database.writing() as session:
        accept_move(session, 2, now=world.now)
        forget_subscriber(session, reader, by="reader", now=world.now)

    with world.installation.database.reading() as session:
        assert session.scalars(select(PendingRequest)).all() == []
        assert {one.is_erased for one in session.scalars(select(Subscriber))} == {True}


def test_a_link_to_a_study_that_took_another_number_before_still_ends_it(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2), make_study(3))
    former = world.subscribe(OLD, trial="NCT90000001")
    reader = world.subscribe(NEW, trial="NCT90000003")
    database = world.installation.database
    retire_study(database=database, number="NCT90000001", merged_into="NCT90000002", now=world.now)
    for _ in range(2):
        world.tick()
    join(world, former)
    with database.writing() as session:
        end_subscription(session, 1, reason="reader", now=world.now)

    with database.reading() as session:
        left = session.scalars(select(Subscription).where(Subscription.ended_at.is_(None))).all()
    assert [(one.id, one.subscriber_id) for one in left] == [(2, reader)]


def test_news_that_only_the_former_reader_asked_for_in_time_is_told(either_world: World) -> None:
    """Both follow the same, but the other one began after the news."""
    world = either_world
    world.ingest(make_study(1))
    former = world.subscribe(OLD, condition="Stroke", wants=EVERYTHING, cadence=WEEKLY)
    world.ingest(make_study(2, status="RECRUITING"))
    world.match()
    world.subscribe(NEW, condition="Stroke", wants=EVERYTHING, cadence=WEEKLY)
    join(world, former)
    world.tick(after=timedelta(days=7))

    assert "1 new study" in " ".join(str(mail["Subject"]) for mail in world.mails(NEW))
    assert "delivered" in world.endings()


def test_a_mail_under_way_to_the_former_mailbox_counts_as_told(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2))
    former = world.subscribe(OLD, trial="NCT90000001")
    world.subscribe(NEW, trial="NCT90000002")
    ask(world, former)
    world.ingest(make_study(1, enrollment=120))
    world.plan()
    postman = world.service.deliverer._postman
    sending = postman.send

    def moving(*given: object, **named: object) -> object:
        with world.installation.database.writing() as session:
            accept_move(session, 1, now=world.now)
        postman.send = sending  # type: ignore[method-assign]
        return sending(*given, **named)  # type: ignore[arg-type]

    postman.send = moving  # type: ignore[assignment, method-assign]
    for _ in range(2):
        world.tick()

    assert "1 update to a study you follow" in [mail["Subject"] for mail in world.mails(OLD)]
    with world.installation.database.reading() as session:
        assert session.get_one(Told, (former + 1, 1)).seq == 2
