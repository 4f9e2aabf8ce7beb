"""Who asked for studies of a kind hears that one came to be so, that it no longer is, and nothing else."""

from typing import Any

import pytest
from sqlalchemy import delete, select

from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import EVERYTHING, OPENINGS
from notifier.retiring import retire_study
from notifier.store.models import Match, StatePlace, StateTraits, Subscription
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

READER = "a@example.org"
OPEN_IN_GERMANY = ReaderFilter(only_recruiting=True, countries=frozenset({"DE"}))
IN_GERMANY = ReaderFilter(countries=frozenset({"DE"}))
UNFIT = "no longer fits what you asked for"
EVENING = Cadence(cadence="daily", hour=18)


def site(country: str, status: str = "RECRUITING") -> dict[str, Any]:
    return {"facility": f"Clinic of {country}", "city": "Somewhere", "country": country, "status": status}


def study(*sites: dict[str, Any], status: str = "RECRUITING", **edits: Any) -> dict[str, Any]:
    return make_study(1, sites=sites, status=status, **edits)


GERMANY, FRANCE, SHUT = site("Germany"), site("France"), site("Germany", "COMPLETED")


def sent(world: World, *records: dict[str, Any]) -> int:
    """How many mails each further version brings."""
    world.ingest(*records)
    return world.tick().sent


@pytest.mark.parametrize("wants", [OPENINGS, EVERYTHING])
def test_a_study_that_opens_there_is_news_and_so_is_that_it_closed_and_then_silence(
    either_world: World, wants: str
) -> None:
    world = either_world
    world.ingest(study(FRANCE))
    world.subscribe(READER, condition="Stroke", wants=wants, filter=OPEN_IN_GERMANY)

    assert sent(world, study(FRANCE, enrollment=110)) == 0
    assert sent(world, study(FRANCE, GERMANY, enrollment=110)) == 1
    assert UNFIT not in world.text_to(READER)
    assert sent(world, study(FRANCE, SHUT, enrollment=110)) == 1
    assert f"{UNFIT}: people cannot join it now where you asked." in " ".join(world.text_to(READER).split())
    assert sent(world, study(FRANCE, SHUT, enrollment=120)) == 0
    assert sent(world, study(FRANCE, SHUT, enrollment=120, status="SUSPENDED")) == 0


def test_what_comes_and_goes_between_two_mails_is_silence(world: World) -> None:
    world.ingest(study(FRANCE))
    world.subscribe(READER, condition="Stroke", filter=IN_GERMANY, cadence=EVENING)

    world.ingest(study(FRANCE, GERMANY))
    world.match()
    world.ingest(study(FRANCE))

    assert world.tick(after=world.day).sent == 0
    assert world.endings() == ["collapsed", "collapsed"]


def test_a_new_study_is_told_to_those_it_fits(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(9))
    world.subscribe(READER, condition="Stroke", wants=OPENINGS, filter=IN_GERMANY)
    world.subscribe("b@example.org", condition="Stroke", wants=OPENINGS, filter=ReaderFilter(sex="MALE"))

    assert sent(world, study(FRANCE)) == 1
    assert world.mailbox.recipients == ["b@example.org"]


def test_what_a_reader_follows_by_itself_is_never_filtered(world: World) -> None:
    world.ingest(study(FRANCE))
    world.subscribe(READER, trial="NCT90000001", condition="Stroke", filter=IN_GERMANY)

    assert sent(world, study(FRANCE, enrollment=110)) == 1


def test_another_filter_counts_from_then_on(world: World) -> None:
    world.ingest(study(GERMANY))
    world.subscribe(READER, condition="Stroke", filter=IN_GERMANY, cadence=EVENING)
    world.ingest(study(GERMANY, enrollment=110))
    world.match()

    world.subscribe(READER, condition="Stroke", filter=ReaderFilter(countries=frozenset({"FR"})), cadence=EVENING)

    assert world.tick(after=world.day).sent == 0
    assert world.endings() == ["collapsed"]


def test_a_study_of_which_nothing_was_put_down_yet_comes_to_fit_all_the_same(either_world: World) -> None:
    world = either_world
    before, after = study(FRANCE), study(FRANCE)
    before["protocolSection"]["eligibilityModule"]["sex"] = "FEMALE"
    world.ingest(before)
    with world.installation.database.writing() as session:
        session.execute(delete(StatePlace))
        session.execute(delete(StateTraits))
    world.subscribe(READER, condition="Stroke", wants=OPENINGS, filter=ReaderFilter(sex="MALE"))
    world.subscribe("b@example.org", condition="Stroke", wants=OPENINGS, filter=ReaderFilter(sex="FEMALE"))

    assert sent(world, after) == 1
    assert world.mailbox.recipients == [READER]


def test_a_study_that_leaves_for_its_end_says_that_it_does_not_fit(world: World) -> None:
    world.ingest(study(GERMANY))
    world.subscribe(READER, condition="Stroke", filter=OPEN_IN_GERMANY)

    assert sent(world, study(GERMANY, enrollment=110)) == 1
    assert sent(world, study(GERMANY, enrollment=110, status="COMPLETED")) == 1
    assert UNFIT in " ".join(world.text_to(READER).split())
    assert sent(world, study(GERMANY, enrollment=120, status="COMPLETED")) == 0


def test_what_is_important_is_urgent_to_who_said_so(either_world: World) -> None:
    world = either_world
    world.ingest(study(GERMANY))
    world.subscribe(READER, condition="Stroke", urgent=True, filter=IN_GERMANY, cadence=EVENING)
    world.subscribe("b@example.org", condition="Stroke", urgent=True, cadence=EVENING)
    world.subscribe("c@example.org", condition="Stroke", cadence=EVENING)
    world.ingest(study(GERMANY, title="Another title"))
    world.match()
    world.ingest(study(GERMANY, title="Another title", status="SUSPENDED"))
    world.match()

    with world.installation.database.reading() as session:
        found = session.scalars(select(Match.urgent).order_by(Match.seq, Match.subscriber_id)).all()
    assert found == [False, False, False, True, True, False]


def test_who_is_moved_to_another_number_stays_urgent(world: World) -> None:
    world.ingest(make_study(1), make_study(2))
    world.subscribe(READER, trial="NCT90000001", urgent=True)

    retire_study(
        database=world.installation.database, number="NCT90000001", merged_into="NCT90000002", now=world.now + world.day
    )

    with world.installation.database.reading() as session:
        assert session.scalars(select(Subscription.urgent)).all() == [True, True]
