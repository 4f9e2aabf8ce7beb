"""What happens while records come in: other records, other writers, and people who subscribe."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from sqlite3 import SQLITE_LIMIT_VARIABLE_NUMBER
from typing import Any

import pytest
from sqlalchemy import event, func, select

from notifier.ingesting import ingest_records
from notifier.registries.record_files import FoundRecord
from notifier.store import trial_store
from notifier.store.models import Condition, Trial, TrialCondition
from tests.studies import make_study
from tests.world import World

WRITERS = 3


def ingest_at_once(world: World, runs: Sequence[Sequence[list[dict[str, Any]]]]) -> int:
    """Several writers, each with its runs of records, at once; how many records were rejected."""

    def write(mine: Sequence[list[dict[str, Any]]]) -> int:
        return sum(world.ingest(*records).counts["rejected"] for records in mine)

    with ThreadPoolExecutor(len(runs)) as pool:
        return sum(pool.map(write, runs))


def test_who_subscribes_during_a_long_run_hears_of_what_is_written_later(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1))

    def records() -> Iterator[FoundRecord]:
        yield from (FoundRecord(place="", record=make_study(number)) for number in range(100, 140))
        world.now += timedelta(minutes=3)
        world.subscribe("a@example.org", trial="NCT90000001")
        yield FoundRecord(place="", record=make_study(1, status="TERMINATED"))

    keys = world.installation.keys
    ingest_records(database=world.installation.database, keys=keys, records=records(), now=lambda: world.now)

    assert world.match() == 1


def test_a_day_of_registry_data_never_goes_back(either_world: World) -> None:
    either_world.ingest(make_study(1))
    database = either_world.installation.database

    for day in ("2026-03-05", "2026-03-04"):
        with database.writing() as session:
            trial_store.set_data_versions(session, {1: day})

    with database.reading() as session:
        assert session.scalars(select(Trial.data_version)).one() == "2026-03-05"


def test_a_study_of_more_conditions_than_one_statement_takes_comes_in(world: World) -> None:
    engine = world.installation.database.engine
    engine.dispose()
    event.listen(engine, "connect", lambda raw, _entry: raw.setlimit(SQLITE_LIMIT_VARIABLE_NUMBER, 10_500))
    names = tuple(f"disease number {number}" for number in range(12_000))

    assert world.ingest(make_study(1, conditions=names, meshes=(), ancestors=())).counts["new"] == 1


@pytest.mark.postgres
def test_writers_of_other_studies_with_the_same_conditions_all_get_through(postgres_world: World) -> None:
    names, random = [f"Disease {number}" for number in range(40)], Random(7)

    def study(number: int) -> dict[str, Any]:
        return make_study(number, conditions=tuple(random.sample(names, 3)), meshes=(), ancestors=())

    runs = [
        [[study(1000 * writer + 32 * run + one) for one in range(32)] for run in range(4)] for writer in range(WRITERS)
    ]

    assert ingest_at_once(postgres_world, runs) == 0
    with postgres_world.installation.database.reading() as session:
        counted = session.scalar(select(func.sum(Condition.trial_count)))
        assert counted == session.scalar(select(func.count(TrialCondition.id)))


@pytest.mark.postgres
def test_writers_of_the_same_studies_in_other_orders_all_get_through(postgres_world: World) -> None:
    postgres_world.ingest(*map(make_study, range(1, 33)))
    runs = [
        [
            [make_study(one, enrollment=1000 + 100 * writer + run) for one in Random(writer).sample(range(1, 33), 32)]
            for run in range(4)
        ]
        for writer in range(WRITERS)
    ]

    assert ingest_at_once(postgres_world, runs) == 0


@pytest.mark.postgres
def test_a_state_taken_away_meanwhile_rejects_no_good_record(postgres_world: World) -> None:
    postgres_world.ingest(make_study(1))

    def unseen(writer: int, run: int) -> dict[str, Any]:
        record = make_study(1)
        record["protocolSection"]["statusModule"]["statusVerifiedDate"] = f"20{10 + writer}-{run % 12 + 1:02}"
        return record

    runs = [[[unseen(writer, run)] for run in range(24)] for writer in range(WRITERS)]

    assert ingest_at_once(postgres_world, runs) == 0
