"""From a wish to a subscription and out again: nothing before the mailbox's owner confirms, everything ends at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from notifier.domain.asking import MAILS_PER_REQUEST
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.errors import InvalidAddress, InvalidRequest, InvalidToken, UnknownCondition, UnknownTrial
from notifier.leaving import end_everything, end_subscription
from notifier.preferring import change_cadence
from notifier.store.addresses import read_address
from notifier.store.models import (
    Condition,
    Delivery,
    PendingRequest,
    Schedule,
    Subscriber,
    Subscription,
    Suppression,
    Told,
)
from notifier.subscribing import confirm_request, request_subscription
from tests.studies import make_study
from tests.world import INSTANT, World


def ask(world: World, email: str = "a@example.org", **wish: object) -> None:
    wanted = Wish(**{"trial": "NCT90000001", "cadence": INSTANT, **wish})  # type: ignore[arg-type]
    with world.installation.database.writing() as session:
        request_subscription(
            session, keys=world.installation.keys, address=read_address(email), wish=wanted, how="form", now=world.now
        )


def confirm(world: World, request_id: int = 1) -> int:
    with world.installation.database.writing() as session:
        return confirm_request(session, request_id, keys=world.installation.keys, now=world.now)


def count(world: World, model: type, **where: object) -> int:
    with world.installation.database.reading() as session:
        return session.scalar(select(func.count()).select_from(model).filter_by(**where)) or 0


def test_asking_changes_nobody_and_sends_one_mail(either_world: World) -> None:
    either_world.ingest(make_study(1))

    ask(either_world)

    assert either_world.tick().sent == 1
    assert (count(either_world, Subscriber), count(either_world, Subscription)) == (0, 0)
    assert either_world.mails("a@example.org")[0]["List-Unsubscribe"] is None


def test_the_confirmation_repeats_nothing_that_was_typed(world: World) -> None:
    world.ingest(make_study(1, title="Buy now"))
    ask(world, condition="Visit evil dot example", accept_unknown=True, site="evil-site", language="de")
    world.tick()

    mail = world.mails("a@example.org")[0]
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    whole = [str(value) for value in mail.values()] + [str(body.get_content()) for body in bodies if body is not None]

    assert len(whole) > len(bodies)
    assert not any(word in said for said in whole for word in ("evil", "Visit", "Buy now", "NCT9"))


def test_confirming_twice_subscribes_once(either_world: World) -> None:
    either_world.ingest(make_study(1))
    ask(either_world, condition="Stroke")

    confirm(either_world)
    confirm(either_world)

    assert count(either_world, Subscription, ended_at=None) == 2


def test_an_old_confirmation_link_changes_nothing_later(either_world: World) -> None:
    either_world.ingest(make_study(1))
    ask(either_world)
    subscriber = confirm(either_world)
    weekly = Cadence(cadence="weekly", hour=7, weekday=4, time_zone="UTC")
    with either_world.installation.database.writing() as session:
        change_cadence(session, subscriber, cadence=weekly, now=either_world.now)
    either_world.leave(subscriber)
    either_world.now += timedelta(days=90)

    assert confirm(either_world) == subscriber
    with either_world.installation.database.reading() as session:
        chosen = select(Schedule.cadence).join(Subscriber, Subscriber.schedule_id == Schedule.id)
        assert session.scalars(chosen).one() == "weekly"
    assert count(either_world, Subscription, ended_at=None) == 0


def test_an_old_confirmation_link_brings_nobody_back(world: World) -> None:
    world.ingest(make_study(1))
    ask(world)
    confirm(world)
    with world.installation.database.writing() as session:
        for model in (Told, Subscription, Subscriber):
            session.execute(delete(model))

    with pytest.raises(InvalidToken):
        confirm(world)

    assert count(world, Subscriber) == 0


def test_asking_again_resends_three_times_at_most(world: World) -> None:
    world.ingest(make_study(1))

    for _ in range(6):
        ask(world)

    assert (count(world, PendingRequest), count(world, Delivery, state="waiting")) == (1, MAILS_PER_REQUEST)
    assert count(world, Delivery) == MAILS_PER_REQUEST + 1, "what is refused is written once"


def test_one_mailbox_is_not_flooded_through_many_studies(world: World) -> None:
    world.ingest(*(make_study(number) for number in range(1, 30)))

    for number in range(1, 30):
        ask(world, trial=f"NCT9000{number:04}")

    assert count(world, Delivery, state="waiting") == 10


def test_one_mailbox_is_not_flooded_by_many_at_once(either_world: World) -> None:
    either_world.ingest(make_study(1))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: ask(either_world), range(12)))

    waiting = count(either_world, Delivery, state="waiting")
    assert (count(either_world, PendingRequest), waiting) == (1, MAILS_PER_REQUEST)


def test_mails_are_counted_by_the_day_they_were_sent(either_world: World) -> None:
    either_world.ingest(*(make_study(number) for number in range(1, 20)))
    for number in range(1, 8):
        ask(either_world, trial=f"NCT9000{number:04}")
    either_world.now += timedelta(hours=25)
    for number in range(1, 20):
        ask(either_world, trial=f"NCT9000{number:04}")

    assert count(either_world, Delivery, state="waiting") == 17


def test_an_expired_request_cannot_be_confirmed(world: World) -> None:
    world.ingest(make_study(1))
    ask(world)
    world.now += timedelta(days=8)

    with pytest.raises(InvalidToken):
        confirm(world)


def test_an_address_is_one_subscriber_however_it_is_written(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))

    one = either_world.subscribe("Jorg@bücher.example.org", trial="NCT90000001")
    two = either_world.subscribe("JORG@xn--bcher-kva.example.org", trial="NCT90000002")

    assert one == two


@pytest.mark.parametrize(
    "text",
    [
        "", "nobody", "a@", "@nobody.test", "a@b@example.org", "a@example.org, b@example.org", "a b@example.org",
        "a@example.org\r\nBcc: b@example.org", "a@[127.0.0.1]", '"a b"@example.org', "a@exam\u200bple.org",
        "a@example.org\u202e", "\ud800@example.org", "a" * 300 + "@nobody.test",
    ],
)  # fmt: skip
def test_what_is_not_an_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        read_address(text)

    assert not text or text not in str(refused.value)


def test_an_unknown_study_is_refused(world: World) -> None:
    with pytest.raises(UnknownTrial):
        ask(world, trial="NCT00000000")


def test_an_unknown_condition_is_refused_with_what_comes_near(world: World) -> None:
    world.ingest(make_study(1))

    with pytest.raises(UnknownCondition) as refused:
        ask(world, condition="strok")

    assert "Stroke" in refused.value.suggestions


def test_words_that_were_accepted_match_later_studies(world: World) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition="Moon sickness", accept_unknown=True)

    world.ingest(make_study(1, conditions=("Moon Sickness",), meshes=(), ancestors=()))

    assert world.match() == 1


@pytest.mark.parametrize(
    "text", ["quillon@clinic.example", "+1 555 010 4477", "quillon@clinic.example +1 555 010 4477"]
)
def test_contact_details_are_no_condition(world: World, text: str) -> None:
    world.ingest(make_study(1))

    with pytest.raises(UnknownCondition) as refused:
        ask(world, condition=text, accept_unknown=True)

    assert text not in str(refused.value)


def test_unconfirmed_words_make_no_condition(world: World) -> None:
    world.ingest(make_study(1))
    ask(world, condition="Moon sickness", accept_unknown=True)

    assert count(world, Condition, key="moon sickness") == 0


def test_a_wish_for_nothing_is_refused(world: World) -> None:
    with pytest.raises(InvalidRequest):
        ask(world, trial=None)


def test_ending_one_leaves_the_other(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    either_world.subscribe("a@example.org", trial="NCT90000001")
    either_world.subscribe("a@example.org", trial="NCT90000002")
    either_world.ingest(make_study(1, enrollment=120), make_study(2, enrollment=120))
    either_world.match()

    with either_world.installation.database.writing() as session:
        end_subscription(session, 1, reason="link", now=either_world.now)
    either_world.tick()

    assert "NCT90000001" not in either_world.text_to("a@example.org")
    assert sorted(str(ending) for ending in either_world.endings()) == ["delivered", "ended"]


def test_leaving_ends_what_waits_and_what_is_planned(either_world: World) -> None:
    either_world.ingest(make_study(1))
    subscriber = either_world.subscribe("a@example.org", trial="NCT90000001")
    either_world.ingest(make_study(1, enrollment=120))
    either_world.plan()

    with either_world.installation.database.writing() as session:
        end_everything(session, subscriber, reason="one-click", now=either_world.now)
        end_everything(session, subscriber, reason="one-click", now=either_world.now)

    assert either_world.tick().sent == 0
    assert either_world.endings() == ["ended"]


def test_coming_back_starts_from_now(world: World) -> None:
    world.ingest(make_study(1, enrollment=100))
    world.leave(world.subscribe("a@example.org", trial="NCT90000001"))
    world.ingest(make_study(1, enrollment=120))
    world.subscribe("a@example.org", trial="NCT90000001")
    world.ingest(make_study(1, enrollment=150))
    world.tick()

    assert "100 people" not in world.text_to("a@example.org")


def test_a_suppressed_address_gets_no_confirmation(world: World) -> None:
    world.ingest(make_study(1))
    index = world.installation.keys.index(read_address("a@example.org"))
    with world.installation.database.writing() as session:
        session.add(Suppression(address_index=index, reason="complaint", created_at=world.now))

    ask(world)

    assert world.tick().sent == 0
    assert count(world, Delivery, state="cancelled", reason="suppressed") == 1


def test_a_suppressed_address_cannot_confirm_what_was_asked_before(world: World) -> None:
    world.ingest(make_study(1))
    ask(world)
    index = world.installation.keys.index(read_address("a@example.org"))
    with world.installation.database.writing() as session:
        session.add(Suppression(address_index=index, reason="complaint", created_at=world.now))

    with pytest.raises(InvalidToken):
        confirm(world)

    assert count(world, Subscriber) == 0


def test_addresses_are_sealed_in_the_database(world: World, tmp_path: Path) -> None:
    world.ingest(make_study(1))
    ask(world, "canary.reader@example.org")
    confirm(world)
    world.close()

    assert b"canary.reader" not in (tmp_path / "notifier.db").read_bytes()
