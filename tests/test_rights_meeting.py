"""Two rights used in the same moment: whoever comes second waits, and then gets what was promised all the same."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.domain.wishes import Wish
from notifier.enrolling import Terms, bring_list
from notifier.errors import InvalidToken
from notifier.forgetting import forget_subscriber
from notifier.leaving import end_subscription
from notifier.moving import MOVE, accept_move, ask_mailbox
from notifier.preferring import change_mails
from notifier.store import letter_store
from notifier.store.addresses import read_address
from notifier.store.delivery_contents import lock_owners
from notifier.store.models import Delivery, PendingRequest, Subscriber, Subscription
from notifier.store.move_store import lock_asking
from notifier.subscribing import subscribe_directly
from tests.studies import make_study
from tests.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.rules]

OLD, NEW = "old@example.org", "new@example.org"
MOMENT = 0.3
Work = Callable[[Session], object]


def prepare(world: World, *, joining: bool = True) -> int:
    """A reader who asked for a new mailbox, in which somebody reads of another study already if they are to join."""
    world.ingest(make_study(1), make_study(2))
    reader = world.subscribe(OLD, trial="NCT90000001")
    if joining:
        world.subscribe(NEW, trial="NCT90000002")
    write(world, lambda session: ask(world, session, reader))
    return reader


def ask(world: World, session: Session, reader: int, *, address: str = NEW) -> None:
    keys = world.installation.keys
    ask_mailbox(session, reader, kind=MOVE, keys=keys, address=read_address(address), now=world.now)


def accept(world: World, request: int = 1) -> Work:
    return lambda session: accept_move(session, request, now=world.now)


def subscribe(world: World) -> Work:
    keys, address, wish = world.installation.keys, read_address(NEW), Wish(trial="NCT90000002")
    return lambda session: subscribe_directly(
        session, keys=keys, address=address, wish=wish, how="operator", now=world.now
    )


def write(world: World, work: Work) -> object:
    with world.installation.database.writing() as session:
        return work(session)


def meet(world: World, first: Work, second: Callable[[], Any]) -> Any:
    """What the second one gives, who begins before the first one has committed."""
    with ThreadPoolExecutor() as others:
        with world.installation.database.writing() as session:
            first(session)
            coming: Future[Any] = others.submit(second)
            wait([coming], timeout=MOMENT)
        return coming.result()


def owners(world: World) -> list[int]:
    with world.installation.database.reading() as session:
        return list(session.scalars(select(Subscription.subscriber_id).where(Subscription.ended_at.is_(None))))


def test_news_matched_while_two_readers_are_joined_reaches_the_new_mailbox(postgres_world: World) -> None:
    prepare(postgres_world)
    postgres_world.ingest(make_study(1, enrollment=120))

    assert meet(postgres_world, accept(postgres_world), postgres_world.match) == 1
    postgres_world.tick()
    assert "1 update to a study you follow" in [mail["Subject"] for mail in postgres_world.mails(NEW)]


def test_what_is_left_while_two_readers_are_joined_has_ended(postgres_world: World) -> None:
    prepare(postgres_world)
    leave: Work = lambda session: end_subscription(session, 1, reason="reader", now=postgres_world.now)  # noqa: E731

    meet(postgres_world, accept(postgres_world), lambda: write(postgres_world, leave))
    assert len(owners(postgres_world)) == 1


def test_a_mailbox_that_subscribes_while_it_says_yes_to_a_move_is_one_reader(postgres_world: World) -> None:
    prepare(postgres_world, joining=False)

    meet(postgres_world, subscribe(postgres_world), lambda: write(postgres_world, accept(postgres_world)))
    assert len(owners(postgres_world)) == 2
    assert len(set(owners(postgres_world))) == 1


def test_who_moves_to_a_mailbox_that_its_reader_just_leaves_behind_stays_themselves(postgres_world: World) -> None:
    reader = prepare(postgres_world)
    write(postgres_world, lambda session: ask(postgres_world, session, reader + 1, address="third@example.org"))

    meet(postgres_world, accept(postgres_world, 2), lambda: write(postgres_world, accept(postgres_world)))
    assert sorted(owners(postgres_world)) == [reader, reader + 1]


def test_who_is_erased_while_a_list_is_brought_is_left_alone(postgres_world: World, tmp_path: Path) -> None:
    world, reader = postgres_world, prepare(postgres_world)
    file = tmp_path / "list.csv"
    file.write_text(
        "email,condition,consent_at,consent_health\n"
        f"{OLD},Stroke,2026-02-01T10:00:00Z,yes\nada@example.org,Stroke,2026-02-01T10:00:00Z,yes\n"
    )
    erase: Work = lambda session: forget_subscriber(session, reader, by="reader", now=world.now)  # noqa: E731
    bring = partial(
        bring_list, database=world.installation.database, keys=world.installation.keys, path=file,
        terms=Terms(text="I agree.", site="clinic"), now=world.now, on_progress=lambda _: None,
    )  # fmt: skip

    assert meet(world, erase, bring).subscriptions == 1
    assert reader not in owners(world)


def test_a_choice_made_while_its_reader_is_erased_leaves_nothing(postgres_world: World) -> None:
    reader = prepare(postgres_world)
    erase: Work = lambda session: forget_subscriber(session, reader, by="reader", now=postgres_world.now)  # noqa: E731
    choice: Work = lambda session: change_mails(  # noqa: E731
        session, reader, country="DE", detailed_subjects=True, quiet_notes=True
    )

    with pytest.raises(InvalidToken):
        meet(postgres_world, erase, lambda: write(postgres_world, choice))
    with postgres_world.installation.database.reading() as session:
        assert session.get_one(Subscriber, reader).country is None


def test_what_is_asked_while_its_reader_is_erased_is_erased_too(postgres_world: World) -> None:
    world, reader = postgres_world, prepare(postgres_world)
    erase: Work = lambda session: forget_subscriber(session, reader, by="reader", now=world.now)  # noqa: E731

    meet(world, lambda session: ask(world, session, reader, address="third@example.org"), lambda: write(world, erase))
    with world.installation.database.reading() as session:
        assert session.scalars(select(PendingRequest)).all() == []


def test_who_waits_for_a_reader_holds_also_what_was_asked_for_them_meanwhile(postgres_world: World) -> None:
    world, reader = postgres_world, prepare(postgres_world)
    free = select(PendingRequest.id).with_for_update(skip_locked=True)

    def lock(session: Session) -> list[int]:
        lock_asking(session, reader)
        return list(cast("list[int]", write(world, lambda other: other.scalars(free).all())))

    asked: Work = lambda session: ask(world, session, reader, address="third@example.org")  # noqa: E731
    assert meet(world, asked, lambda: write(world, lock)) == []


def test_mails_of_two_readers_who_are_joined_are_locked_with_whose_they_are_then(postgres_world: World) -> None:
    world, reader = postgres_world, prepare(postgres_world)
    with world.installation.database.writing() as session:
        letter_store.add_goodbye(session, reader, now=world.now)
    lock: Work = lambda session: lock_owners(session, Delivery.kind == "goodbye", also=[reader]).keys()  # noqa: E731

    assert meet(world, accept(world), lambda: write(world, lock)) == {reader, reader + 1}
