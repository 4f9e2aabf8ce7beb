"""What following a condition would have brought: the same that following it brings."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import EVERYTHING, IMPORTANT, OPENINGS, Wish
from notifier.estimating import Outlook, estimate
from notifier.store.condition_store import find_condition
from tests.studies import make_study
from tests.world import World

STROKE: dict[str, Any] = {"conditions": ("Stroke",), "meshes": (), "ancestors": ()}


def outlook(world: World, name: str = "Stroke", **wish: Any) -> Outlook:
    with world.installation.database.reading() as session:
        condition = find_condition(session, name)
        assert condition is not None
        return estimate(session, condition.id, wish=Wish(condition=name, **wish), now=world.now)


def test_a_first_load_counts_for_the_studies_that_were_registered_lately(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2, posted="2025-01-01"), make_study(3, posted="2026-01-31"), baseline=True)

    found = outlook(world)

    assert [item.number for item in found.items] == ["NCT90000001", "NCT90000003"]
    assert (found.total, found.is_more, found.watched) == (2, False, 0)


def test_new_studies_that_nobody_can_join_are_for_those_who_want_everything(world: World) -> None:
    world.ingest(make_study(1, status="COMPLETED"), make_study(2, status="RECRUITING"))

    assert (outlook(world).total, outlook(world, wants=EVERYTHING).total) == (1, 2)


@pytest.mark.parametrize(("wants", "total"), [(OPENINGS, 1), (IMPORTANT, 2), (EVERYTHING, 3)])
def test_later_changes_count_as_far_as_they_are_wanted(either_world: World, wants: str, total: int) -> None:
    world = either_world
    for status, enrollment in (("NOT_YET_RECRUITING", 100), ("RECRUITING", 100), ("SUSPENDED", 100)):
        world.ingest(make_study(1, posted="2025-01-01", status=status, enrollment=enrollment))
        world.now += timedelta(days=3)
    world.ingest(make_study(1, posted="2025-01-01", status="SUSPENDED", enrollment=150))

    assert outlook(world, wants=wants).total == total


def test_studies_of_kinds_count_only_where_they_are_wanted(world: World) -> None:
    world.ingest(make_study(1), make_study(2, **STROKE))

    assert outlook(world).total == 2
    assert [item.number for item in outlook(world, narrower=False).items] == ["NCT90000002"]
    assert outlook(world).has_kinds


def test_studies_that_do_not_fit_the_filter_do_not_count(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2, sites=({"facility": "Clinic", "city": "Lyon", "country": "France"},)))

    assert outlook(world, filter=ReaderFilter(countries=frozenset({"FR"}))).total == 1
    assert outlook(world, filter=ReaderFilter(phases=frozenset({"PHASE3"}))).total == 0


def test_mails_are_counted_by_the_days_and_weeks_that_had_news(world: World) -> None:
    for number, posted in enumerate(("2026-01-05", "2026-01-05", "2026-01-06", "2026-02-10"), 1):
        world.ingest(make_study(number, posted=posted), baseline=True)

    def weekly(cadence: str) -> float:
        return round(outlook(world, cadence=Cadence(cadence=cadence)).mails_a_week * 90 / 7, 6)

    assert (weekly("instant"), weekly("daily"), weekly("weekly")) == (4, 3, 2)


def test_what_is_shown_says_what_happened(world: World) -> None:
    world.ingest(make_study(1, posted="2025-01-01"))
    world.now += timedelta(days=2)
    world.ingest(make_study(1, posted="2025-01-01", status="RECRUITING"))

    item = outlook(world).items[0]

    assert (item.number, item.day) == ("NCT90000001", world.now.date())
    assert item.what == "This study is now looking for people"


@pytest.mark.parametrize("wants", [OPENINGS, IMPORTANT, EVERYTHING])
def test_it_is_what_a_reader_was_mailed_who_followed_it_all_along(world: World, wants: str) -> None:
    world.ingest(make_study(9, posted="2025-01-01"), baseline=True)
    world.subscribe("a@example.org", condition="Stroke", wants=wants)
    mails = 0
    for status, enrollment in (("NOT_YET_RECRUITING", 100), ("RECRUITING", 100), ("RECRUITING", 120)):
        world.ingest(make_study(1, status=status, enrollment=enrollment))
        mails += world.tick(after=world.day).sent

    assert outlook(world, wants=wants).total == mails > 1


def test_no_table_of_changes_is_read_from_end_to_end(world: World) -> None:
    world.ingest(make_study(1))
    asked: list[tuple[str, Any]] = []
    engine = world.installation.database.engine

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_others: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    outlook(world, filter=ReaderFilter(only_recruiting=True, countries=frozenset({"FR"})))
    event.remove(engine, "before_cursor_execute", note)

    with engine.connect() as connection:
        plan = [
            row[-1]
            for statement, parameters in asked
            if "trial_conditions" in statement or "changes" in statement
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert any("SEARCH changes" in line for line in plan)
    assert [line for line in plan if line.startswith(("SCAN changes", "SCAN trial_conditions"))] == []
