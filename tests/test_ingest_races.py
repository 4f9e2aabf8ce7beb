"""What happens while records come in: other records, other writers, and people who subscribe."""

from collections.abc import Iterator
from datetime import timedelta

from notifier.ingesting import ingest_records
from notifier.registries.record_files import FoundRecord
from tests.studies import make_study
from tests.world import World


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
