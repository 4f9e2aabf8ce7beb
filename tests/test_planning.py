"""When mails go out: at the reader's hour, once a period, and only to who has news."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from notifier import planning
from notifier.domain.schedules import FURTHEST, Cadence, next_due, period
from notifier.preferring import pause_mails
from notifier.store.models import Delivery
from notifier.store.restore_store import raise_ids
from tests.studies import make_study
from tests.world import World

DAILY = Cadence(cadence="daily", hour=18, time_zone="Europe/Berlin")
WEEKLY = Cadence(cadence="weekly", hour=7, weekday=4, time_zone="America/New_York")
DAY = timedelta(days=1)


def test_a_daily_reader_hears_at_their_hour(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("a@example.org", trial="NCT90000001", cadence=DAILY)
    either_world.ingest(make_study(1, enrollment=120))

    early, late = either_world.tick().sent, either_world.tick(after=timedelta(hours=9)).sent

    assert (early, late) == (0, 1)


def test_a_day_without_news_is_a_day_without_mail(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", trial="NCT90000001", cadence=DAILY)

    assert sum(world.tick(after=DAY).sent for _ in range(5)) == 0


def test_missed_days_become_one_mail(world: World) -> None:
    world.ingest(make_study(1), make_study(2))
    world.subscribe("a@example.org", trial="NCT90000001", cadence=DAILY)
    world.subscribe("a@example.org", trial="NCT90000002", cadence=DAILY)
    world.ingest(make_study(1, enrollment=120))
    world.now += 3 * DAY
    world.ingest(make_study(2, enrollment=130))

    assert world.tick(after=2 * DAY).sent == 1
    assert "NCT90000001" in world.text_to("a@example.org")
    assert "NCT90000002" in world.text_to("a@example.org")


def test_planning_twice_plans_once(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("a@example.org", trial="NCT90000001", cadence=DAILY)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.now += DAY

    assert (either_world.plan(), either_world.plan()) == (1, 0)


def test_a_change_of_cadence_takes_waiting_news_along(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", trial="NCT90000001", cadence=WEEKLY)
    world.ingest(make_study(1, enrollment=120))
    world.tick()

    world.subscribe("a@example.org", trial="NCT90000001", cadence=Cadence(cadence="instant", hour=0))

    assert world.tick().sent == 1


def test_a_clock_that_ran_ahead_keeps_no_reader_waiting(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("d@example.org", trial="NCT90000001", cadence=DAILY)
    either_world.subscribe("w@example.org", trial="NCT90000001", cadence=WEEKLY)
    either_world.now += 400 * DAY
    either_world.plan()
    either_world.now -= 400 * DAY
    either_world.ingest(make_study(1, enrollment=120))

    assert sum(either_world.tick(after=DAY).sent for _ in range(9)) == 2


def test_a_mail_planned_by_a_clock_that_ran_ahead_goes_out(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MAILS", 1)
    either_world.ingest(make_study(1))
    for reader in range(2):
        either_world.subscribe(f"r{reader}@example.org", trial="NCT90000001")
    either_world.ingest(make_study(1, enrollment=120))
    either_world.now += 400 * DAY
    assert either_world.plan() == 2
    either_world.now -= 400 * DAY

    assert either_world.tick().sent == 2


def test_a_mail_that_may_have_arrived_rests_as_long_as_its_reader(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = either_world.subscribe("a@example.org", trial="NCT90000001")
    either_world.ingest(make_study(1, enrollment=120))
    either_world.plan()
    until = either_world.now + 60 * DAY
    with either_world.installation.database.writing() as session:
        session.execute(update(Delivery).values(message_id="<1@example.org>"))
        pause_mails(session, reader, until=until)

    either_world.plan()

    with either_world.installation.database.reading() as session:
        assert session.scalars(select(Delivery.not_before)).one() == until


def test_a_wide_gap_in_the_numbers_of_readers_keeps_nobody_waiting(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("a@example.org", trial="NCT90000001", cadence=DAILY)
    with either_world.installation.database.writing() as session:
        raise_ids(session, now=either_world.now)
    either_world.subscribe("b@example.org", trial="NCT90000001", cadence=DAILY)
    either_world.ingest(make_study(1, enrollment=120))

    assert either_world.tick(after=DAY).sent == 2


@given(
    after=st.integers(0, 60_000).map(lambda hours: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]),
    hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
    cadence=st.sampled_from(["daily", "weekly"]),
)
def test_every_local_period_is_due_exactly_once(
    after: datetime, zone: str, hour: int, weekday: int, cadence: str
) -> None:
    schedule = Cadence(cadence=cadence, hour=hour, weekday=weekday, time_zone=zone)
    step = timedelta(days=1 if cadence == "daily" else 7)

    first = next_due(schedule, after=after)
    second = next_due(schedule, after=first)

    assert after < first <= after + step + timedelta(hours=25) < after + FURTHEST[cadence]
    days = [datetime.fromisoformat(period(schedule, due=due)) for due in (first, second)]
    assert days[1] - days[0] == step


def test_a_skipped_hour_means_the_next_valid_minute() -> None:
    schedule = Cadence(cadence="daily", hour=2, time_zone="Europe/Berlin")

    due = next_due(schedule, after=datetime(2026, 3, 28, 12, tzinfo=UTC))

    assert due == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_a_doubled_hour_means_its_first() -> None:
    schedule = Cadence(cadence="daily", hour=2, time_zone="Europe/Berlin")

    due = next_due(schedule, after=datetime(2026, 10, 24, 12, tzinfo=UTC))

    assert due == datetime(2026, 10, 25, 0, 0, tzinfo=UTC)


def test_a_weekly_digest_on_the_day_of_a_daily_one_is_a_mail_of_its_own(world: World) -> None:
    morning, evening = Cadence(cadence="daily", hour=10), Cadence(cadence="weekly", hour=18, weekday=0)
    world.ingest(make_study(1, enrollment=100))
    world.subscribe("a@example.org", trial="NCT90000001", cadence=morning)
    world.ingest(make_study(1, enrollment=120))
    first = world.tick(after=timedelta(hours=2)).sent
    world.subscribe("a@example.org", trial="NCT90000001", cadence=evening)
    world.ingest(make_study(1, enrollment=150))

    assert (first, world.tick(after=timedelta(hours=9)).sent) == (1, 1)


def test_news_on_a_study_in_doubt_waits_and_is_told_then(either_world: World) -> None:
    either_world.ingest(make_study(1, enrollment=100))
    either_world.subscribe("a@example.org", trial="NCT90000001")
    either_world.ingest(make_study(1, enrollment=120))
    either_world.mailbox.drop_at = "message"
    either_world.tick()
    either_world.ingest(make_study(1, enrollment=150))
    planned_meanwhile = [either_world.plan() for _ in range(5)]
    either_world.mailbox.drop_at = None

    either_world.tick(after=timedelta(hours=1))
    either_world.tick(after=timedelta(hours=1))

    assert planned_meanwhile == [0, 0, 0, 0, 0]
    assert "150 people" in either_world.text_to("a@example.org")
    assert set(either_world.endings()) == {"delivered"}


def test_many_readers_are_planned_in_several_short_transactions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MAILS", 3)
    world.ingest(make_study(1))
    for number in range(10):
        world.subscribe(f"r{number}@example.org", trial="NCT90000001", cadence=DAILY)
    world.ingest(make_study(1, enrollment=120))
    world.now += DAY

    assert world.plan() == 10
