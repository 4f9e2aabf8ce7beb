"""What is urgent is planned between the portions of all else, once for each reader, whoever else is being planned."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from notifier import matching, planning, rounds
from notifier.domain.schedules import Cadence
from notifier.matching import match_changes
from notifier.planning import plan_digests
from notifier.rounds import News, deliver
from notifier.store.models import Change, Delivery, Schedule
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

DAILY = Cadence(cadence="daily", hour=18)
WEEKLY = Cadence(cadence="weekly", hour=7, weekday=4)
LATER = timedelta(hours=10)
OTHERS = 3


@pytest.fixture(autouse=True)
def portions_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MAILS", 1)
    monkeypatch.setattr(rounds, "PATIENCE", timedelta(0))
    monkeypatch.setattr(planning, "READERS", 2)


def others_follow(world: World, *, first: int = 0, number: int = OTHERS) -> list[int]:
    """Readers for whom a daily digest on study 1 will be due."""
    emails = [f"r{one}@example.org" for one in range(first, first + number)]
    return [world.subscribe(email, trial="NCT90000001", cadence=DAILY) for email in emails]


def follow(world: World, cadence: Cadence = DAILY, *, number: int = 2, email: str = "u@example.org") -> int:
    """A reader who wants to hear of a study at once."""
    return world.subscribe(email, trial=f"NCT9000{number:04}", cadence=cadence, urgent=True)


def stop(world: World, *numbers: int) -> None:
    """What is urgent comes in."""
    world.ingest(*(make_study(one, status="SUSPENDED", why_stopped="Safety", updated="2026-03-03") for one in numbers))


def planned(world: World) -> list[tuple[int | None, str]]:
    with world.installation.database.reading() as session:
        mails = session.execute(select(Delivery.subscriber_id, Delivery.kind).order_by(Delivery.id))
        return [(row.subscriber_id, row.kind) for row in mails]


def plan_while(world: World, comes_in: Callable[[World], object]) -> list[list[tuple[int | None, str]]]:
    """Plan a day, while something comes in after the first portion; what was planned whenever something was urgent."""
    world.ingest(make_study(1, enrollment=120))
    world.match()
    world.now += LATER
    came_in: list[bool] = []
    seen: list[list[tuple[int | None, str]]] = []

    def now() -> datetime:
        if planned(world) and not came_in:
            came_in.append(True)
            comes_in(world)
        return world.now

    News(world.installation.database, now=now, send=lambda: seen.append(planned(world))).plan()
    return seen


def test_what_is_urgent_does_not_wait_until_all_is_planned(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    others, reader = others_follow(either_world), follow(either_world, WEEKLY)

    [seen] = plan_while(either_world, lambda world: stop(world, 2))

    assert seen == [(others[0], "digest"), (reader, "urgent")]
    assert planned(either_world) == [*seen, (others[1], "digest"), (others[2], "digest")]


def test_whoever_is_about_to_get_a_digest_gets_that_at_once_and_no_urgent_mail(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    others, reader = others_follow(either_world), follow(either_world)
    either_world.subscribe("u@example.org", trial="NCT90000001", cadence=DAILY)

    [seen] = plan_while(either_world, lambda world: stop(world, 2))
    deliver(either_world.service, now=lambda: either_world.now)

    assert seen == [(others[0], "digest"), (reader, "digest")]
    assert planned(either_world) == [*seen, (others[1], "digest"), (others[2], "digest")]
    assert [len(either_world.mails("u@example.org")), len(either_world.mailbox.accepted)] == [1, 1 + OTHERS]
    assert {number in either_world.text_to("u@example.org") for number in ("NCT90000001", "NCT90000002")} == {True}


def test_whoever_the_plan_has_passed_by_gets_their_digest_after_all(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    reader, others = follow(either_world), others_follow(either_world)

    [seen] = plan_while(either_world, lambda world: stop(world, 2))

    assert seen == [(others[0], "digest"), (reader, "digest")]
    assert len(planned(either_world)) == OTHERS + 1


def test_whoever_has_just_been_planned_a_digest_gets_no_urgent_mail(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    reader = follow(either_world)
    either_world.subscribe("u@example.org", trial="NCT90000001", cadence=DAILY)
    others = others_follow(either_world)

    seen = plan_while(either_world, lambda world: stop(world, 2))
    deliver(either_world.service, now=lambda: either_world.now)

    assert (seen, planned(either_world)) == ([], [(one, "digest") for one in (reader, *others)])
    assert "NCT90000002" in either_world.text_to("u@example.org")


def test_whoever_had_their_digest_of_today_gets_an_urgent_mail(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    reader = follow(either_world)
    either_world.subscribe("u@example.org", trial="NCT90000001", cadence=DAILY)
    others_follow(either_world)

    def is_sent_and_more_comes(world: World) -> None:
        deliver(world.service, now=lambda: world.now)
        stop(world, 2)

    [seen] = plan_while(either_world, is_sent_and_more_comes)

    assert seen == [(reader, "digest"), (reader, "urgent")]


def test_what_is_urgent_does_not_wait_until_all_is_matched(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "CHANGES", 1)
    monkeypatch.setattr(matching, "MATCHES", 1)
    either_world.ingest(make_study(1), make_study(2))
    readers = [follow(either_world, WEEKLY, number=1, email=f"u{one}@example.org") for one in range(2)]
    others_follow(either_world)
    stop(either_world, 1, 2)
    database, seen = either_world.installation.database, []

    def look() -> None:
        with database.reading() as session:
            unmatched = session.scalar(select(func.count()).where(Change.matched_at.is_(None)))
        seen.append((len(planned(either_world)), unmatched))

    News(database, now=lambda: either_world.now, send=look).match()

    assert seen == [(1, 2), (2, 2)]
    assert planned(either_world) == [(reader, "urgent") for reader in readers]


def test_what_comes_in_together_is_told_in_one_mail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "PATIENCE", timedelta(seconds=2))
    monkeypatch.setattr(matching, "MATCHES", 1)
    world.ingest(make_study(1), make_study(2))
    for number in (1, 2):
        follow(world, WEEKLY, number=number)
    stop(world, 1, 2)

    world.tick()

    assert {number in world.text_to("u@example.org") for number in ("NCT90000001", "NCT90000002")} == {True}
    assert len(planned(world)) == 1


def test_those_for_whom_something_comes_meanwhile_make_no_transaction_longer(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MAILS", 2)
    monkeypatch.setattr(planning, "READERS", 100)
    either_world.ingest(make_study(1), make_study(2))
    first, between = others_follow(either_world, number=1), follow(either_world)
    last = others_follow(either_world, first=1)
    either_world.ingest(make_study(1, enrollment=120))
    database, now = either_world.installation.database, either_world.now + LATER
    match_changes(database=database, now=now)

    def comes_in() -> None:
        either_world.ingest(make_study(2, enrollment=120))
        match_changes(database=database, now=now)

    plan_digests(database=database, now=now, meanwhile=comes_in)

    assert between not in {reader for reader, _kind in planned(either_world)}
    assert len(planned(either_world)) == len(first + last)


def test_two_who_plan_at_once_plan_each_reader_once(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    others, reader = others_follow(either_world), follow(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    stop(either_world, 2)
    either_world.now += LATER
    database, now = either_world.installation.database, either_world.now
    match_changes(database=database, now=now)
    made: list[int] = []

    def plan_too() -> None:
        other = News(database, now=lambda: now)
        other.plan()
        made.append(other.planned)

    made.append(plan_digests(database=database, now=now, meanwhile=plan_too))

    assert sum(made) == len(planned(either_world)) == len({*planned(either_world)}) == OTHERS + 1
    assert {kind for _reader, kind in planned(either_world)} == {"digest"}
    assert reader not in others
    with database.reading() as session:
        assert session.scalars(select(Schedule.next_due_at)).one().date() == (now + timedelta(days=1)).date()
