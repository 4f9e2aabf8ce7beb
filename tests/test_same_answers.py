"""Whoever fills in the form learns nothing of the mailbox: every one of them costs the same work."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from notifier.domain.asking import MAILS_PER_MAILBOX_AND_DAY, MAILS_PER_REQUEST
from notifier.domain.consent_words import consent_text
from notifier.domain.consents import Agreement
from notifier.domain.wishes import Wish
from notifier.store.addresses import read_address
from notifier.store.models import Suppression
from notifier.subscribing import request_subscription
from tests.studies import make_study
from tests.world import World

NUMBER = "NCT90000001"
AGREED = Agreement(text=consent_text(language="en", site_name="Study updates"), health=True)
ROUNDS = 60
NOISE = 2.0
"""A busy machine makes a quarter of difference. That all ask the same of the database is held to the statement."""


def ask(world: World, email: str, *, trial: str = NUMBER, may_mail: bool = True) -> None:
    wish, address = Wish(trial=trial, condition="Stroke", agreed=AGREED), read_address(email)
    with world.installation.database.writing() as session:
        request_subscription(
            session,
            keys=world.installation.keys,
            address=address,
            wish=wish,
            how="form",
            now=world.now,
            may_mail=may_mail,
        )


def follow(world: World, email: str) -> None:
    world.subscribe(email, trial=NUMBER)


def leave(world: World, email: str) -> None:
    world.leave(world.subscribe(email, trial=NUMBER))


def suppress(world: World, email: str) -> None:
    index = world.installation.keys.index(read_address(email))
    with world.installation.database.writing() as session:
        session.add(Suppression(address_index=index, reason="complaint", created_at=world.now))


def ask_for_much(world: World, email: str) -> None:
    for number in range(2, 2 + MAILS_PER_MAILBOX_AND_DAY):
        ask(world, email, trial=f"NCT9000{number:04}")


def do_nothing(_world: World, _email: str) -> None:
    return


KINDS: dict[str, Callable[[World, str], None]] = {
    "unknown": do_nothing,
    "known": follow,
    "left": leave,
    "suppressed": suppress,
    "over the limit of a day": ask_for_much,
}


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """What is asked of the database meanwhile: what each statement does, and to which table."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        words = statement.split()
        found.append(f"{words[0]} {words[2] if words[0] == 'INSERT' else statement.partition('FROM ')[2][:30]}")

    engine = world.installation.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def filled(either_world: World) -> World:
    either_world.ingest(*(make_study(number) for number in range(1, 3 + MAILS_PER_MAILBOX_AND_DAY)))
    # What all wishes share is made by the first one: the wording, the schedule, the filter.
    ask(either_world, "first@example.org")
    return either_world


def test_every_mailbox_is_asked_about_in_the_same_statements(filled: World) -> None:
    asked = {}
    for number, (name, prepare) in enumerate(KINDS.items()):
        prepare(filled, f"reader{number}@example.org")
        with statements(filled) as asked[name]:
            ask(filled, f"reader{number}@example.org")

    assert {"INSERT pending_requests", "INSERT deliveries"} < set(asked["unknown"])
    assert {name: found for name, found in asked.items() if found != asked["unknown"]} == {}


def test_a_mailbox_that_is_counted_out_is_the_same_work(filled: World) -> None:
    with statements(filled) as asked:
        ask(filled, "a@example.org")
    with statements(filled) as counted_out:
        ask(filled, "b@example.org", may_mail=False)

    assert counted_out == asked


def test_asking_again_is_the_same_work_below_and_over_the_limit(filled: World) -> None:
    asked = []
    for _ in range(MAILS_PER_REQUEST + 2):
        filled.now += timedelta(minutes=1)
        with statements(filled) as found:
            ask(filled, "a@example.org")
        asked.append(found)

    assert asked[1:] == [asked[1]] * (MAILS_PER_REQUEST + 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_mailbox_takes_twice_the_time_of_another(filled: World) -> None:
    took: dict[str, list[float]] = {name: [] for name in KINDS}
    for number in range(ROUNDS):
        for name, prepare in KINDS.items():
            email = f"{name.replace(' ', '.')}{number}@example.org"
            prepare(filled, email)
            # Not by the clock on the wall: what else the machine does is not the mailbox's doing.
            began = time.thread_time()
            ask(filled, email)
            took[name].append(time.thread_time() - began)

    medians = {name: statistics.median(found) for name, found in took.items()}
    said = {name: f"{median * 1000:.2f} ms" for name, median in medians.items()}
    assert max(medians.values()) / min(medians.values()) < NOISE, said
