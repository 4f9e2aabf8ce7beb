"""Every local day has its digest once: when clocks are put forward and back, jump, stand still, or two plan at once."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from notifier.domain.schedules import Cadence, next_due, period
from notifier.matching import match_changes
from notifier.planning import plan_digests
from notifier.rounds import deliver
from notifier.store.models import Delivery, Match
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

ZONES = {
    "Europe/Berlin": date(2026, 2, 1),
    "America/New_York": date(2026, 2, 1),
    "Australia/Lord_Howe": date(2026, 2, 1),
    "Pacific/Apia": date(2011, 6, 1),
    "America/Nuuk": date(2026, 2, 1),
}
"""Each from a first day; on Samoa there was no 30 December 2011, and in Nuuk the last hour of a Saturday is skipped."""
DAYS = 400
NUMBER = "NCT90000001"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
BERLIN = Cadence(cadence="daily", hour=2, time_zone="Europe/Berlin")


def local_days(zone: ZoneInfo, first: date) -> list[date]:
    """The days there were, by looking at the wall clock every quarter of an hour."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(hours=15)
    seen = {(start + number * HOUR).astimezone(zone).date() for number in range(DAYS * 24)}
    return sorted(seen)[1:-1]


def first_minute(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """When the wall clock first shows this hour of this day, or, where it skips that, something later."""
    wanted = datetime(day.year, day.month, day.day, hour)  # noqa: DTZ001  # what a wall clock shows
    moment = wanted.replace(tzinfo=UTC) - timedelta(hours=15)
    while moment.astimezone(zone).replace(tzinfo=None) < wanted:
        moment += QUARTER
    return moment


def dues(schedule: Cadence, *, after: datetime, until: datetime) -> Iterator[datetime]:
    due = next_due(schedule, after=after)
    while due <= until:
        yield due
        due = next_due(schedule, after=due)


@pytest.mark.parametrize("hour", [0, 2, 23])
@pytest.mark.parametrize("name", ZONES)
def test_each_local_day_of_four_hundred_has_one_digest(name: str, hour: int) -> None:
    zone = ZoneInfo(name)
    days = local_days(zone, ZONES[name])
    expected = {day.isoformat(): first_minute(day, hour, zone) for day in days}
    schedule = Cadence(cadence="daily", hour=hour, time_zone=name)

    found = list(dues(schedule, after=expected[days[0].isoformat()] - MINUTE, until=expected[days[-1].isoformat()]))

    assert [period(schedule, due=due) for due in found] == list(expected)
    assert found == list(expected.values())


@pytest.mark.parametrize("weekday", range(7))
@pytest.mark.parametrize("name", ZONES)
def test_each_week_has_one_digest(name: str, weekday: int) -> None:
    schedule = Cadence(cadence="weekly", hour=23, weekday=weekday, time_zone=name)
    start = datetime(ZONES[name].year, ZONES[name].month, 1, tzinfo=UTC)

    named = [
        date.fromisoformat(period(schedule, due=due)) for due in dues(schedule, after=start, until=start + 400 * DAY)
    ]

    assert {day.weekday() for day in named} == {weekday}
    assert {later - earlier for earlier, later in pairwise(named)} == {7 * DAY}


def test_there_is_no_digest_for_the_day_that_samoa_skipped() -> None:
    schedule = Cadence(cadence="daily", hour=2, time_zone="Pacific/Apia")

    found = dues(schedule, after=datetime(2011, 12, 29, tzinfo=UTC), until=datetime(2012, 1, 1, tzinfo=UTC))

    assert [period(schedule, due=due) for due in found] == ["2011-12-29", "2011-12-31", "2012-01-01"]


class Readers:
    """Readers of one study in some time zones, which has news whenever a test wants it to."""

    def __init__(self, world: World, schedules: list[Cadence], *, now: datetime) -> None:
        self.world = world
        self.people = 0
        world.now = now
        world.ingest(make_study(1, enrollment=self.people))
        for number, schedule in enumerate(schedules):
            world.subscribe(f"r{number}@example.org", trial=NUMBER, cadence=schedule)

    def news(self) -> None:
        self.people += 10
        self.world.ingest(make_study(1, enrollment=self.people))
        match_changes(database=self.world.installation.database, now=self.world.now)

    def tick(self, now: datetime) -> None:
        """Plan, and send what there is; without the retention, so that all mails can be counted in the end."""
        self.world.now = now
        plan_digests(database=self.world.installation.database, now=now)
        deliver(self.world.service, now=lambda: now)

    def step(self, now: datetime) -> None:
        """The same where mostly nothing is due."""
        self.world.now = now
        if plan_digests(database=self.world.installation.database, now=now):
            deliver(self.world.service, now=lambda: now)

    def count_as_sent(self) -> None:
        """All that is planned, without making the mails, so that hundreds of days take a minute."""
        with self.world.installation.database.writing() as session:
            due = select(Delivery.subscriber_id).where(Delivery.state == "waiting")
            told = update(Match).where(Match.ended_at.is_(None), Match.subscriber_id.in_(due))
            session.execute(told.values(ended_at=self.world.now, ended_as="delivered"))
            session.execute(update(Delivery).where(Delivery.state == "waiting").values(state="sent"))

    def planned(self) -> list[str]:
        """What names the digests, without the reader, in the order they were planned."""
        with self.world.installation.database.reading() as session:
            keys = session.scalars(select(Delivery.dedupe_key).where(Delivery.kind == "digest").order_by(Delivery.id))
            return [key.split(":", 2)[2] for key in keys]


def test_days_of_an_outage_are_one_digest_and_the_next_day_has_its_own(either_world: World) -> None:
    readers = Readers(either_world, [BERLIN], now=datetime(2026, 3, 26, 12, tzinfo=UTC))
    readers.news()
    readers.tick(datetime(2026, 3, 27, 1, 0, tzinfo=UTC))
    readers.news()

    # Nobody plans for 36 hours, over the hour that is skipped.
    readers.tick(datetime(2026, 3, 29, 13, 0, tzinfo=UTC))
    readers.news()
    readers.tick(datetime(2026, 3, 29, 23, 59, tzinfo=UTC))
    readers.tick(datetime(2026, 3, 30, 0, 0, tzinfo=UTC))

    assert readers.planned() == ["2026-03-27T02/daily", "2026-03-28T02/daily", "2026-03-30T02/daily"]
    assert len(either_world.mails("r0@example.org")) == 3


def test_two_that_plan_at_once_make_one_digest(either_world: World) -> None:
    readers = Readers(either_world, [BERLIN], now=datetime(2026, 10, 24, 12, tzinfo=UTC))
    readers.news()
    database = either_world.installation.database

    # The hour from two to three comes twice.
    for moment in (datetime(2026, 10, 25, 0, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, 0, tzinfo=UTC)):
        with ThreadPoolExecutor(4) as planners:
            runs = [planners.submit(plan_digests, database=database, now=moment) for _ in range(4)]
        assert all(run.exception() is None for run in runs)

    assert readers.planned() == ["2026-10-25T02/daily"]


def test_a_digest_late_past_the_next_one_takes_its_news_along(either_world: World) -> None:
    readers = Readers(either_world, [BERLIN], now=datetime(2026, 3, 1, 12, tzinfo=UTC))
    readers.news()
    either_world.mailbox.on_rcpt = {"": "450 4.2.1 come again"}
    readers.tick(datetime(2026, 3, 2, 1, tzinfo=UTC))
    readers.news()
    readers.tick(datetime(2026, 3, 3, 1, tzinfo=UTC))
    either_world.mailbox.on_rcpt = {}

    readers.tick(datetime(2026, 3, 3, 5, tzinfo=UTC))

    assert readers.planned() == ["2026-03-02T02/daily"]
    assert len(either_world.mails("r0@example.org")) == 1
    assert either_world.endings() == ["delivered", "delivered"]


@pytest.mark.parametrize(
    "jump", [-DAY, *(pytest.param(jump, marks=pytest.mark.slow) for jump in (2 * HOUR, -2 * HOUR, DAY))]
)
def test_a_clock_that_jumps_and_comes_back_plans_no_day_twice_and_loses_nothing(world: World, jump: timedelta) -> None:
    start = datetime(2026, 3, 26, 12, tzinfo=UTC)
    readers = Readers(world, [BERLIN], now=start)

    for hours in range(0, 6 * 24, 2):
        true = start + hours * HOUR
        if hours % 24 == 0:
            readers.news()
        is_off = 50 <= hours < 70
        readers.step(true + jump if is_off else true)

    names = Counter(readers.planned())
    assert set(names.values()) == {1}
    assert 4 <= names.total() <= 6
    assert set(world.endings()) <= {"delivered", "collapsed"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_four_hundred_days_go_through_the_database(either_world: World) -> None:
    schedules = [Cadence(cadence="daily", hour=2, time_zone=name) for name in ZONES if name != "Pacific/Apia"]
    start = datetime(2026, 2, 1, 12, tzinfo=UTC)
    expected = {schedule: list(dues(schedule, after=start, until=start + DAYS * DAY)) for schedule in schedules}
    readers = Readers(either_world, schedules, now=start)
    random = Random(6)
    moments = sorted({due for found in expected.values() for due in found})

    for number, moment in enumerate(moments):
        if number % len(schedules) == 0:
            readers.news()
        for later in (timedelta(), random.random() * HOUR):
            either_world.now = moment + later
            plan_digests(database=either_world.installation.database, now=either_world.now)
        readers.count_as_sent()

    names = Counter(readers.planned())
    wanted = Counter(f"{period(one, due=due)}T02/daily" for one, found in expected.items() for due in found)
    assert names == wanted
