"""Many readers of one study, a mail server of a test's own, and workers that send to them at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from notifier.rounds import open_service
from notifier.store.addresses import read_address
from notifier.store.models import Schedule, Subscriber, Subscription, Told, Trial
from tests.smtp_servers import Mailbox, listening
from tests.studies import make_study
from tests.world import World, copy_database, open_world, settings_for

BOTH_ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@contextmanager
def serving(box: Mailbox) -> Iterator[None]:
    """A mail server that behaves as this one says."""
    controller = listening(box)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


@contextmanager
def world_that_mails_to(
    box: Mailbox, *, request: pytest.FixtureRequest, folder: Path, now: datetime
) -> Iterator[World]:
    """A world on the engine that is the parameter of a fixture, one of `BOTH_ENGINES`."""
    url = None
    if request.param == "sqlite":
        copy_database(request.getfixturevalue("migrated_sqlite"), folder / "notifier.db")
    else:
        url = request.getfixturevalue("new_postgres_database")(request.getfixturevalue("migrated_postgres"))
    opened = open_world(settings_for(folder, mailbox=box, database_url=url), mailbox=box, now=now)
    yield opened
    opened.close()


def address_of(number: int) -> str:
    """The address of one of the readers that `follow` makes."""
    return f"reader{number}@example.org"


def follow(world: World, *, readers: int) -> Sequence[int]:
    """So many readers of one study, confirmed before the news; their ids in the order of their addresses."""
    world.ingest(make_study(), baseline=True)
    first = world.subscribe("first@example.org", trial="NCT90000001")
    keys = world.installation.keys
    addresses = [read_address(address_of(number)) for number in range(readers)]
    with world.installation.database.writing() as session:
        example = session.scalars(select(Subscription)).one()
        trial = session.scalars(select(Trial)).one()
        mailbox = {"language": "en", "revision": 1, "created_at": world.now}
        mailbox["schedule_id"] = session.scalars(select(Schedule.id)).one()
        sealed = [{"address_index": keys.index(one), "address_sealed": keys.seal(one), **mailbox} for one in addresses]
        session.execute(insert(Subscriber), sealed)
        found = {row.address_index: row.id for row in session.execute(select(Subscriber.address_index, Subscriber.id))}
        ids = [found[keys.index(one)] for one in addresses]
        wish = {
            "trial_id": trial.id, "wants": "everything", "news_since": example.news_since, "consent_site": "",
            "consent_how": "form", "confirmed_at": world.now,
        }  # fmt: skip
        session.execute(insert(Subscription), [{"subscriber_id": id_, **wish} for id_ in ids])
        session.execute(insert(Told), [{"subscriber_id": id_, "trial_id": trial.id, "seq": trial.seq} for id_ in ids])
    world.leave(first)
    return ids


def send(world: World) -> None:
    """Send what is due, as one of several workers."""
    service = open_service(world.installation)
    service.deliverer.deliver_due(now=lambda: world.now, real=lambda: datetime.now(UTC))
    service.deliverer.close()
