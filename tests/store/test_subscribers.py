"""Subscribers in a real database: several transactions at once do not stand in each other's way."""

import pytest
from sqlalchemy import text

from notifier.domain.wishes import Wish
from notifier.store.addresses import read_address
from notifier.subscribing import subscribe_directly
from tests.delivery_rows import add_digest
from tests.studies import make_study
from tests.world import INSTANT, World

on_postgresql = pytest.mark.parametrize(
    "either_world", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


@on_postgresql
def test_who_confirms_does_not_wait_for_planning(either_world: World) -> None:
    database, keys = either_world.installation.database, either_world.installation.keys
    either_world.ingest(make_study(1), make_study(2))
    reader = either_world.subscribe("a@example.org", trial="NCT90000001")
    wish, address = Wish(trial="NCT90000002", cadence=INSTANT), read_address("a@example.org")

    with database.writing() as planning:
        add_digest(planning, reader, now=either_world.now)
        with database.writing() as confirming:
            confirming.execute(text("SET LOCAL lock_timeout = '30s'"))
            found = subscribe_directly(
                confirming, keys=keys, address=address, wish=wish, how="test", now=either_world.now
            )

    assert found == reader
