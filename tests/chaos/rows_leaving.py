"""Rows in which readers leave or are erased after their mail was claimed and before it goes out."""

import time
from datetime import UTC, datetime

from sqlalchemy import select

from notifier.forgetting import forget_subscriber
from notifier.leaving import end_everything
from notifier.store.models import Delivery, Subscriber
from tests.chaos.rows import BOTH, Row
from tests.chaos.stage import Stage

TRIES_FOR = 30.0


def leave(stage: Stage) -> None:
    """Half of them press the one click, half are erased; who was in time hears nothing more."""
    stage.ready(stage.pick(2_000, 400))
    # What cannot go out yet stays claimed.
    stage.hold(after=20)
    addresses = {reader: address for address, reader in stage.crowd.readers.items()}
    in_time: set[str] = set()
    until = time.monotonic() + TRIES_FOR
    while len(stage.crowd.gone) < stage.pick(100, 20) and time.monotonic() < until:
        reader = _claimed_reader(stage)
        if reader is None:
            time.sleep(0.02)
        elif _end(stage, reader, erase=len(stage.crowd.gone) % 2 == 1):
            in_time.add(addresses[reader])
    stage.sink.behave()
    stage.drain()
    late = {one.recipient for one in stage.sink.list_taken()} & in_time
    stage.say(f"{len(in_time)} left in time, {len(stage.crowd.gone)} in all")
    stage.expect(bool(in_time), "nobody left in time: nothing was shown")
    stage.expect(not late, f"{len(late)} got a mail after they had left")


def _claimed_reader(stage: Stage) -> int | None:
    with stage.installation.database.reading() as session:
        claimed = select(Delivery.subscriber_id).where(Delivery.state == "leased", Delivery.subscriber_id.is_not(None))
        claimed = claimed.where(Delivery.subscriber_id.not_in(stage.crowd.gone))
        return session.scalar(claimed.order_by(Delivery.id.desc()).limit(1))


def _end(stage: Stage, reader: int, *, erase: bool) -> bool:
    """Whether it was committed before the mail went into in_data."""
    now = datetime.now(UTC)
    with stage.installation.database.writing() as session:
        # Whatever puts a mail in_data locks its reader first.
        session.execute(select(Subscriber.id).where(Subscriber.id == reader).with_for_update())
        going = select(Delivery.id).where(Delivery.subscriber_id == reader, Delivery.in_data_at.is_not(None))
        began = session.scalar(going) is not None
        if erase:
            forget_subscriber(session, reader, by="reader", now=now)
        else:
            end_everything(session, reader, reason="one_click", now=now)
    stage.crowd.gone.add(reader)
    return not began


ROWS = [Row(name="left or erased while claimed", go=leave, engines=BOTH)]
