"""Who plans waits for what somebody else is matching, so that the digest that is due has it."""

import threading
from datetime import timedelta

from sqlalchemy import select

from notifier.domain.schedules import Cadence
from notifier.matching import match_changes
from notifier.rounds import News
from notifier.store.models import Change
from tests.chaos.crowd import Crowd
from tests.studies import make_study
from tests.world import World


def test_what_somebody_else_is_matching_is_waited_for_when_told_to(postgres_world: World) -> None:
    world, crowd = postgres_world, Crowd(postgres_world.installation)
    crowd.gather(10)
    crowd.news()
    database = world.installation.database
    with database.engine.connect() as other:
        other.execute(select(Change.id).where(Change.matched_at.is_(None)).with_for_update())
        assert match_changes(database=database, now=world.now) == 0

        done: list[int] = []
        waiting = threading.Thread(
            target=lambda: done.append(match_changes(database=database, now=world.now, wait=True))
        )
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        other.rollback()

    waiting.join()
    assert done == [10]


def test_a_weekly_digest_that_is_due_has_what_somebody_else_was_matching(postgres_world: World) -> None:
    world = postgres_world
    world.ingest(make_study(1))
    world.subscribe("a@example.org", trial="NCT90000001", cadence=Cadence(cadence="weekly", hour=10))
    world.ingest(make_study(1, enrollment=120))
    world.now += timedelta(hours=1)
    news = News(world.installation.database, now=lambda: world.now)
    with world.installation.database.engine.connect() as other:
        other.execute(select(Change.id).where(Change.matched_at.is_(None)).with_for_update())
        planning = threading.Thread(target=news.plan)
        planning.start()
        planning.join(0.3)
        other.rollback()

    planning.join()
    assert (news.matched, news.planned) == (1, 1)
