"""The schema: what links lead to is never somebody else's later, and large tables are asked by their indexes."""

import pytest
from sqlalchemy import Table, delete, select, text

from notifier.store.models import Base, Condition, Delivery, PendingRequest, Subscriber, Subscription
from tests.studies import make_study
from tests.world import World


def test_the_id_of_a_deleted_row_is_not_given_again(either_world: World) -> None:
    either_world.ingest(make_study(1))
    former = either_world.subscribe("a@example.org", trial="NCT90000001")
    with either_world.installation.database.writing() as session:
        session.execute(text("DELETE FROM told"))
        session.execute(delete(Subscription))
        session.execute(delete(Subscriber))

    assert either_world.subscribe("b@example.org", trial="NCT90000001") > former
    with either_world.installation.database.reading() as session:
        assert session.scalars(select(Subscription.id)).one() == 2


@pytest.mark.parametrize("model", [Subscriber, Subscription, PendingRequest, Delivery, Condition])
def test_rows_that_links_lead_to_are_numbered_on_and_on(world: World, model: type[Base]) -> None:
    table = model.__table__
    assert isinstance(table, Table)

    with world.installation.database.reading() as session:
        made = session.scalar(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table.name})

    assert "AUTOINCREMENT" in str(made)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("SELECT id FROM deliveries WHERE request_id = 1", "ix_deliveries_request_id"),
    ],
)
def test_rows_are_found_by_their_index(world: World, statement: str, index: str) -> None:
    with world.installation.database.reading() as session:
        plan = session.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all()

    assert index in str(plan)
