"""What cannot wait: an urgent mail goes out at once, tells only what is urgent, and nothing is told twice."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from notifier.domain.deliveries import Composed
from notifier.domain.reader_filters import NO_FILTER
from notifier.domain.schedules import Cadence, start_of_day
from notifier.domain.wishes import EVERYTHING, Wish
from notifier.explaining import explain
from notifier.preferring import change_subscription
from notifier.store import delivery_store, lease_store, urgent_store
from notifier.store.addresses import read_address
from notifier.store.models import Delivery, Match, Trial
from notifier.subscribing import subscribe_directly
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

DAILY = Cadence(cadence="daily", hour=18)
HOUR = timedelta(hours=1)


def follow(world: World, *numbers: int, email: str = "a@example.org", cadence: Cadence = DAILY) -> int:
    world.ingest(*(make_study(number, enrollment=100) for number in numbers))
    readers = [world.subscribe(email, trial=f"NCT9000{number:04}", cadence=cadence, urgent=True) for number in numbers]
    return readers[-1]


def change(world: World, number: int, enrollment: int, *, urgent: bool = True) -> None:
    """A change of a study, matched; urgent for everybody or for nobody."""
    world.ingest(make_study(number, enrollment=enrollment))
    world.match()
    with world.installation.database.writing() as session:
        trial = select(Trial.id).where(Trial.number == f"NCT9000{number:04}").scalar_subquery()
        session.execute(update(Match).where(Match.trial_id == trial, Match.ended_at.is_(None)).values(urgent=urgent))


def kinds(world: World) -> list[tuple[str, str]]:
    with world.installation.database.reading() as session:
        return [(one.kind, one.state) for one in session.scalars(select(Delivery).order_by(Delivery.id))]


def test_what_is_urgent_does_not_wait_and_the_rest_does(either_world: World) -> None:
    follow(either_world, 1, 2)
    change(either_world, 1, 120)
    change(either_world, 2, 130, urgent=False)

    either_world.tick()
    urgent = either_world.text_to("a@example.org")
    either_world.tick(after=10 * HOUR)

    assert ("NCT90000001" in urgent, "NCT90000002" in urgent) == (True, False)
    assert "NCT90000001" not in either_world.text_to("a@example.org")
    assert kinds(either_world) == [("urgent", "sent"), ("digest", "sent")]
    assert either_world.endings() == ["delivered", "delivered"]


def test_an_urgent_mail_tells_all_that_waits_of_its_study(world: World) -> None:
    follow(world, 1)
    change(world, 1, 120, urgent=False)
    world.tick()
    change(world, 1, 150)

    world.tick()

    assert "100 people" in world.text_to("a@example.org")
    assert "150 people" in world.text_to("a@example.org")
    assert world.endings() == ["delivered", "delivered"]


def test_planning_urgent_mails_twice_plans_them_once(either_world: World) -> None:
    follow(either_world, 1)
    change(either_world, 1, 120)

    assert (either_world.plan(), either_world.plan()) == (1, 0)


def test_two_who_plan_at_once_make_one_urgent_mail(either_world: World) -> None:
    reader = follow(either_world, 1)
    change(either_world, 1, 120)
    database, now = either_world.installation.database, either_world.now

    with database.reading() as session:
        seen = [urgent_store.list_readers(session, zone="UTC", since=now, now=now) for _ in range(2)]
    made = []
    for readers in seen:
        with database.writing() as session:
            made.append(urgent_store.insert_mails(session, readers=readers, zone="UTC", since=now, now=now))

    assert seen == [[reader], [reader]]
    assert made == [1, 0]


def test_later_urgent_news_rides_along_with_a_mail_on_its_way(world: World) -> None:
    follow(world, 1, 2)
    change(world, 1, 120)
    world.plan()
    change(world, 2, 130)

    world.tick()

    assert kinds(world) == [("urgent", "sent")]
    assert "NCT90000002" in world.text_to("a@example.org")


def test_who_hears_as_it_happens_gets_no_urgent_mail_on_top(world: World) -> None:
    follow(world, 1, cadence=Cadence(cadence="instant", hour=0))
    change(world, 1, 120)

    world.tick()

    assert kinds(world) == [("digest", "sent")]


def test_who_gets_a_digest_now_needs_no_urgent_mail(either_world: World) -> None:
    follow(either_world, 1, 2)
    change(either_world, 2, 130, urgent=False)
    change(either_world, 1, 120)

    either_world.tick(after=10 * HOUR)

    assert kinds(either_world) == [("digest", "sent")]


def test_a_digest_due_at_once_takes_an_urgent_mail_along(either_world: World) -> None:
    follow(either_world, 1, 2)
    change(either_world, 1, 120)
    change(either_world, 2, 130, urgent=False)

    either_world.tick(after=10 * HOUR)

    assert kinds(either_world) == [("urgent", "cancelled"), ("digest", "sent")]
    assert either_world.endings() == ["delivered", "delivered"]


def test_a_digest_and_an_urgent_mail_made_at_once_tell_it_once(either_world: World) -> None:
    follow(either_world, 1, 2)
    change(either_world, 1, 120)
    change(either_world, 2, 130, urgent=False)
    either_world.plan()
    either_world.now += 10 * HOUR
    either_world.plan()
    database, now = either_world.installation.database, either_world.now
    made = {}
    for token in ("one", "two"):
        with database.writing() as session:
            claimed = lease_store.claim(session, now=now, limit=1, token=token)
        with database.reading() as session:
            composed = either_world.service.composer(session, claimed, now)
        made[token] = [mail for mail in composed if isinstance(mail, Composed)]

    admitted = []
    for token, mails in made.items():
        with database.writing() as session:
            admission = delivery_store.enter_data(session, token=token, mails=mails, now=now)
        admitted.append((len(admission.admitted), len(admission.changed)))

    assert admitted == [(1, 0), (0, 1)]
    either_world.mailbox.accepted.clear()
    either_world.tick()
    assert "NCT90000001" not in either_world.text_to("a@example.org")
    assert "NCT90000002" in either_world.text_to("a@example.org")


def test_urgent_news_on_a_study_in_doubt_waits(either_world: World) -> None:
    follow(either_world, 1)
    change(either_world, 1, 120)
    either_world.mailbox.drop_at = "message"
    either_world.tick()
    either_world.mailbox.drop_at = None
    change(either_world, 1, 150)
    meanwhile = either_world.plan()

    either_world.tick(after=HOUR)
    either_world.tick()

    assert meanwhile == 0
    assert "150 people" in either_world.text_to("a@example.org")
    assert set(either_world.endings()) == {"delivered"}


def test_the_fifth_urgent_mail_of_a_day_waits(world: World) -> None:
    weekly = Cadence(cadence="weekly", hour=7, weekday=4)
    follow(world, 1, cadence=weekly)
    for enrollment in range(110, 160, 10):
        change(world, 1, enrollment)
        world.tick()
    today = len(world.mails("a@example.org"))

    world.tick(after=timedelta(days=1))

    assert (today, len(world.mails("a@example.org"))) == (urgent_store.A_DAY, urgent_store.A_DAY + 1)


def test_who_wants_nothing_at_once_any_more_hears_of_the_rest_at_their_usual_time(either_world: World) -> None:
    weekly = Cadence(cadence="weekly", hour=7, weekday=4)
    follow(either_world, 1, cadence=weekly)
    for enrollment in range(110, 160, 10):
        change(either_world, 1, enrollment)
        either_world.tick()
    with either_world.installation.database.writing() as session:
        change_subscription(session, 1, wants=EVERYTHING, wanted=NO_FILTER, urgent=False)

    either_world.tick(after=timedelta(days=1))
    either_world.tick(after=timedelta(days=6))

    assert kinds(either_world) == [("urgent", "sent")] * urgent_store.A_DAY + [("digest", "sent")]


def test_a_study_that_cannot_be_told_costs_no_other_study_its_news(world: World) -> None:
    follow(world, 1, 2)
    change(world, 2, 130, urgent=False)
    change(world, 1, 120)
    world.poison("NCT90000001")
    world.plan()
    with world.installation.database.writing() as session:
        session.execute(update(Delivery).values(attempts=200))

    world.tick()

    assert kinds(world) == [("urgent", "failed")]
    assert world.endings() == [None, "dropped"]


def test_who_left_gets_no_urgent_mail(either_world: World) -> None:
    reader = follow(either_world, 1)
    change(either_world, 1, 120)
    either_world.plan()
    either_world.leave(reader)

    assert either_world.tick().sent == 0


def test_where_nothing_is_urgent_next_to_nothing_is_looked_at(world: World) -> None:
    follow(world, 1)
    run: list[tuple[str, Any]] = []
    with world.installation.database.reading() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *given: run.append((given[2], given[3])))
        urgent_store.list_schedules(session)
        urgent_store.list_readers(session, zone="UTC", since=world.now, now=world.now)
        looked = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", given).all() for one, given in run[:2]]

    assert [str(plan).count("ix_matches_urgent") for plan in looked] == [1, 1]


@pytest.mark.parametrize(("zone", "began"), [("UTC", 0), ("Europe/Berlin", 23), ("America/New_York", 5)])
def test_a_day_begins_at_the_readers_midnight(world: World, zone: str, began: int) -> None:
    assert start_of_day(zone, now=world.now).hour == began


def test_who_asked_for_it_hears_at_once_of_what_is_important(either_world: World) -> None:
    either_world.ingest(make_study(1))
    installation = either_world.installation
    wish = Wish(trial="NCT90000001", cadence=DAILY, urgent=True)
    with installation.database.writing() as session:
        subscribe_directly(
            session,
            keys=installation.keys,
            address=read_address("a@example.org"),
            wish=wish,
            how="test",
            now=either_world.now,
        )
    either_world.ingest(make_study(1, enrollment=120))
    either_world.tick()
    either_world.ingest(make_study(1, enrollment=120, status="RECRUITING"))
    either_world.tick()

    assert kinds(either_world) == [("urgent", "sent")]
    assert "120 people" in either_world.text_to("a@example.org")


@pytest.mark.parametrize(("wanted", "fate"), [(True, ("on its way", 1)), (False, ("waiting", None))])
def test_the_account_of_a_reader_names_the_urgent_mail_that_takes_news_along(
    world: World, wanted: bool, fate: tuple[str, int | None]
) -> None:
    follow(world, 1, 2)
    change(world, 1, 120)
    change(world, 2, 130)
    world.plan()
    with world.installation.database.writing() as session:
        change_subscription(session, 2, wants=EVERYTHING, wanted=NO_FILTER, urgent=wanted)
    with world.installation.database.reading() as session:
        account = explain(
            session,
            keys=world.installation.keys,
            address=read_address("a@example.org"),
            trial=None,
            since=world.now - timedelta(days=1),
            now=world.now,
        )

    told = {one.subscription: (one.fate.outcome, one.fate.mail) for one in account.receipts if one.seq > 1}
    assert told == {1: ("on its way", 1), 2: fate}
