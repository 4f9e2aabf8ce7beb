"""Studies that leave the registry while others write them, and while their readers come and go."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from notifier.delisting import READERS_AT_ONCE
from notifier.domain.condition_naming import NO_NAMES
from notifier.leaving import end_everything
from notifier.preparing import Incoming, prepare
from notifier.retiring import retire_study, settle_merged
from notifier.store import trial_store
from notifier.store.models import Change, Subscription, Trial
from tests.studies import make_study
from tests.world import World

OLD, NEW = "NCT90000001", "NCT90000002"


def retire(world: World, number: str = OLD, *, into: str | None = None) -> bool:
    database = world.installation.database
    return retire_study(database=database, number=number, merged_into=into, now=world.now).changed


def claiming(number: int, *aliases: str, updated: str = "2026-02-21", **changes: Any) -> dict[str, Any]:
    record = deepcopy(make_study(number, updated=updated, **changes))
    record["protocolSection"]["identificationModule"]["nctIdAliases"] = list(aliases)
    return record


def open_numbers(world: World) -> list[str]:
    """The numbers of the studies that open subscriptions are to."""
    with world.installation.database.reading() as session:
        chosen = select(Trial.number).join(Subscription, Subscription.trial_id == Trial.id)
        return list(session.scalars(chosen.where(Subscription.ended_at.is_(None)).order_by(Trial.number)))


@pytest.mark.postgres
def test_of_many_who_say_that_a_study_is_gone_one_is_first(postgres_world: World) -> None:
    postgres_world.ingest(make_study(1))

    with ThreadPoolExecutor(4) as pool:
        changed = list(pool.map(lambda _: retire(postgres_world), range(8)))

    assert sorted(changed) == [False] * 7 + [True]
    with postgres_world.installation.database.reading() as session:
        assert session.scalar(select(func.count(Change.id))) == 2


@pytest.mark.postgres
def test_claims_and_records_at_once_end_each_study_once(postgres_world: World) -> None:
    world = postgres_world
    numbers = range(1, 17)
    world.ingest(*map(make_study, numbers), *(make_study(100 + one) for one in numbers))
    for one in numbers:
        world.subscribe(f"reader{one}@example.org", trial=f"NCT9000{one:04}")

    def claim(order: int) -> int:
        records = [claiming(100 + one, f"NCT9000{one:04}") for one in numbers]
        return world.ingest(*records[::order]).counts["rejected"]

    def revise(order: int) -> int:
        records = [make_study(one, enrollment=500, updated="2026-02-20") for one in numbers]
        return world.ingest(*records[::order]).counts["rejected"]

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(work, order) for order in (1, -1) for work in (claim, revise)]
        assert [run.result() for run in runs] == [0, 0, 0, 0]

    with world.installation.database.reading() as session:
        listed = session.scalars(select(Trial.number).where(Trial.merged_into_id.is_(None)).order_by(Trial.number))
        assert list(listed) == [f"NCT9000{100 + one:04}" for one in numbers]
    world.tick()
    world.tick()
    assert open_numbers(world) == [f"NCT9000{100 + one:04}" for one in numbers]


@pytest.mark.postgres
def test_two_who_give_one_study_its_new_number_make_no_second_study(postgres_world: World) -> None:
    postgres_world.ingest(make_study(1))

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(postgres_world.ingest, claiming(2, OLD, enrollment=200 + one)) for one in range(4)]
        assert [run.result().counts["rejected"] for run in work] == [0] * 4

    with postgres_world.installation.database.reading() as session:
        assert session.scalars(select(Trial.number)).all() == [NEW]


def test_a_number_that_somebody_took_meanwhile_is_not_taken_twice(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2))
    keys, incoming = world.installation.keys, Incoming(place="", number=NEW, record=claiming(2, OLD), fingerprint=b"")

    with world.installation.database.writing() as session:
        held = trial_store.list_held(session, [OLD])[OLD]
        state = prepare(incoming, held, keys=keys, names=NO_NAMES, now=world.now).state
        swapped = trial_store.swap_state(session, held, state, changed=True, source="ctgov", now=world.now)

    assert not swapped
    with world.installation.database.reading() as session:
        assert session.scalars(select(Trial.number).order_by(Trial.id)).all() == [OLD, NEW]


def test_who_subscribes_to_a_study_while_it_is_merged_is_moved_by_the_next_round(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2))
    world.subscribe("late@example.org", trial=OLD)
    with world.installation.database.writing() as session:
        late = session.scalars(select(Subscription)).one()
        late.trial_id, kept = 2, late.trial_id
    retire(world, into=NEW)
    with world.installation.database.writing() as session:
        session.get_one(Subscription, late.id).trial_id = kept

    world.tick()
    world.tick()

    assert open_numbers(world) == [NEW]


def test_whoever_left_is_not_brought_back(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2))
    reader = world.subscribe("reader@example.org", trial=OLD)
    retire(world, into=NEW)

    world.now += timedelta(seconds=1)
    with world.installation.database.writing() as session:
        end_everything(session, reader, reason="reader", now=world.now)
    world.tick()
    world.tick()

    assert open_numbers(world) == []
    assert [mail["Subject"] for mail in world.mails("reader@example.org")] == ["Your e-mails have ended"]


def test_many_readers_move_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ingest(make_study(1), make_study(2))
    for one in range(7):
        world.subscribe(f"reader{one}@example.org", trial=OLD)
    for module in ("notifier.delisting", "notifier.retiring"):
        monkeypatch.setattr(f"{module}.READERS_AT_ONCE", 3)

    retire(world, into=NEW)
    at_once = open_numbers(world).count(NEW)
    world.tick()
    world.tick()

    assert READERS_AT_ONCE > 3
    assert at_once == 3
    assert open_numbers(world) == [NEW] * 7
    assert settle_merged(database=world.installation.database, now=world.now) == 0
