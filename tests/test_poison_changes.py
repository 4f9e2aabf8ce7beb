"""A Change that cannot be matched keeps no other waiting."""

from sqlalchemy import text

from notifier.matching import match_changes
from tests.studies import make_study
from tests.world import World

TRAP = "CREATE TRIGGER trap BEFORE INSERT ON matches WHEN NEW.trial_id = {} BEGIN SELECT RAISE(ABORT, 'a bug'); END"


def test_the_others_are_matched_and_the_broken_one_once_it_is_mended(world: World) -> None:
    world.ingest(*(make_study(number) for number in (1, 2, 3)))
    for number in (1, 2, 3):
        world.subscribe(f"r{number}@example.org", trial=f"NCT9000000{number}")
    world.ingest(*(make_study(number, enrollment=110 + number, updated="2026-03-02") for number in (1, 2, 3)))
    database = world.installation.database
    with database.writing() as session:
        second = session.scalars(text("SELECT id FROM trials WHERE number = 'NCT90000002'")).one()
        session.execute(text(TRAP.format(second)))

    assert match_changes(database=database, now=world.now) == 2
    assert match_changes(database=database, now=world.now) == 0

    with database.writing() as session:
        session.execute(text("DROP TRIGGER trap"))
    assert match_changes(database=database, now=world.now) == 1
