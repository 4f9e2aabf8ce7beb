"""A reader's mails go to their new mailbox, once its owner says yes: nothing is lost, and nothing comes twice."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from notifier.errors import InvalidToken, WrongChoice
from notifier.leaving import end_everything, end_subscription
from notifier.moving import MOVE, accept_move, ask_mailbox
from notifier.preferring import pause_mails
from notifier.store.addresses import read_address
from notifier.store.models import Delivery, DeliverySpan, Match, PendingRequest, Subscriber, Subscription, Suppression
from notifier.subscribing import request_preferences
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

OLD, NEW = "old@example.org", "new@example.org"
CHOICES = "Your link to change your e-mails"
NEWS, MOVED = "1 update to a study you follow", "Your e-mails now go to another mailbox"
DAY = timedelta(days=1)


def follow(world: World, email: str = OLD, number: int = 1) -> int:
    return world.subscribe(email, trial=f"NCT9000000{number}")


def ask(world: World, reader: int, *, address: str = NEW) -> None:
    with world.installation.database.writing() as session:
        keys = world.installation.keys
        ask_mailbox(session, reader, kind=MOVE, keys=keys, address=read_address(address), now=world.now)


def accept(world: World, request: int = 1) -> None:
    with world.installation.database.writing() as session:
        accept_move(session, request, now=world.now)


def followed(world: World) -> list[tuple[int, int]]:
    """Reader and subscription, of those that are open."""
    with world.installation.database.reading() as session:
        chosen = select(Subscription.subscriber_id, Subscription.id).where(Subscription.ended_at.is_(None))
        return [(row[0], row[1]) for row in session.execute(chosen.order_by(Subscription.id))]


def subjects(world: World, to: str) -> list[str]:
    return [str(mail["Subject"]) for mail in world.mails(to)]


def states(world: World) -> list[tuple[str, str]]:
    with world.installation.database.reading() as session:
        return [(one.kind, one.state) for one in session.scalars(select(Delivery).order_by(Delivery.id))]


def test_after_the_yes_mails_go_to_the_new_mailbox(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    ask(either_world, reader)
    either_world.tick()
    accept(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.tick()

    assert subjects(either_world, NEW) == ["Please confirm your new e-mail address", NEWS]
    assert subjects(either_world, OLD) == [MOVED]
    assert followed(either_world) == [(reader, 1)]


def test_who_asked_for_the_choices_before_gets_them_in_the_new_mailbox_too(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    ask(either_world, reader)
    for _ in range(2):
        with either_world.installation.database.writing() as session:
            request_preferences(session, reader, now=either_world.now)
        either_world.tick()
        accept(either_world)

    assert subjects(either_world, OLD)[0] == CHOICES
    assert subjects(either_world, NEW)[-1] == CHOICES


def test_before_the_yes_nothing_changes(either_world: World) -> None:
    either_world.ingest(make_study(1))
    ask(either_world, follow(either_world))
    either_world.ingest(make_study(1, enrollment=120))
    either_world.tick()

    assert len(either_world.mails(OLD)) == 1


def test_the_note_says_neither_where_nor_what_and_ends_everything(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    ask(either_world, reader)
    accept(either_world)
    either_world.tick()
    note = either_world.mails(OLD)[-1]

    assert either_world.installation.links.end_all(reader) in either_world.text_to(OLD)
    assert "List-Unsubscribe" not in note
    assert "NCT9" not in note.as_string()
    assert NEW not in note.as_string()


def test_a_mail_waiting_for_the_old_mailbox_goes_to_the_new_one(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.plan()
    ask(either_world, reader)
    accept(either_world)
    either_world.tick()

    assert NEWS in subjects(either_world, NEW)


def test_a_mail_made_for_the_old_mailbox_as_it_moves_is_made_anew(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    ask(either_world, reader)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.plan()
    composer = either_world.service.deliverer._composer
    moved: list[bool] = []

    def slowly(*given: object) -> object:
        made = composer(*given)  # type: ignore[arg-type]
        if not moved:
            accept(either_world)
            moved.append(True)
        return made

    either_world.service.deliverer._composer = slowly  # type: ignore[assignment]
    either_world.tick()
    either_world.tick()

    assert subjects(either_world, OLD) == [MOVED]
    assert NEWS in subjects(either_world, NEW)


def test_a_mail_in_doubt_never_goes_to_another_mailbox_and_its_news_comes_anew(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.plan()
    in_doubt = {"state": "deferred", "ambiguous": 1, "message_id": "<1@example.org>", "dated_at": either_world.now}
    with either_world.installation.database.writing() as session:
        session.execute(update(Delivery).values(**in_doubt))
        session.execute(update(Match).values(delivery_id=1))
        session.add(DeliverySpan(delivery_id=1, trial_id=1, from_seq=1, to_seq=2))
    ask(either_world, reader)
    accept(either_world)
    either_world.tick()

    assert states(either_world)[0] == ("digest", "unknown")
    assert [mail["Message-ID"] for mail in either_world.mails(NEW)].count("<1@example.org>") == 0
    assert NEWS in subjects(either_world, NEW)


@pytest.mark.parametrize(("reply", "drop_at", "state"), [
    ("451 Later", None, "cancelled"), ("550 Never", None, "cancelled"), ("250 OK", "message", "unknown"),
])  # fmt: skip
def test_a_mail_going_out_as_it_moves_is_not_tried_again_elsewhere(
    world: World, reply: str, drop_at: str | None, state: str
) -> None:
    world.ingest(make_study(1))
    ask(world, follow(world))
    world.tick()
    world.ingest(make_study(1, enrollment=120))
    world.plan()
    world.mailbox.on_message[OLD], world.mailbox.drop_at = reply, drop_at
    postman = world.service.deliverer._postman
    send = postman.send

    def after_the_yes(*given: object, **named: object) -> object:
        accept(world)
        return send(*given, **named)  # type: ignore[arg-type]

    postman.send = after_the_yes  # type: ignore[method-assign,assignment]
    world.tick()
    postman.send, world.mailbox.drop_at = send, None  # type: ignore[method-assign]
    world.mailbox.on_message.clear()
    world.tick()

    assert ("digest", state) in states(world)
    assert NEWS in subjects(world, NEW)


def test_where_somebody_follows_things_already_they_are_joined(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2), make_study(3))
    former = follow(either_world)
    follow(either_world, number=2)
    there = follow(either_world, NEW, number=2)
    follow(either_world, NEW, number=3)
    ask(either_world, former)
    accept(either_world)
    either_world.ingest(make_study(1, enrollment=120), make_study(2, enrollment=120))
    either_world.tick()

    assert {reader for reader, _ in followed(either_world)} == {there}
    assert len(followed(either_world)) == 3
    assert subjects(either_world, NEW) == ["2 updates to studies you follow"]
    assert subjects(either_world, OLD) == [MOVED]


def test_what_waited_and_consent_go_along_when_two_are_joined(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    former = follow(either_world)
    follow(either_world, NEW, number=2)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.match()
    with either_world.installation.database.reading() as session:
        agreed = session.get_one(Subscription, 1).confirmed_at
    ask(either_world, former)
    accept(either_world)
    either_world.tick()

    with either_world.installation.database.reading() as session:
        assert session.get_one(Subscription, 1).confirmed_at == agreed
    assert "NCT90000001" in either_world.text_to(NEW)
    assert either_world.endings() == ["delivered"]


def test_what_one_of_two_was_told_is_not_told_again(either_world: World) -> None:
    either_world.ingest(make_study(1))
    former = either_world.subscribe(OLD, condition="Stroke")
    either_world.subscribe(NEW, trial="NCT90000001")
    either_world.ingest(make_study(1, enrollment=120))
    either_world.tick()
    ask(either_world, former)
    accept(either_world)
    either_world.ingest(make_study(1, enrollment=130))
    either_world.tick()

    assert subjects(either_world, NEW).count(NEWS) == 2
    assert "100" not in either_world.text_to(NEW)


def test_who_left_at_the_new_mailbox_long_ago_gets_the_settings_along(either_world: World) -> None:
    either_world.ingest(make_study(1))
    there = follow(either_world, NEW)
    either_world.leave(there)
    former = follow(either_world)
    with either_world.installation.database.writing() as session:
        session.execute(update(Subscriber).where(Subscriber.id == former).values(language="de"))
        pause_mails(session, former, until=either_world.now + DAY)
    ask(either_world, former)
    accept(either_world)

    with either_world.installation.database.reading() as session:
        joined = session.get_one(Subscriber, there)
        assert (joined.language, joined.paused_until) == ("de", either_world.now + DAY)


def test_an_address_that_must_not_be_mailed_gets_nothing(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    index = either_world.installation.keys.index(read_address(NEW))
    with either_world.installation.database.writing() as session:
        session.add(Suppression(address_index=index, reason="complaint", created_at=either_world.now))
    ask(either_world, reader)

    assert either_world.tick().sent == 0
    with pytest.raises(InvalidToken):
        accept(either_world)


def test_the_same_again_is_mailed_three_times_at_most(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    for _ in range(6):
        ask(either_world, reader)

    assert either_world.tick().sent == 3


def test_another_address_replaces_the_first(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    ask(either_world, reader, address="typo@example.org")
    ask(either_world, reader)
    either_world.tick()

    assert either_world.mails("typo@example.org") == []
    with pytest.raises(InvalidToken):
        accept(either_world, 1)
    accept(either_world, 2)


def test_nobody_can_have_mails_sent_to_many_mailboxes(world: World) -> None:
    world.ingest(make_study(1))
    reader = follow(world)
    for number in range(12):
        ask(world, reader, address=f"somebody{number}@example.org")
        world.tick()

    assert len(world.mailbox.accepted) == 6


def test_the_own_address_is_no_new_one(world: World) -> None:
    world.ingest(make_study(1))
    reader = follow(world)

    with pytest.raises(WrongChoice):
        ask(world, reader, address="OLD@example.org")


def test_a_link_expires_after_a_week(world: World) -> None:
    world.ingest(make_study(1))
    ask(world, follow(world))
    world.now += 7 * DAY

    with pytest.raises(InvalidToken):
        accept(world)


def test_who_left_meanwhile_is_not_brought_back(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    ask(either_world, reader)
    either_world.leave(reader)

    assert either_world.tick().sent == 0
    with pytest.raises(InvalidToken):
        accept(either_world)


def test_saying_yes_twice_does_it_once(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = follow(either_world)
    ask(either_world, reader)
    either_world.tick()
    accept(either_world)
    accept(either_world)
    either_world.tick()

    assert len(either_world.mails(OLD)) == 1
    with either_world.installation.database.reading() as session:
        assert session.get_one(PendingRequest, 1).from_subscriber_id == reader


def test_links_of_earlier_mails_still_end_what_they_promise(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    former = follow(either_world)
    there = follow(either_world, NEW, number=2)
    ask(either_world, former)
    accept(either_world)
    with either_world.installation.database.writing() as session:
        end_subscription(session, 1, reason="reader", now=either_world.now)

    assert followed(either_world) == [(there, 2)]
    with either_world.installation.database.writing() as session:
        end_everything(session, former, reason="one_click", now=either_world.now)
    assert followed(either_world) == [(there, 2)]
