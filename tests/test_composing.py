"""What a mail says: the net change since the reader was last told, and never what is nobody's business."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from notifier.domain.deliveries import Composed
from notifier.preferring import change_mails
from notifier.store.delivery_store import enter_data
from notifier.store.lease_store import claim
from notifier.store.models import Told
from tests.studies import make_study, with_contact
from tests.world import World

pytestmark = pytest.mark.rules


def told(world: World) -> list[int]:
    with world.installation.database.reading() as session:
        return list(session.scalars(select(Told.seq)))


def test_there_and_back_again_is_silence(either_world: World) -> None:
    either_world.ingest(make_study(1, enrollment=100))
    either_world.subscribe("a@example.org", trial="NCT90000001")
    either_world.ingest(make_study(1, enrollment=120))
    either_world.match()
    either_world.ingest(make_study(1, enrollment=100))

    delivered = either_world.tick()

    assert (delivered.sent, either_world.mailbox.accepted) == (0, [])
    assert either_world.endings() == ["collapsed", "collapsed"]


def test_two_steps_are_told_as_one(world: World) -> None:
    world.ingest(make_study(1, enrollment=100))
    world.subscribe("a@example.org", trial="NCT90000001")
    world.ingest(make_study(1, enrollment=120))
    world.ingest(make_study(1, enrollment=150))

    world.tick()

    text = world.text_to("a@example.org")
    assert "100 people" in text
    assert "150 people" in text
    assert "120 people" not in text


def test_forty_changes_before_one_digest_are_all_in_it(either_world: World) -> None:
    numbers = range(1, 41)
    either_world.ingest(*(make_study(number) for number in numbers))
    for number in numbers:
        either_world.subscribe("a@example.org", trial=f"NCT9000{number:04}")
    either_world.ingest(*(make_study(number, enrollment=120) for number in numbers))

    assert either_world.tick().sent == 1
    text = either_world.text_to("a@example.org")
    assert [number for number in numbers if f"NCT9000{number:04}" not in text] == []
    assert set(either_world.endings()) == {"delivered"}


def test_what_was_told_is_not_told_again(world: World) -> None:
    world.ingest(make_study(1, enrollment=100))
    world.subscribe("a@example.org", trial="NCT90000001")
    world.ingest(make_study(1, enrollment=120))
    world.tick()
    world.ingest(make_study(1, enrollment=120, status="RECRUITING"))
    world.tick()

    text = world.text_to("a@example.org")

    assert len(world.mails("a@example.org")) == 2
    assert "100 people" not in text
    assert told(world) == [3]


def test_a_mail_that_fails_is_sent_later_with_what_came_meanwhile(world: World) -> None:
    world.ingest(make_study(1, enrollment=100))
    world.subscribe("a@example.org", trial="NCT90000001")
    world.mailbox.on_rcpt["a@example.org"] = "450 4.2.0 try later"
    world.ingest(make_study(1, enrollment=120))
    failed = world.tick()
    world.ingest(make_study(1, enrollment=150))
    world.mailbox.on_rcpt.clear()

    sent = [world.tick(after=world.day / 24).sent for _ in range(2)]

    assert (failed.deferred, sum(sent)) == (1, 1)
    assert "150 people" in world.text_to("a@example.org")
    assert set(world.endings()) == {"delivered"}


def test_a_new_study_is_a_card_of_its_own_kind(world: World) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(make_study(1, title="A brand new study"))

    world.tick()

    assert world.mails("a@example.org")[0]["Subject"] == "1 new study for you"
    assert "A brand new study" in world.text_to("a@example.org")


def test_subject_and_headers_say_nothing_of_the_disease(world: World) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(make_study(1, title="Stroke and more"))
    world.tick()

    headers = " ".join(f"{name}: {value}" for name, value in world.mails("a@example.org")[0].items())

    assert "stroke" not in headers.lower()
    assert "NCT" not in headers


def test_a_subject_made_before_the_reader_chose_another_does_not_go_out(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = either_world.subscribe("a@example.org", condition="Stroke")
    choose_subjects(either_world, reader, detailed=True)
    either_world.ingest(make_study(2))
    either_world.plan()
    database, now = either_world.installation.database, either_world.now
    with database.writing() as session:
        claimed = claim(session, now=now, limit=1, token="made-up", until=now + either_world.day)
    with database.reading() as session:
        made = [one for one in either_world.service.composer(session, claimed, now) if isinstance(one, Composed)]

    choose_subjects(either_world, reader, detailed=False)

    with database.writing() as session:
        admission = enter_data(session, token="made-up", mails=made, now=now)
    assert admission.changed == {claimed[0].id}


def choose_subjects(world: World, reader: int, *, detailed: bool) -> None:
    with world.installation.database.writing() as session:
        change_mails(session, reader, country=None, detailed_subjects=detailed, quiet_notes=False)


def test_contacts_are_shown_as_marks_of_constant_shape(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", trial="NCT90000001")
    world.ingest(with_contact(make_study(1, enrollment=120), phone="+44 113 496 0000", email="x@clinic.example"))
    world.tick()

    text = world.text_to("a@example.org")

    assert "•••-•••-••••" in text
    assert "•••••@•••••" in text
    assert "496" not in text
    assert "Tresk" not in text


def test_a_poisoned_study_does_not_keep_the_others_back(world: World) -> None:
    world.ingest(make_study(1), make_study(2))
    world.subscribe("a@example.org", trial="NCT90000001")
    world.subscribe("b@example.org", trial="NCT90000002")
    world.ingest(make_study(1, enrollment=120), make_study(2, enrollment=120))
    world.poison("NCT90000001")

    delivered = world.tick()

    assert (delivered.sent, delivered.deferred) == (1, 1)
    assert world.mailbox.recipients == ["b@example.org"]


def test_a_spoiled_study_does_not_silence_the_healthy_one(world: World) -> None:
    world.ingest(make_study(1), make_study(2))
    world.subscribe("a@example.org", trial="NCT90000001")
    world.subscribe("a@example.org", trial="NCT90000002")
    world.ingest(make_study(1, enrollment=120), make_study(2, enrollment=120))
    world.poison("NCT90000001")

    assert world.tick().sent == 1
    assert "NCT90000002" in world.text_to("a@example.org")
    assert sorted(str(ending) for ending in world.endings()) == ["None", "delivered"]


def test_many_readers_of_many_studies_fit_into_one_round(either_world: World) -> None:
    readers, studies = 60, 40
    either_world.ingest(*(make_study(number) for number in range(studies)))
    for number in range(readers):
        either_world.subscribe(f"r{number}@example.org", condition="Stroke")
    either_world.ingest(*(make_study(number, enrollment=120) for number in range(studies)))

    # On a busy machine the mail server may take its time, and a part be held back for a moment.
    ticks = either_world.tick(), either_world.tick(after=timedelta(minutes=1))

    assert sum(done.sent for done in ticks) == readers
    assert all(done.sent == done.tried for done in ticks)
    assert set(either_world.endings()) == {"delivered"}


def test_what_was_learned_silently_is_no_news(world: World) -> None:
    partial = make_study(1)
    for module in ("descriptionModule", "designModule", "contactsLocationsModule", "eligibilityModule"):
        del partial["protocolSection"][module]
    world.ingest(make_study(9), partial)
    world.subscribe("a@example.org", trial="NCT90000001")
    world.ingest(make_study(1, status="RECRUITING", updated="2026-02-21"))
    world.tick()

    text = world.text_to("a@example.org")

    assert "Recruiting: people can join now" in text
    assert "Added" not in text
    assert "added" not in text
