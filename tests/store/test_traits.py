"""What filters look at stands beside each state: put down with it, put right when it is read anew, gone with it."""

from typing import Any

from sqlalchemy import delete, select, update

from notifier.domain.traits import PHASES, Place, Traits
from notifier.domain.trials import FACTS_VERSION
from notifier.rereading import reread_trials
from notifier.store import traits_store
from notifier.store.models import Change, StatePlace, StateTraits, Trial, TrialState
from tests.studies import make_study
from tests.world import World

LEEDS = {"facility": "Made-up Clinic", "city": "Leeds", "country": "United Kingdom"}


def phase_two(**edits: Any) -> dict[str, Any]:
    record = make_study(1, **edits)
    record["protocolSection"]["designModule"]["phases"] = ["PHASE2"]
    return record


def forget_traits(world: World) -> None:
    """As an installation that upgrades finds it."""
    with world.installation.database.writing() as session:
        session.execute(delete(StatePlace))
        session.execute(delete(StateTraits))
        session.execute(update(Trial).values(facts_version=FACTS_VERSION - 1))


def traits_in(world: World) -> list[Traits]:
    """Of all states, oldest first."""
    with world.installation.database.reading() as session:
        ids = session.scalars(select(TrialState.id).order_by(TrialState.id)).all()
        found = traits_store.load_traits(session, ids)
        return [found[one] for one in ids if one in found]


def test_a_study_comes_with_its_traits(either_world: World) -> None:
    either_world.ingest(phase_two(status="RECRUITING", sites=(LEEDS,)))

    assert traits_in(either_world) == [
        Traits(
            is_recruiting=True,
            phases=PHASES["PHASE2"],
            youngest_months=216,
            places=frozenset({Place("GB", None, is_open=True)}),
        )
    ]


def test_many_sites_in_one_place_are_one_row(world: World) -> None:
    there = {**LEEDS, "geoPoint": {"lat": 53.8, "lon": -1.55}}
    world.ingest(make_study(1, sites=(there, {**there, "facility": "Another Clinic"}, {"facility": "Nowhere"})))

    assert len(traits_in(world)[0].places) == 1


def test_a_state_that_comes_back_is_described_once(either_world: World) -> None:
    for status in ("RECRUITING", "COMPLETED", "RECRUITING"):
        either_world.ingest(phase_two(status=status))

    assert [one.is_recruiting for one in traits_in(either_world)] == [True, False]
    with either_world.installation.database.reading() as session:
        assert len(session.scalars(select(StatePlace)).all()) == 2


def test_a_state_that_nothing_points_to_takes_its_traits_along(either_world: World) -> None:
    either_world.ingest(make_study(1))
    with either_world.installation.database.writing() as session:
        session.execute(delete(Change))

    either_world.ingest(make_study(1, version="2026-03-05", posted="2026-02-19"))

    assert len(traits_in(either_world)) == 1


def test_rereading_describes_what_older_versions_stored(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1, status="RECRUITING"))
    world.match()
    world.ingest(make_study(1, status="COMPLETED"))
    forget_traits(world)

    reread_trials(database=world.installation.database, now=world.now)

    assert [one.is_recruiting for one in traits_in(world)] == [True, False]


def test_states_that_no_news_waits_on_are_left_alone(world: World) -> None:
    world.ingest(make_study(1, status="RECRUITING"))
    world.ingest(make_study(1, status="COMPLETED"))
    world.match()
    forget_traits(world)

    reread_trials(database=world.installation.database, now=world.now)

    assert [one.is_recruiting for one in traits_in(world)] == [False]
