"""A pause: nothing is mailed but what readers ask for; what waited comes as one digest of the net change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from notifier.domain.schedules import Cadence
from notifier.leaving import end_everything
from notifier.preferring import pause_mails, resume_mails
from notifier.store.models import Delivery, DeliverySpan, Match, Subscriber
from notifier.subscribing import request_preferences
from tests.studies import make_study
from tests.world import INSTANT, World

pytestmark = pytest.mark.rules

DAY = timedelta(days=1)
DAILY = Cadence(cadence="daily", hour=18, time_zone="Europe/Berlin")
READER = "a@example.org"


def follow(world: World, *, cadence: Cadence = INSTANT, urgent: bool = False) -> int:
    world.ingest(make_study(1))
    return world.subscribe(READER, trial="NCT90000001", cadence=cadence, urgent=urgent)


def pause(world: World, reader: int, *, days: int = 10) -> None:
    with world.installation.database.writing() as session:
        pause_mails(session, reader, until=world.now + days * DAY)


def resume(world: World, reader: int) -> None:
    with world.installation.database.writing() as session:
        resume_mails(session, reader, now=world.now)


def mails(world: World) -> list[tuple[str, str, str | None]]:
    with world.installation.database.reading() as session:
        return [(one.kind, one.state, one.reason) for one in session.scalars(select(Delivery).order_by(Delivery.id))]


def live(world: World, *, days: int) -> list[datetime]:
    return [world.now for _ in range(days * 2) if world.tick(after=DAY / 2).sent]


@pytest.mark.parametrize("cadence", [INSTANT, DAILY])
def test_what_waited_comes_as_one_digest_after_the_pause(either_world: World, cadence: Cadence) -> None:
    reader = follow(either_world, cadence=cadence)
    pause(either_world, reader, days=4)
    ends = either_world.now + 4 * DAY
    for people in (120, 130, 140):
        either_world.ingest(make_study(1, enrollment=people))
        live(either_world, days=1)

    sent = live(either_world, days=4)

    assert len(sent) == 1
    assert ends <= sent[0] <= ends + DAY * 1.5
    assert "140" in either_world.text_to(READER)
    assert "130" not in either_world.text_to(READER)


def test_what_came_to_nothing_meanwhile_is_not_told(either_world: World) -> None:
    reader = follow(either_world)
    pause(either_world, reader, days=3)
    either_world.ingest(make_study(1, enrollment=120))
    live(either_world, days=1)
    either_world.ingest(make_study(1))

    assert live(either_world, days=4) == []
    assert set(either_world.endings()) == {"collapsed"}


def test_a_digest_that_was_planned_is_not_sent(either_world: World) -> None:
    reader = follow(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.plan()
    pause(either_world, reader)

    assert either_world.tick().sent == 0
    assert mails(either_world) == [("digest", "cancelled", "paused")]
    assert either_world.endings() == [None]


def test_a_pause_while_a_mail_is_made_keeps_it_back(either_world: World) -> None:
    reader = follow(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    composer = either_world.service.deliverer._composer

    def slowly(*given: object) -> object:
        made = composer(*given)  # type: ignore[arg-type]
        pause(either_world, reader)
        return made

    either_world.service.deliverer._composer = slowly  # type: ignore[assignment]

    assert either_world.tick().sent == 0
    assert either_world.endings() == [None]


def test_a_mail_planned_as_the_pause_began_is_given_up(either_world: World) -> None:
    reader = follow(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.plan()
    until = either_world.now + DAY
    with either_world.installation.database.writing() as session:
        session.execute(update(Subscriber).where(Subscriber.id == reader).values(paused_until=until))

    assert either_world.tick().sent == 0
    assert mails(either_world) == [("digest", "cancelled", "paused")]
    assert either_world.endings() == [None]
    assert either_world.tick(after=DAY).sent == 1


def test_a_mail_that_may_have_arrived_rests_and_is_the_same_again(either_world: World) -> None:
    reader = follow(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.plan()
    in_doubt = {"state": "deferred", "ambiguous": 1, "message_id": "<1@example.org>", "dated_at": either_world.now}
    with either_world.installation.database.writing() as session:
        session.execute(update(Delivery).values(**in_doubt))
        session.execute(update(Match).values(delivery_id=1))
        session.add(DeliverySpan(delivery_id=1, trial_id=1, from_seq=1, to_seq=2))
    pause(either_world, reader, days=4)

    assert live(either_world, days=3) == []
    assert mails(either_world) == [("digest", "deferred", "paused")]
    either_world.tick(after=2 * DAY)
    assert either_world.mails(READER)[0]["Message-ID"] == "<1@example.org>"
    assert either_world.endings() == ["delivered"]


def test_what_is_urgent_waits_too_and_comes_with_the_digest(either_world: World) -> None:
    reader = follow(either_world, cadence=DAILY, urgent=True)
    pause(either_world, reader, days=3)
    either_world.ingest(make_study(1, status="TERMINATED"))

    sent = live(either_world, days=5)

    assert len(sent) == 1
    assert [kind for kind, state, _ in mails(either_world) if state == "sent"] == ["digest"]


def test_nobody_is_told_of_silence_during_a_pause(either_world: World) -> None:
    reader = follow(either_world)
    with either_world.installation.database.writing() as session:
        session.execute(update(Subscriber).values(quiet_notes=True))
    pause(either_world, reader, days=60)
    either_world.now = either_world.now.replace(hour=8, minute=30)

    assert [either_world.tick(after=4 * DAY).sent for _ in range(14)] == [0] * 14


def test_mails_come_again_as_soon_as_the_reader_says_so(either_world: World) -> None:
    reader = follow(either_world)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.plan()
    pause(either_world, reader)
    either_world.tick()
    resume(either_world, reader)

    assert either_world.tick().sent == 1


def test_what_readers_ask_for_themselves_is_mailed(either_world: World) -> None:
    reader = follow(either_world)
    pause(either_world, reader)
    with either_world.installation.database.writing() as session:
        request_preferences(session, reader, now=either_world.now)

    assert either_world.tick().sent == 1


def test_leaving_during_a_pause_ends_it_all(either_world: World) -> None:
    reader = follow(either_world)
    pause(either_world, reader, days=3)
    either_world.ingest(make_study(1, enrollment=120))
    either_world.match()
    with either_world.installation.database.writing() as session:
        end_everything(session, reader, reason="reader", now=either_world.now)

    assert either_world.tick().sent == 1
    assert either_world.mails(READER)[0]["Subject"] == "Your e-mails have ended"
    assert live(either_world, days=4) == []


def test_who_comes_back_after_leaving_in_a_pause_hears_again(either_world: World) -> None:
    reader = follow(either_world)
    pause(either_world, reader, days=100)
    either_world.leave(reader)
    either_world.subscribe(READER, trial="NCT90000001", cadence=INSTANT)
    either_world.ingest(make_study(1, enrollment=120))

    assert either_world.tick().sent == 1


@pytest.mark.slow
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["change", "pause", "resume", "tick", "day"]), min_size=3, max_size=12))
def test_whatever_happens_no_mail_goes_out_in_a_pause_and_nothing_is_lost(world: World, steps: list[str]) -> None:
    world.now += 400 * DAY
    world.ingest(make_study(1))
    reader = world.subscribe(READER, trial="NCT90000001", cadence=INSTANT)
    resume(world, reader)
    paused_until, people = datetime.min.replace(tzinfo=UTC), 0
    for step in steps:
        if step == "change":
            people += 1
            world.ingest(make_study(1, enrollment=1000 + people))
        elif step == "pause":
            pause(world, reader, days=2)
            paused_until = world.now + 2 * DAY
        elif step == "resume":
            resume(world, reader)
            paused_until = world.now
        sent = world.tick(after=DAY if step == "day" else timedelta(seconds=1)).sent
        assert not sent or world.now >= paused_until
    world.tick(after=3 * DAY)
    assert world.counts()["waiting"] == 0
    assert not people or f"{1000 + people:,}" in world.text_to(READER)
