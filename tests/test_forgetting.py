"""Forgetting: an export says all that is held, and an erasure leaves nothing that says who it was."""

import pytest
from sqlalchemy import func, select

from notifier.domain.wishes import Wish
from notifier.forgetting import Erased, forget_subscriber
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
