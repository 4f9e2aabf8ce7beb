"""Ten thousand readers leave or are erased while a send is running: none gets a mail after that was answered."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import insert, select

from notifier.forgetting import forget_subscriber
from notifier.leaving import end_everything
from notifier.rounds import open_service
from notifier.store.addresses import read_address
from notifier.store.models import Delivery, Schedule, Subscriber, Subscription, Told, Trial
from tests.servers import free_port
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.world import World, copy_database, open_world, settings_for

READERS = 10_000
LEAVERS = 4
pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]


@dataclass
class Clocked(Mailbox):
    """A mail server that notes when each digest came, and takes its time, so that a send lasts.

    The last mail to who pressed the button, the only one without a header to unsubscribe by, is not counted.
    """

    came: dict[str, list[float]] = field(default_factory=dict)
    pause: float = 0.004

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if b"List-Unsubscribe" in (envelope.original_content or b""):
            self.came.setdefault(envelope.rcpt_tos[0], []).append(time.monotonic())
        await asyncio.sleep(self.pause)
        return await super().handle_DATA(server, session, envelope)


@dataclass
class Left:
    """When each reader's request was answered, and for whom a mail was in_data by then."""

    answered: dict[int, float] = field(default_factory=dict)
    excused: set[int] = field(default_factory=set)


@pytest.fixture
def clocked() -> Iterator[Clocked]:
    box = Clocked(port=free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def crowd(request: pytest.FixtureRequest, tmp_path: Path, clocked: Clocked, now: datetime) -> Iterator[World]:
    url = None
    if request.param == "sqlite":
        copy_database(request.getfixturevalue("migrated_sqlite"), tmp_path / "notifier.db")
    else:
        url = request.getfixturevalue("new_postgres_database")(request.getfixturevalue("migrated_postgres"))
    opened = open_world(settings_for(tmp_path, mailbox=clocked, database_url=url), mailbox=clocked, now=now)
    yield opened
    opened.close()


def test_no_mail_follows_the_answer(crowd: World, clocked: Clocked) -> None:
    readers = follow(crowd)
    crowd.ingest(make_study(status="COMPLETED", updated="2026-03-03"))
    assert crowd.plan() == READERS
    left = Left()
    leaving = [(turn, reader) for turn, reader in enumerate(Random(5).sample(readers, READERS))]

    with ThreadPoolExecutor(LEAVERS + 2) as threads:
        sending = [threads.submit(send, crowd) for _ in range(2)]
        for one in [threads.submit(leave, crowd, left, leaving[start::LEAVERS]) for start in range(LEAVERS)]:
            one.result()
        for run in sending:
            run.result()
    send(crowd)

    came = {reader: clocked.came.get(address_of(number), []) for number, reader in enumerate(readers)}
    late = {id_ for id_, moments in came.items() if any(moment > left.answered[id_] for moment in moments)}
    never = [id_ for id_, moments in came.items() if not moments]
    print(f"{len(never)} got no digest, {len(late)} after the answer, {len(left.excused)} were in_data then")  # noqa: T201
    assert late <= left.excused
    assert len(never) > READERS / 10
    assert all(len(moments) <= 1 for moments in came.values())


def address_of(number: int) -> str:
    return f"reader{number}@example.org"


def follow(world: World) -> Sequence[int]:
    """Ten thousand readers of one study, confirmed before the news; their ids in the order of their addresses."""
    world.ingest(make_study(), baseline=True)
    world.subscribe("first@example.org", trial="NCT90000001")
    keys = world.installation.keys
    addresses = [read_address(address_of(number)) for number in range(READERS)]
    with world.installation.database.writing() as session:
        first = session.scalars(select(Subscription)).one()
        trial = session.scalars(select(Trial)).one()
        mailbox = {"language": "en", "revision": 1, "created_at": world.now}
        mailbox["schedule_id"] = session.scalars(select(Schedule.id)).one()
        sealed = [{"address_index": keys.index(one), "address_sealed": keys.seal(one), **mailbox} for one in addresses]
        session.execute(insert(Subscriber), sealed)
        found = {row.address_index: row.id for row in session.execute(select(Subscriber.address_index, Subscriber.id))}
        ids = [found[keys.index(one)] for one in addresses]
        wish = {
            "trial_id": trial.id, "wants": "everything", "news_since": first.news_since, "consent_site": "",
            "consent_how": "form", "confirmed_at": world.now,
        }  # fmt: skip
        session.execute(insert(Subscription), [{"subscriber_id": id_, **wish} for id_ in ids])
        session.execute(insert(Told), [{"subscriber_id": id_, "trial_id": trial.id, "seq": trial.seq} for id_ in ids])
    world.leave(first.subscriber_id)
    return ids


def leave(world: World, left: Left, leaving: Sequence[tuple[int, int]]) -> None:
    """Half of them erase everything, the others end it by their mail program's one click or by the button."""
    database = world.installation.database
    for turn, reader in leaving:
        with database.writing() as session:
            if turn % 2:
                forget_subscriber(session, reader, by="reader", now=world.now)
            else:
                end_everything(session, reader, reason="reader" if turn % 4 else "one_click", now=world.now)
            going = select(Delivery.id).where(Delivery.subscriber_id == reader, Delivery.state == "in_data")
            if session.scalar(going) is not None:
                left.excused.add(reader)
        left.answered[reader] = time.monotonic()


def send(world: World) -> None:
    """Send what is due, as one of several workers; the goodbyes are a mail of their own and wait."""
    service = open_service(world.installation)
    clock: Callable[[], datetime] = lambda: world.now  # noqa: E731
    service.deliverer.deliver_due(now=clock, real=lambda: datetime.now(UTC))
    service.deliverer.close()
