"""Forgetting: an export says all that is held, and an erasure leaves nothing that says who it was."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from notifier.domain.wishes import Wish
from notifier.errors import InvalidToken
from notifier.forgetting import collect, collect_address, forget_address, forget_subscriber
from notifier.store.addresses import read_address
from notifier.store.forget_store import Erased
from notifier.store.models import (
    AuditEntry,
    Base,
    Delivery,
    Match,
    PendingRequest,
    Subscriber,
    Subscription,
    Suppression,
    Told,
)
from notifier.subscribing import request_preferences, request_subscription
from tests.studies import make_study
from tests.world import World

EMAIL = "jo.canary@example.org"
NUMBER = "NCT90000001"
pytestmark = pytest.mark.rules


def follow(world: World, email: str = EMAIL) -> int:
    """A reader who was mailed of one study and for whom more news of it waits; the id of the subscriber."""
    world.ingest(make_study(), baseline=True)
    reader = world.subscribe(email, trial=NUMBER)
    world.ingest(make_study(status="COMPLETED", updated="2026-03-03"))
    world.tick()
    world.ingest(make_study(status="TERMINATED", updated="2026-03-04"))
    world.match()
    return reader


def ask(world: World, email: str = EMAIL) -> None:
    """Somebody asks at the form."""
    with world.installation.database.writing() as session:
        request_subscription(
            session, keys=world.installation.keys, address=read_address(email), wish=Wish(trial=NUMBER), how="form",
            now=world.now,
        )  # fmt: skip


def forget(world: World, reader: int) -> Erased:
    with world.installation.database.writing() as session:
        return forget_subscriber(session, reader, by="reader", now=world.now)


def count(world: World, table: type[Base]) -> int:
    with world.installation.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_nothing_of_a_forgotten_reader_is_left(either_world: World) -> None:
    reader = follow(either_world)
    ask(either_world)

    erased = forget(either_world, reader)

    assert erased == Erased(subscribers=1, subscriptions=1, requests=1, mails=3, matches=2)
    assert [count(either_world, table) for table in (Match, Told, Delivery, PendingRequest)] == [0, 0, 0, 0]
    with either_world.installation.database.reading() as session:
        row = session.get_one(Subscriber, reader)
        assert row.is_erased
        assert (row.language, row.country, row.created_at.year) == ("en", None, 1970)
        kept = session.scalars(select(Subscription)).one()
        assert (kept.consent_site, kept.consent_how, kept.ended_reason) == ("", "", "erased")


def test_a_forgotten_reader_gets_no_mail(either_world: World) -> None:
    reader = follow(either_world)
    before = len(either_world.mails(EMAIL))
    either_world.plan()
    with either_world.installation.database.writing() as session:
        request_preferences(session, reader, now=either_world.now)

    forget(either_world, reader)
    either_world.ingest(make_study(status="RECRUITING", updated="2026-03-05"))
    delivered = either_world.tick()

    assert len(either_world.mails(EMAIL)) == before
    assert (delivered.sent, delivered.failed, delivered.deferred) == (0, 0, 0)


def test_forgetting_twice_erases_once(world: World) -> None:
    reader = follow(world)

    forget(world, reader)

    assert forget(world, reader) == Erased()
    assert count(world, AuditEntry) == 1


def test_who_only_asked_is_forgotten_by_address(either_world: World) -> None:
    either_world.ingest(make_study(), baseline=True)
    ask(either_world)
    here = either_world.installation

    with here.database.writing() as session:
        erased = forget_address(session, read_address(EMAIL), keys=here.keys, by="operator", now=either_world.now)

    assert erased == Erased(requests=1, mails=1)
    assert either_world.tick().sent == 0
    assert (count(either_world, PendingRequest), count(either_world, Subscriber)) == (0, 0)


def test_a_suppression_outlives_erasure_and_none_is_made(world: World) -> None:
    reader = follow(world)
    index = world.installation.keys.index(read_address(EMAIL))
    with world.installation.database.writing() as session:
        session.add(Suppression(address_index=b"another", reason="bounced", created_at=world.now))

    forget(world, reader)

    with world.installation.database.reading() as session:
        assert session.get(Suppression, index) is None
    assert count(world, Suppression) == 1


def test_who_comes_back_is_somebody_new(world: World) -> None:
    reader = follow(world)
    forget(world, reader)

    again = world.subscribe(EMAIL, trial=NUMBER)
    world.ingest(make_study(status="RECRUITING", updated="2026-03-06"))
    before = len(world.mails(EMAIL))
    world.tick()

    assert again != reader
    assert len(world.mails(EMAIL)) == before + 1


def test_a_mail_in_data_is_marked_although_its_reader_was_forgotten(either_world: World) -> None:
    reader = follow(either_world)
    either_world.plan()
    with either_world.installation.database.writing() as session:
        going = session.scalars(select(Delivery).where(Delivery.state == "waiting")).one()
        going.state, going.lease_token, going.leased_until = "in_data", "a worker", either_world.now
        going.message_id, going.dated_at, going.in_data_at = "<1@x>", either_world.now, either_world.now
    before = len(either_world.mails(EMAIL))

    forget(either_world, reader)
    assert count(either_world, Delivery) == 1
    for _ in range(3):
        either_world.tick(after=either_world.day)

    with either_world.installation.database.reading() as session:
        assert session.scalars(select(Delivery.state)).all() == ["cancelled"]
    assert len(either_world.mails(EMAIL)) == before


def test_an_export_says_all_that_is_held(either_world: World) -> None:
    reader = follow(either_world)
    ask(either_world)
    here = either_world.installation

    with here.database.writing() as session:
        found = json.loads(json.dumps(collect(session, reader, keys=here.keys, now=either_world.now)))

    assert (found["address"], found["choices"]["how_often"]["cadence"]) == (EMAIL, "instant")
    assert [(one["study"], one["wants"], one["agreed_through"]) for one in found["follows"]] == [
        (NUMBER, "everything", "operator")
    ]
    assert [one["settled_as"] for one in found["news"]] == ["delivered", None]
    mails = [(one["kind"], one["state"]) for one in found["mails"]]
    assert mails == [("digest", "sent"), ("digest", "waiting"), ("confirmation", "waiting")]
    assert found["told"] == [{"study": NUMBER, "told_up_to_update": 2}]
    assert [one["asked_through"] for one in found["requests"]] == ["form"]


def test_nothing_is_given_out_of_who_was_forgotten(world: World) -> None:
    reader = follow(world)
    forget(world, reader)
    here = world.installation

    with here.database.writing() as session:
        assert collect_address(session, read_address(EMAIL), keys=here.keys, now=world.now) is None
        with pytest.raises(InvalidToken):
            collect(session, reader, keys=here.keys, now=world.now)


def test_neither_address_nor_condition_is_logged(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.ingest(make_study(), baseline=True)
    reader = world.subscribe(EMAIL, condition="Canarial fever", accept_unknown=True)
    here = world.installation
    capfd.readouterr()

    with here.database.writing() as session:
        collect(session, reader, keys=here.keys, now=world.now)
    forget(world, reader)
    world.tick(after=100 * world.day)

    said = "".join(capfd.readouterr()).lower()
    assert "canar" not in said


@pytest.mark.postgres
def test_who_subscribes_while_they_are_forgotten_is_somebody_new(postgres_world: World) -> None:
    reader = follow(postgres_world)
    database = postgres_world.installation.database

    with ThreadPoolExecutor(1) as threads:
        with database.writing() as session:
            forget_subscriber(session, reader, by="reader", now=postgres_world.now)
            coming = threads.submit(postgres_world.subscribe, EMAIL, trial=NUMBER)
            with pytest.raises(TimeoutError):
                coming.result(timeout=0.3)
        again = coming.result(timeout=10)

    assert again != reader
    assert postgres_world.counts()["subscribers"] == 1


def test_not_even_the_sealed_address_lies_on_in_the_file(world: World) -> None:
    reader = follow(world)
    with world.installation.database.reading() as session:
        sealed = session.get_one(Subscriber, reader).address_sealed

    forget(world, reader)
    with world.installation.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    assert sealed not in Path(str(world.installation.database.engine.url.database)).read_bytes()
