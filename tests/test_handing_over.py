"""Somebody takes over what a reader follows: with a consent of their own, and the reader hears no more."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from notifier.domain.consent_words import consent_text
from notifier.domain.consents import Agreement
from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.errors import InvalidToken
from notifier.moving import HAND_OVER, MOVE, Offer, accept_move, accept_offer, ask_mailbox, view_offer
from notifier.store import subscriber_store
from notifier.store.addresses import read_address
from notifier.store.models import Subscriber, Subscription
from tests.evidence import list_evidence
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

GIVER, TAKER = "giver@example.org", "taker@example.org"
WEEKLY = Cadence(cadence="weekly", hour=7, weekday=4, time_zone="America/New_York")
WORDS = consent_text(language="en", site_name="Study updates")


def follow(world: World) -> int:
    world.subscribe(GIVER, condition="Stroke", filter=ReaderFilter(only_recruiting=True), urgent=True, cadence=WEEKLY)
    return world.subscribe(GIVER, trial="NCT90000001", cadence=WEEKLY, country="DE")


def ask(world: World, reader: int, *, address: str = TAKER) -> None:
    with world.installation.database.writing() as session:
        keys = world.installation.keys
        ask_mailbox(session, reader, kind=HAND_OVER, keys=keys, address=read_address(address), now=world.now)


def look(world: World) -> Offer:
    with world.installation.database.reading() as session:
        return view_offer(session, 1, now=world.now)


def accept(world: World, *, seal: str | None = None) -> bool:
    seal = look(world).seal if seal is None else seal
    with world.installation.database.writing() as session:
        return accept_offer(session, 1, seal=seal, agreed=Agreement(text=WORDS, health=True), now=world.now)


def taken(world: World) -> list[Subscription]:
    with world.installation.database.reading() as session:
        found = subscriber_store.find_subscriber(session, world.installation.keys.index(read_address(TAKER)))
        return subscriber_store.list_open(session, found.id) if found else []


def subjects(world: World, to: str) -> list[str]:
    return [str(mail["Subject"]) for mail in world.mails(to)]


def test_what_is_followed_begins_there_and_ends_here(either_world: World) -> None:
    either_world.ingest(make_study(1))
    giver = follow(either_world)
    ask(either_world, giver)
    either_world.tick()
    assert accept(either_world)
    either_world.tick()

    assert subjects(either_world, TAKER) == ["Would you like to take over our e-mails?"]
    assert subjects(either_world, GIVER) == ["Your e-mails have ended"]
    condition, trial = taken(either_world)
    assert (condition.urgent, condition.filter_id is not None) == (True, True)
    assert trial.trial_id == 1
    with either_world.installation.database.reading() as session:
        assert subscriber_store.count_open(session, giver) == 0
        reader = session.get_one(Subscriber, trial.subscriber_id)
        assert (reader.schedule_id, reader.country) == (session.get_one(Subscriber, giver).schedule_id, None)


def test_consent_is_their_own(either_world: World) -> None:
    either_world.ingest(make_study(1))
    ask(either_world, follow(either_world))
    either_world.now += timedelta(days=2)
    accept(either_world)

    with either_world.installation.database.reading() as session:
        evidence = list_evidence(session, taken(either_world)[0].subscriber_id)
    assert [(one.text, one.health, one.how, one.confirmed_at) for one in evidence] == [
        (WORDS, True, "hand_over", either_world.now)
    ] * 2


def test_only_what_comes_later_is_news_to_them(either_world: World) -> None:
    either_world.ingest(make_study(1))
    giver = follow(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.match()
    ask(either_world, giver)
    accept(either_world)
    either_world.tick()
    assert len(subjects(either_world, TAKER)) == 0
    either_world.ingest(make_study(1, enrollment=130))
    either_world.tick(after=timedelta(days=8))

    assert "120" in either_world.text_to(TAKER)
    assert len(subjects(either_world, TAKER)) == 1


def test_the_mail_says_neither_who_nor_what(world: World) -> None:
    world.ingest(make_study(1))
    ask(world, follow(world))
    world.tick()
    mail = world.mails(TAKER)[0].as_string().lower()

    assert "giver" not in mail
    assert "stroke" not in mail
    assert "nct9" not in mail


def test_what_was_changed_since_they_looked_is_shown_first(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    giver = follow(either_world)
    ask(either_world, giver)
    seen = look(either_world).seal
    either_world.subscribe(GIVER, trial="NCT90000002", cadence=WEEKLY)

    assert not accept(either_world, seal=seen)
    assert taken(either_world) == []
    assert accept(either_world)
    assert len(taken(either_world)) == 3


def test_what_they_follow_already_stays_as_they_have_it(either_world: World) -> None:
    either_world.ingest(make_study(1))
    there = either_world.subscribe(TAKER, condition="Stroke")
    ask(either_world, follow(either_world))
    with either_world.installation.database.writing() as session:
        session.execute(update(Subscriber).where(Subscriber.id == there).values(language="de"))
    accept(either_world)

    own, trial = taken(either_world)
    assert (own.urgent, own.filter_id, trial.trial_id) == (False, None, 1)
    with either_world.installation.database.reading() as session:
        reader = session.get_one(Subscriber, there)
        assert reader.language == "de"
        assert session.scalars(select(Subscription.consent_how).where(Subscription.id == own.id)).one() == "operator"


def test_saying_yes_twice_does_it_once(either_world: World) -> None:
    either_world.ingest(make_study(1))
    ask(either_world, follow(either_world))
    accept(either_world)
    accept(either_world, seal="")
    either_world.tick()

    assert len(taken(either_world)) == 2
    assert subjects(either_world, GIVER) == ["Your e-mails have ended"]


def test_one_kind_of_link_does_not_do_for_the_other(world: World) -> None:
    world.ingest(make_study(1))
    ask(world, follow(world))

    with world.installation.database.writing() as session, pytest.raises(InvalidToken):
        accept_move(session, 1, now=world.now)


def test_a_new_address_withdraws_what_was_offered_before(world: World) -> None:
    world.ingest(make_study(1))
    giver = follow(world)
    ask(world, giver)
    with world.installation.database.writing() as session:
        keys = world.installation.keys
        ask_mailbox(session, giver, kind=MOVE, keys=keys, address=read_address("new@example.org"), now=world.now)

    with pytest.raises(InvalidToken):
        look(world)


def test_who_left_meanwhile_offers_nothing(world: World) -> None:
    world.ingest(make_study(1))
    giver = follow(world)
    ask(world, giver)
    world.leave(giver)

    with pytest.raises(InvalidToken):
        look(world)
