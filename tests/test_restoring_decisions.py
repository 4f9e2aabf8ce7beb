"""What the operator decides after a backup was put back: nothing comes twice uncounted, nothing new is lost."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from notifier.browsing import view_condition
from notifier.domain.departures import LEFT, Line, sum_up
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.errors import ConfigurationError, Undecided
from notifier.matching import match_changes
from notifier.restored_command import put_right
from notifier.restoring import Decided, Log, Restored, leave_alone, look_over, read_log, restore, send_again
from notifier.stopping import list_stops, resume, said
from notifier.store import pause_store, restore_store, stop_store
from notifier.store.addresses import read_address
from notifier.store.models import Condition, Delivery
from notifier.subscribing import request_subscription
from tests.studies import make_study
from tests.world import INSTANT, World

STUDY = "NCT90000001"
READER = "reader@example.org"
WEEKLY = Cadence(cadence="weekly", hour=8, weekday=6)
DAILY = Cadence(cadence="daily", hour=8)


def follow(world: World, cadence: Cadence = INSTANT) -> int:
    """A reader of a study that has changed, which was not matched yet."""
    world.ingest(make_study(), baseline=True)
    reader = world.subscribe(READER, trial=STUDY, cadence=cadence)
    world.ingest(make_study(status="SUSPENDED", updated="2026-03-03"))
    return reader


def put_back(world: World, *, after: timedelta) -> Restored:
    """As if a backup of just now were put back after a time."""
    at = world.now
    world.now += after
    database, log = world.installation.database, read_log([], at=at)
    looked = look_over(database, log, keys=world.installation.keys, at=at, now=world.now)
    found = restore(database, log, keys=world.installation.keys, at=at, now=world.now)
    assert found == looked
    return found


def states(world: World) -> list[tuple[str, str, int]]:
    with world.installation.database.reading() as session:
        rows = session.execute(select(Delivery.kind, Delivery.state, Delivery.ambiguous).order_by(Delivery.id))
        return [(row.kind, row.state, row.ambiguous) for row in rows]


def ingest(world: World, *studies: dict[str, object]) -> None:
    """Take studies in and match them, with nothing planned yet."""
    world.ingest(*studies)
    match_changes(database=world.installation.database, now=world.now)


def departed(world: World, email: str) -> str:
    keys = world.installation.keys
    return keys.departed(keys.index(read_address(email)))


def log_of(*lines: Line) -> Log:
    return Log(departed=sum_up(lines), lines=len(lines), unreadable=0)


@pytest.mark.parametrize("decided_first", [True, False])
def test_news_that_was_due_since_is_counted_where_it_is_sent_again(either_world: World, decided_first: bool) -> None:
    world = either_world
    follow(world, DAILY)
    world.match()
    found = put_back(world, after=world.day)
    assert (found.mails, found.waiting) == (1, 1)
    with pytest.raises(Undecided):
        resume(world.installation.database, now=world.now)
    if not decided_first:
        assert world.plan() == 1

    assert send_again(world.installation.database, now=world.now).mails == 1
    resume(world.installation.database, now=world.now)
    world.tick()

    assert len(world.mails(READER)) == 1
    assert world.counts()["ambiguous"] == 1


def test_doing_it_again_after_the_decision_asks_nothing_more(world: World) -> None:
    follow(world, DAILY)
    world.match()
    at = world.now
    put_back(world, after=world.day)
    database = world.installation.database
    assert leave_alone(database, at=at, now=world.now) == Decided(mails=1, news=1)

    again = restore(database, read_log([], at=at), keys=world.installation.keys, at=at, now=world.now)
    assert (again.mails, again.waiting) == (0, 0)
    assert resume(database, now=world.now)


def test_a_digest_that_was_about_to_go_out_is_not_told_the_next_day_where_it_is_left_alone(either_world: World) -> None:
    world = either_world
    follow(world, DAILY)
    world.now += world.day
    assert world.plan() == 1
    at = world.now
    put_back(world, after=timedelta(minutes=30))

    assert leave_alone(world.installation.database, at=at, now=world.now) == Decided(mails=1, news=1)
    resume(world.installation.database, now=world.now)
    world.tick(after=world.day)

    assert world.mails(READER) == []


def test_news_that_was_found_after_the_backup_was_put_back_is_not_left_alone(world: World) -> None:
    follow(world)
    at = world.now
    world.match()
    put_back(world, after=timedelta(minutes=2))
    world.now += timedelta(minutes=2)
    world.ingest(make_study(status="COMPLETED", updated="2026-03-04"))
    world.match()

    leave_alone(world.installation.database, at=at, now=world.now)
    resume(world.installation.database, now=world.now)
    world.tick()

    assert len(world.mails(READER)) == 1


def test_what_was_not_matched_in_a_backup_may_have_been_told_since_but_not_what_came_after(either_world: World) -> None:
    world = either_world
    follow(world)
    at = world.now
    world.now += timedelta(hours=1)
    found = put_right(world.installation, log_of(), at=at, now=world.now)
    assert (found.mails, found.waiting) == (1, 1)
    world.ingest(make_study(status="COMPLETED", updated="2026-03-04"))

    put_right(world.installation, log_of(), at=at, now=world.now)
    database = world.installation.database
    assert leave_alone(database, at=at, now=world.now) == Decided(mails=1, news=1)
    resume(database, now=world.now)
    world.tick()
    assert len(world.mails(READER)) == 1


def test_a_backup_taken_while_another_waited_for_its_decision_holds_what_was_made_since(world: World) -> None:
    world.ingest(make_study(), baseline=True)
    world.subscribe(READER, trial=STUDY)
    put_back(world, after=timedelta(minutes=20))
    world.now += timedelta(hours=1)
    world.ingest(make_study(status="SUSPENDED", updated="2026-03-03"))
    assert world.plan() == 1
    assert put_back(world, after=timedelta(hours=1)).mails == 1
    assert [state for _, state, _ in states(world)] == ["unknown"]


def test_what_waits_for_a_decision_is_said_with_how_to_decide(world: World) -> None:
    follow(world)
    world.plan()
    put_back(world, after=timedelta(hours=1))
    database = world.installation.database

    [undecided] = [said(one) for one in list_stops(database)]
    send_again(database, now=world.now)
    [decided] = [said(one) for one in list_stops(database)]

    assert "Mails that wait for your decision: 1. Decide with notifier restored --at TIME --resend, or" in undecided
    assert "To go on: notifier resume" not in undecided
    assert decided.endswith("To go on: notifier resume")


def test_what_was_broken_off_is_said_with_how_to_finish_it(world: World) -> None:
    with world.installation.database.writing() as session:
        stop_store.add(session, why=stop_store.RESTORING, note=None, now=world.now)

    [stop] = list_stops(world.installation.database)

    assert said(stop).endswith("That was broken off: run notifier restored --at TIME again, with the same time.")


def test_a_folder_without_any_log_is_no_log(tmp_path: Path, world: World) -> None:
    with pytest.raises(ConfigurationError, match="no log of who left"):
        read_log([tmp_path], at=world.now)


def test_many_who_wait_are_held_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore_store, "AT_ONCE", 2)
    world.ingest(make_study(), baseline=True)
    for number in range(5):
        world.subscribe(f"r{number}@example.org", trial=STUDY, cadence=DAILY)
    world.ingest(make_study(status="SUSPENDED", updated="2026-03-03"))
    world.match()
    assert put_back(world, after=world.day).waiting == 5
    assert send_again(world.installation.database, now=world.now).mails == 5


def test_who_left_after_asking_for_more_is_not_asked_to_confirm_it(world: World) -> None:
    world.ingest(make_study(), make_study(2), baseline=True)
    reader = world.subscribe(READER, trial=STUDY)
    keys, database = world.installation.keys, world.installation.database
    with database.writing() as session:
        wish = Wish(trial="NCT90000002")
        request_subscription(session, keys=keys, address=read_address(READER), wish=wish, how="web", now=world.now)
    at = world.now
    log = log_of(Line(at=at + timedelta(minutes=1), kind=LEFT, who=departed(world, READER)))
    world.now += timedelta(hours=1)

    found = restore(database, log, keys=keys, at=at, now=world.now)
    assert (found.left, found.mails) == (1, 0)
    send_again(database, now=world.now)
    resume(database, now=world.now)
    world.tick()
    assert (reader, world.mails(READER)) == (1, [])


def test_news_that_a_pause_keeps_back_is_not_left_alone(world: World) -> None:
    reader = follow(world, DAILY)
    world.match()
    at = world.now
    with world.installation.database.writing() as session:
        pause_store.begin(session, reader, until=world.now + 3 * world.day)
    put_back(world, after=world.day)
    assert leave_alone(world.installation.database, at=at, now=world.now) == Decided(mails=0, news=0)
    resume(world.installation.database, now=world.now)
    world.tick(after=4 * world.day)
    assert len(world.mails(READER)) == 1


def test_urgent_news_is_held_before_its_readers_hour_and_the_rest_waits_on(world: World) -> None:
    world.ingest(make_study(), make_study(2), baseline=True)
    for number in (1, 2):
        world.subscribe(READER, trial=f"NCT9000000{number}", cadence=WEEKLY, urgent=number == 1)
    changed = (make_study(number, status="SUSPENDED", updated="2026-03-03") for number in (1, 2))
    ingest(world, *changed)
    at = world.now
    assert put_back(world, after=timedelta(hours=1)).waiting == 1

    assert leave_alone(world.installation.database, at=at, now=world.now) == Decided(mails=1, news=1)
    assert world.endings() == ["dropped", None]
    assert [kind for kind, _, _ in states(world)] == ["urgent"]


def test_a_condition_made_since_gets_no_number_that_links_may_lead_to(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1))
    put_back(world, after=timedelta(hours=1))
    world.ingest(make_study(2, conditions=("Asthma",), meshes=(), ancestors=()))
    world.subscribe("new@example.org", condition="Asthma")
    world.ingest(make_study(2, conditions=("Asthma",), meshes=(), ancestors=(), enrollment=120))

    with world.installation.database.reading() as session:
        ids = {one.name: one.id for one in session.scalars(select(Condition))}
        assert view_condition(session, ids["Asthma"]).name == "Asthma"
    assert ids["Stroke"] < world.now.timestamp() < ids["Asthma"]
    assert world.match() == 1


@pytest.mark.parametrize("planned_since", [False, True])
@pytest.mark.parametrize("cadence", [INSTANT, DAILY])
def test_what_was_decided_is_not_asked_nor_counted_again(
    either_world: World, cadence: Cadence, planned_since: bool
) -> None:
    world = either_world
    follow(world, cadence)
    world.plan()
    at = world.now
    put_back(world, after=world.day)
    database, keys = world.installation.database, world.installation.keys
    if planned_since:
        ingest(world, make_study(status="COMPLETED", updated="2026-03-04"))
        world.plan()
    assert send_again(database, now=world.now).mails == 1
    decided = states(world)

    world.now += timedelta(minutes=5)
    found = restore(database, read_log([], at=at), keys=keys, at=at, now=world.now)
    assert (found.mails, found.waiting, send_again(database, now=world.now)) == (0, 0, Decided(mails=0))
    assert (states(world), world.counts()["ambiguous"]) == (decided, 1)
    assert resume(database, now=world.now)
    world.tick(after=world.day)
    assert len(world.mails(READER)) == 1


def test_a_frozen_mail_that_goes_out_again_is_counted_once(world: World) -> None:
    follow(world)
    world.tick()
    at = world.now
    with world.installation.database.writing() as session:
        session.scalars(select(Delivery)).one().state = "in_data"
    put_back(world, after=timedelta(hours=1))
    database, keys = world.installation.database, world.installation.keys

    assert send_again(database, now=world.now).mails == 1
    looked = look_over(database, log_of(), keys=keys, at=at, now=world.now)
    restore(database, log_of(), keys=keys, at=at, now=world.now)
    assert (looked.mails, send_again(database, now=world.now).mails) == (0, 0)
    assert states(world) == [("digest", "waiting", 1)]


def test_a_mail_of_a_later_backup_is_asked_about_though_it_was_sent_again_before(world: World) -> None:
    follow(world)
    world.plan()
    put_back(world, after=timedelta(hours=1))
    send_again(world.installation.database, now=world.now)
    world.now += timedelta(hours=1)

    assert put_back(world, after=timedelta(hours=1)).mails == 1
    send_again(world.installation.database, now=world.now)
    assert world.counts()["ambiguous"] == 2
