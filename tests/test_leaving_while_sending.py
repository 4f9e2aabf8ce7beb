"""Ten thousand readers leave or are erased while a send is running: none gets a mail after that was answered."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select

from notifier.forgetting import forget_subscriber
from notifier.leaving import end_everything
from notifier.store.models import Delivery
from tests.many_readers import BOTH_ENGINES, address_of, follow, send, serving, world_that_mails_to
from tests.servers import free_port
from tests.smtp_servers import Mailbox
from tests.studies import make_study
from tests.world import World

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
    with serving(box):
        yield box


@pytest.fixture(params=BOTH_ENGINES)
def crowd(request: pytest.FixtureRequest, tmp_path: Path, clocked: Clocked, now: datetime) -> Iterator[World]:
    with world_that_mails_to(clocked, request=request, folder=tmp_path, now=now) as world:
        yield world


def test_no_mail_follows_the_answer(crowd: World, clocked: Clocked) -> None:
    readers = follow(crowd, readers=READERS)
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
