"""Retention: what its time is up for goes, in portions, and no later mail is another one for it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select

from notifier.domain.wishes import EVERYTHING, IMPORTANT, OPENINGS, Wish
from notifier.preferring import choose_mails
from notifier.retaining import retain
from notifier.rounds import make_news
from notifier.store import audit_store, retention_store
from notifier.store.addresses import read_address
from notifier.store.models import (
    AuditEntry,
    Base,
    Delivery,
    Destination,
    IdempotentAnswer,
    Match,
    PendingRequest,
    Subscriber,
    Subscription,
)
from notifier.subscribing import confirm_request, request_subscription
from tests.smtp_servers import mailbox
from tests.studies import make_study
from tests.world import World, copy_database, open_world, settings_for

NUMBER = "NCT90000001"
READERS = ("a@example.org", "b@example.org", "c@example.org")
DAY = timedelta(days=1)
TOKEN = re.compile(r"/(?:unsubscribe|preferences|confirm)/\S+")


def ask(world: World, email: str) -> int:
    """Somebody asks at the form; the id of the request."""
    with world.installation.database.writing() as session:
        request_subscription(
            session, keys=world.installation.keys, address=read_address(email), wish=Wish(trial=NUMBER), how="form",
            now=world.now,
        )  # fmt: skip
        return session.scalars(select(PendingRequest.id).order_by(PendingRequest.id.desc())).first() or 0


def keep(world: World, *, later: timedelta) -> None:
    """One round of retention as it will be some time later."""
    retain(database=world.installation.database, now=world.now + later)


def count(world: World, table: type[Base]) -> int:
    with world.installation.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_request_nobody_confirmed_goes_a_week_after_it_expired(either_world: World) -> None:
    either_world.ingest(make_study(), baseline=True)
    ask(either_world, "a@example.org")

    keep(either_world, later=13 * DAY)
    assert count(either_world, PendingRequest) == 1
    keep(either_world, later=15 * DAY)

    assert count(either_world, PendingRequest) == 0
    assert count(either_world, Delivery) == 1


def test_a_confirmed_request_goes_after_thirty_days(world: World) -> None:
    world.ingest(make_study(), baseline=True)
    request = ask(world, "a@example.org")
    with world.installation.database.writing() as session:
        confirm_request(session, request, keys=world.installation.keys, now=world.now)

    keep(world, later=29 * DAY)
    assert count(world, PendingRequest) == 1
    keep(world, later=31 * DAY)

    assert (count(world, PendingRequest), count(world, Subscription)) == (0, 1)


def test_a_clock_that_once_ran_ahead_does_not_end_the_retention(world: World) -> None:
    world.ingest(make_study(), baseline=True)
    retain(database=world.installation.database, now=world.now + timedelta(days=9_000))
    ask(world, "nobody@example.org")

    keep(world, later=timedelta(days=15))

    assert count(world, PendingRequest) == 0


def test_who_follows_nothing_for_ninety_days_is_forgotten(either_world: World) -> None:
    either_world.ingest(make_study(), baseline=True)
    reader = either_world.subscribe("a@example.org", trial=NUMBER)
    either_world.ingest(make_study(status="COMPLETED", updated="2026-03-03"))
    either_world.tick()
    either_world.leave(reader)

    keep(either_world, later=89 * DAY)
    assert either_world.counts()["subscribers"] == 1
    keep(either_world, later=91 * DAY)
    keep(either_world, later=92 * DAY)

    assert either_world.counts()["subscribers"] == 0
    assert [count(either_world, table) for table in (Subscription, Match, Delivery)] == [0, 0, 0]
    with either_world.installation.database.reading() as session:
        assert session.get_one(Subscriber, reader).is_erased
        assert [(row.what, row.by) for row in audit_store.list_newest(session, limit=9)] == [("expired", "retention")]


def test_what_ended_goes_and_its_reader_stays_for_the_rest(world: World) -> None:
    world.ingest(make_study(), make_study(2), baseline=True)
    reader = world.subscribe("a@example.org", trial=NUMBER)
    world.leave(reader)
    world.subscribe("a@example.org", trial="NCT90000002")

    keep(world, later=91 * DAY)

    assert (world.counts()["subscribers"], count(world, Subscription)) == (1, 1)


def test_old_news_and_mails_go_but_what_later_mails_need(either_world: World) -> None:
    either_world.ingest(make_study(), baseline=True)
    either_world.subscribe("a@example.org", trial=NUMBER)
    for day, status in enumerate(("COMPLETED", "TERMINATED", "RECRUITING"), 3):
        either_world.ingest(make_study(status=status, updated=f"2026-03-{day:02}"))
        either_world.tick()

    keep(either_world, later=179 * DAY)
    assert (count(either_world, Match), count(either_world, Delivery)) == (3, 3)
    keep(either_world, later=181 * DAY)

    assert (count(either_world, Match), count(either_world, Delivery)) == (1, 1)


def test_walks_go_on_where_they_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_store, "_PORTION", 1)
    monkeypatch.setattr("notifier.retaining.PORTIONS", 1)
    world.ingest(make_study(), baseline=True)
    world.subscribe("a@example.org", trial=NUMBER)
    for day, status in enumerate(("COMPLETED", "TERMINATED", "RECRUITING"), 3):
        world.ingest(make_study(status=status, updated=f"2026-03-{day:02}"))
        world.tick()

    left = []
    for round_ in range(8):
        keep(world, later=200 * DAY + timedelta(seconds=round_))
        left.append(count(world, Match))

    assert (left[0], left[-1], count(world, Delivery)) == (3, 1, 1)


def test_answers_and_the_audit_trail_go_when_their_time_is_up(either_world: World) -> None:
    with either_world.installation.database.writing() as session:
        audit_store.add(session, what="exported", by="reader", now=either_world.now)
        session.add(
            IdempotentAnswer(
                api_key_id=0, key_digest=b"k", request_digest=b"r", created_at=either_world.now,
                expires_at=either_world.now + DAY,
            )
        )  # fmt: skip

    keep(either_world, later=2 * DAY)
    assert (count(either_world, IdempotentAnswer), count(either_world, AuditEntry)) == (0, 1)
    keep(either_world, later=1100 * DAY)

    assert count(either_world, AuditEntry) == 0


def test_destinations_go_to_which_nothing_went_for_a_month(world: World) -> None:
    with world.installation.database.writing() as session:
        session.add_all(Destination(key=bytes([days]), seen_at=world.now - days * DAY) for days in (1, 20, 40))

    keep(world, later=timedelta())
    left = count(world, Destination)
    keep(world, later=11 * DAY)

    assert (left, count(world, Destination)) == (2, 1)


@pytest.mark.parametrize("seed", [4, *(pytest.param(n, marks=pytest.mark.slow) for n in range(8, 24))])
def test_a_round_between_any_two_steps_changes_no_later_mail(
    seed: int, tmp_path: Path, migrated_sqlite: Path, now: datetime
) -> None:
    with ExitStack() as stack:
        plain, kept = (
            stack.enter_context(a_world(tmp_path / name, migrated_sqlite, now)) for name in ("plain", "kept")
        )
        for world in (plain, kept):
            live(world, Random(seed), is_kept=world is kept)

        assert plain.mailbox.accepted
        for reader in READERS:
            assert said(kept, reader) == said(plain, reader)


@contextmanager
def a_world(folder: Path, migrated: Path, now: datetime) -> Iterator[World]:
    copy_database(migrated, folder / "notifier.db")
    with mailbox() as box:
        opened = open_world(settings_for(folder, mailbox=box), mailbox=box, now=now)
        yield opened
        opened.close()
    shutil.rmtree(folder)


def live(world: World, random: Random, *, is_kept: bool) -> None:
    """A random life of an installation; the same for the same seed."""
    # The hour at which quiet notes go to who hears as it happens.
    world.now += timedelta(hours=23)
    world.ingest(make_study(), make_study(2), baseline=True)
    for step in range(16):
        _step(world, random, step)
        if is_kept:
            # As if all that has ended had ended long ago.
            keep(world, later=(400 + 2 * step) * DAY)
            make_news(world.installation, now=world.now)


def _step(world: World, random: Random, step: int) -> None:
    reader, chance = random.choice(READERS), random.random()
    status = random.choice(("RECRUITING", "COMPLETED", "TERMINATED", "NOT_YET_RECRUITING"))
    number, days, wants = random.randint(1, 2), random.choice((1, 1, 35)), random.choice((EVERYTHING, IMPORTANT))
    if step < 3 or chance < 0.2:
        condition = random.random() < 0.5
        chosen = random.choice((OPENINGS, wants)) if condition else wants
        email = READERS[step] if step < 3 else reader
        id_ = world.subscribe(
            email,
            trial=None if condition else f"NCT9000000{number}",
            condition="Stroke" if condition else None,
            wants=chosen,
        )  # fmt: skip
        with world.installation.database.writing() as session:
            choose_mails(
                session, id_, detailed_subjects=None, quiet_notes=random.random() < 0.5 and email == READERS[0]
            )
        return
    if chance < 0.3:
        # Who comes back after they were forgotten is somebody new, whose quiet months begin anew.
        reader = READERS[2]
        with world.installation.database.reading() as session:
            index = world.installation.keys.index(read_address(reader))
            found = session.scalar(select(Subscriber.id).where(Subscriber.address_index == index))
        if found is not None:
            world.leave(found)
        return
    if chance < 0.75:
        world.ingest(make_study(number, status=status, updated=f"2026-04-{step + 1:02}", enrollment=100 + step))
    # A note that was refused is not written again in its month; 400 days later the month is another one.
    refused = reader if reader != READERS[0] else READERS[1]
    world.mailbox.on_rcpt = {refused: random.choice(("550 no", "451 later"))} if random.random() < 0.3 else {}
    world.tick(after=days * DAY)


def said(world: World, reader: str) -> list[str]:
    """What each mail to a reader said, without its links."""
    texts = []
    for mail in world.mails(reader):
        body = mail.get_body(("plain",))
        assert body is not None
        texts.append(TOKEN.sub("", f"{mail['Subject']}\n{body.get_content()}"))
    return texts
