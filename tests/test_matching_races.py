"""Readers who leave while what concerns them is being matched: no Match stays open that nobody will end."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import select

from notifier.store import match_store
from notifier.store.models import Change
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.postgres
MOMENT = 0.3


def test_who_leaves_while_matches_are_written_has_none_left_open(postgres_world: World) -> None:
    world = postgres_world
    world.ingest(make_study(1))
    reader = world.subscribe("a@example.org", trial="NCT90000001")
    world.ingest(make_study(1, enrollment=120))

    with ThreadPoolExecutor() as others, world.installation.database.writing() as session:
        portion = match_store.claim_portion(session, session.scalars(select(Change.id)).all())
        assert portion is not None
        match_store.insert_matches(session, portion, now=world.now)
        match_store.mark_matched(session, portion, now=world.now)
        match_store.end_orphans(session, portion, now=world.now)
        leaving = others.submit(world.leave, reader)
        wait([leaving], timeout=MOMENT)

    leaving.result()
    assert world.endings() == ["ended"]
