"""A condition with its names, its kin and its studies, and the search, on both engines."""

from datetime import timedelta

import pytest

from notifier.browsing import search, view_condition
from notifier.errors import UnknownCondition
from notifier.store.condition_store import find_condition
from notifier.store.models import BroaderCondition, Condition, ConditionName
from tests.web.site import make_record
from tests.world import World

pytestmark = pytest.mark.rules

STROKE = "Ischemic Stroke"


def condition_id(world: World, name: str) -> int:
    with world.installation.database.reading() as session:
        found = find_condition(session, name)
        assert found is not None
        return found.id


def test_a_condition_shows_what_people_can_join_first(either_world: World) -> None:
    for at, status in enumerate(("COMPLETED", "RECRUITING", "UNKNOWN")):
        either_world.now += timedelta(days=1)
        either_world.ingest(make_record(f"NCT9000000{at}", statusModule={"overallStatus": status}))

    with either_world.installation.database.reading() as session:
        view = view_condition(session, condition_id(either_world, STROKE))

    assert [one.number for one in view.studies] == ["NCT90000001", "NCT90000002", "NCT90000000"]
    assert view.studies[0].countries == ("CN",)
    assert view.listed_names == ("ACUTE ISCHEMIC STROKE",)
    assert (view.total, view.page, view.pages, view.is_cut) == (3, 1, 1, False)


def test_the_nearest_kin_comes_first(either_world: World) -> None:
    with either_world.installation.database.writing() as session:
        held = [Condition(key=name, name=name, trial_count=at) for at, name in enumerate(("a", "b", "c", "d", "e"))]
        session.add_all(held)
        session.flush()
        ids = {one.name: one.id for one in held}
        for pair in ("ba", "ca", "cb", "da", "db", "dc", "ea"):
            for vocabulary in ("one", "two"):
                row = {"condition_id": ids[pair[0]], "broader_id": ids[pair[1]], "vocabulary": vocabulary}
                session.add(BroaderCondition(**row))
        session.add(ConditionName(condition_id=ids["c"], key="see", name="See", vocabulary="one"))

    with either_world.installation.database.reading() as session:
        top, middle = view_condition(session, ids["a"]), view_condition(session, ids["c"])

    assert [(one.name, one.is_direct) for one in top.narrower] == [("e", True), ("b", True), ("d", False), ("c", False)]
    assert [(one.name, one.is_direct) for one in middle.broader] == [("b", True), ("a", False)]
    assert middle.names == ("See",)


def test_words_and_names_find_studies(either_world: World) -> None:
    either_world.ingest(make_record())

    with either_world.installation.database.reading() as session:
        found = [
            [one.number for one in search(session, words).studies] for words in ("strok after", "ischaemic stroke")
        ]
        nothing = [search(session, words).studies for words in ("fter", "%", "stroke zebra")]

    assert found == [["NCT90000001"]] * 2
    assert nothing == [()] * 3


def test_a_condition_or_page_that_is_not_there_is_unknown(either_world: World) -> None:
    either_world.ingest(make_record())
    number = condition_id(either_world, STROKE)

    for asked in ((number + 1_000, 1), (number, 0), (number, 2)):
        with either_world.installation.database.reading() as session, pytest.raises(UnknownCondition):
            view_condition(session, asked[0], page=asked[1])


def test_an_aside_of_a_study_is_no_other_name_of_its_condition(world: World) -> None:
    for at in range(2):
        conditions = ["Arm Weakness", "Ischaemic Stroke, Acute"]
        world.ingest(make_record(f"NCT9000000{at}", conditionsModule={"conditions": conditions}))

    with world.installation.database.reading() as session:
        view = view_condition(session, condition_id(world, STROKE))

    assert view.listed_names == ("Ischaemic Stroke, Acute",)
