"""A Change that cannot be matched keeps no other waiting; the operator is told, and it is tried again later."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from notifier.checkup import check_up
from notifier.matching import list_broken, match_changes, settle_changes
from notifier.store import match_store
from notifier.store.database import Database
from tests.studies import make_study
from tests.world import World

ON_SQLITE = (
    "CREATE TRIGGER trap BEFORE INSERT ON matches WHEN NEW.trial_id = {} BEGIN SELECT RAISE(ABORT, 'a bug'); END",
)
ON_POSTGRESQL = (
    "CREATE FUNCTION trapped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a bug'; END $$",
    "CREATE TRIGGER trap BEFORE INSERT ON matches FOR EACH ROW WHEN (NEW.trial_id = {}) EXECUTE FUNCTION trapped()",
)


def set_trap(world: World) -> Database:
    """Three Changes wait, each with one who follows its study; those of the second one cannot be matched."""
    world.ingest(*(make_study(number) for number in (1, 2, 3)))
    for number in (1, 2, 3):
        world.subscribe(f"r{number}@example.org", trial=f"NCT9000000{number}")
    world.ingest(*(make_study(number, enrollment=110 + number, updated="2026-03-02") for number in (1, 2, 3)))
    database = world.installation.database
    with database.writing() as session:
        second = session.scalars(text("SELECT id FROM trials WHERE number = 'NCT90000002'")).one()
        for statement in ON_SQLITE if database.is_sqlite else ON_POSTGRESQL:
            session.execute(text(statement.format(second)))
    return database


def take_away_trap(database: Database) -> None:
    with database.writing() as session:
        session.execute(text("DROP TRIGGER trap" + ("" if database.is_sqlite else " ON matches")))


@pytest.mark.parametrize("match", [match_changes, settle_changes])
def test_the_others_are_matched_and_the_broken_one_once_it_is_mended(
    either_world: World, match: Callable[..., int]
) -> None:
    database, now = set_trap(either_world), either_world.now

    assert match(database=database, now=now) == 2
    assert match(database=database, now=now) == 0

    take_away_trap(database)
    assert match(database=database, now=now + timedelta(minutes=2)) == 1
    assert list_broken(database) == []


def test_it_is_not_tried_at_once_again_nor_seldomer_than_every_quarter_of_an_hour(world: World) -> None:
    database, now = set_trap(world), world.now
    match_changes(database=database, now=now)
    take_away_trap(database)
    assert match_changes(database=database, now=now + timedelta(seconds=5)) == 0

    with database.writing() as session:
        session.execute(text(ON_SQLITE[0].format(2)))
    later = now + timedelta(days=3)
    assert match_changes(database=database, now=later) == 0
    take_away_trap(database)
    assert match_changes(database=database, now=later + timedelta(minutes=14)) == 0
    assert match_changes(database=database, now=later + timedelta(minutes=16)) == 1


def test_it_is_tried_again_although_a_clock_once_ran_ahead(either_world: World) -> None:
    database, now = set_trap(either_world), either_world.now
    match_changes(database=database, now=now + timedelta(days=300))
    take_away_trap(database)

    assert match_changes(database=database, now=now) == 1


def test_it_is_logged_once_and_told_to_the_operator_until_it_is_mended(world: World) -> None:
    database = set_trap(world)
    with capture_logs() as logs:
        match_changes(database=database, now=world.now)
        match_changes(database=database, now=world.now + timedelta(minutes=5))

    assert [one["event"] for one in logs] == ["matching.broken"]
    [told] = list_broken(database)
    assert told.startswith(f"Changes that cannot be matched, so nobody hears of them: 1 ({logs[0]['change']}).")
    found = {one.part: one for one in check_up(world.installation.settings, now=world.now)}
    assert (found["matching"].ok, found["matching"].message) == (False, told)


def test_the_next_try_is_alone_so_that_it_costs_the_others_nothing(world: World) -> None:
    database = set_trap(world)
    match_changes(database=database, now=world.now)
    world.ingest(*(make_study(number, enrollment=300, updated="2026-03-03") for number in (1, 3)))

    with database.reading() as session:
        later = world.now + timedelta(minutes=5)
        batches = match_store.list_unmatched(session, limit=100, matches=1000, now=later)
    assert [len(batch.change_ids) for batch in batches] == [1, 2]


def test_what_breaks_after_they_are_matched_is_not_their_fault(world: World) -> None:
    database, now = set_trap(world), world.now
    take_away_trap(database)

    def break_down() -> None:
        raise ValueError("a bug of planning")

    with pytest.raises(ValueError, match="of planning"):
        match_changes(database=database, now=now, then=break_down)

    assert (list_broken(database), len(world.endings())) == ([], 3)
