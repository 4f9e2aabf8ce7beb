"""How far a reader was told lasts as long as what they follow, and a new subscription knows nothing of an old one."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import select

from notifier.domain.deliveries import Answer, Composed, Verdict
from notifier.domain.wishes import Consent
from notifier.leaving import end_subscription
from notifier.store.delivery_store import enter_data
from notifier.store.lease_store import claim
from notifier.store.models import Condition, Told, Trial, TrialCondition
from notifier.store.outcome_store import mark
from notifier.store.subscriber_store import add_subscription
from tests.delivery_rows import add_change, add_digest, add_reader, add_trial, compose_simply
from tests.studies import make_study
from tests.world import World

ACCEPTED = Verdict(answer=Answer.ACCEPTED, reply="250 OK")


def test_coming_back_to_a_condition_is_told_what_changes_from_then_on(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(9), make_study(1, status="RECRUITING"))
    reader = world.subscribe("a@example.org", condition="Stroke")
    world.ingest(make_study(1, status="RECRUITING", enrollment=110))
    world.tick()
    world.leave(reader)
    world.ingest(make_study(1, status="SUSPENDED", enrollment=110))
    world.tick(after=timedelta(days=300))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(make_study(1, status="RECRUITING", enrollment=110))

    assert world.tick().sent == 1


def test_a_condition_does_not_go_back_to_where_a_study_was_left(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(9), make_study(1, enrollment=100))
    world.leave(world.subscribe("a@example.org", trial="NCT90000001"))
    world.ingest(make_study(1, enrollment=120))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(make_study(1, enrollment=120, title="Another title"))
    world.tick()

    assert "100 people" not in world.text_to("a@example.org")


def test_leaving_a_study_keeps_what_was_told_of_it_through_its_condition(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(9), make_study(1), make_study(2, conditions=("Gout",), meshes=(), ancestors=()))
    world.subscribe("a@example.org", condition="Stroke")
    world.subscribe("a@example.org", trial="NCT90000001")
    world.subscribe("a@example.org", trial="NCT90000002")
    for subscription in (2, 3):
        with world.installation.database.writing() as session:
            end_subscription(session, subscription, reason="link", now=world.now)

    assert _told(world) == ["NCT90000001"]


def test_a_new_study_that_waits_is_told_to_who_follows_it_meanwhile(world: World) -> None:
    world.ingest(make_study(9))
    world.subscribe("a@example.org", condition="Stroke")
    world.ingest(make_study(1))
    world.match()
    world.subscribe("a@example.org", trial="NCT90000001")

    assert world.tick().sent == 1
    assert "NCT90000001" in world.text_to("a@example.org")


def test_a_mail_accepted_after_its_reader_left_tells_a_new_subscription_nothing(either_world: World) -> None:
    world, token = either_world, str(uuid4())
    mails = _in_data(world, token)
    world.leave(1)
    _follow_condition(world)

    with world.installation.database.writing() as session:
        verdicts = {mail.delivery_id: ACCEPTED for mail in mails}
        assert set(mark(session, token=token, mails=mails, verdicts=verdicts, now=world.now).values()) == {"sent"}

    assert _told(world) == []


def _in_data(world: World, token: str) -> list[Composed]:
    """A mail to the first reader, about the first trial, which is going out."""
    with world.installation.database.writing() as session:
        trial = add_trial(session, 1, now=world.now)
        reader = add_reader(session, "ada", trials=[trial], now=world.now)
        add_change(session, trial, now=world.now)
        add_digest(session, reader, now=world.now)
        made = compose_simply(session, claim(session, now=world.now, limit=9, token=token), world.now)
        mails = [one for one in made if isinstance(one, Composed)]
        assert enter_data(session, token=token, mails=mails, now=world.now).admitted
    return mails


def _follow_condition(world: World) -> None:
    """The first reader follows a condition of the first trial, from a little later."""
    world.now += timedelta(seconds=1)
    with world.installation.database.writing() as session:
        session.add(Condition(key="stroke", name="Stroke"))
        session.flush()
        session.add(TrialCondition(trial_id=1, condition_id=1, how="listed", since_seq=1))
        consent = Consent(site="", how="test", at=world.now, news_since="2026-01-01")
        add_subscription(session, subscriber_id=1, condition_id=1, wants="everything", consent=consent)


def _told(world: World) -> list[str]:
    """The numbers of the trials that somebody was told of."""
    with world.installation.database.reading() as session:
        return list(session.scalars(select(Trial.number).join(Told, Told.trial_id == Trial.id)))
