"""The monthly mail that nothing is new: only to who chose it, only in silence, and never instead of news."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select, update

from notifier import planning
from notifier.domain.schedules import Cadence
from notifier.store.models import Delivery, Subscriber, Told
from tests.studies import make_study
from tests.world import INSTANT, World

pytestmark = pytest.mark.rules

DAILY = Cadence(cadence="daily", hour=18, time_zone="Europe/Berlin")
WEEKLY = Cadence(cadence="weekly", hour=7, weekday=4)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def choose(world: World, *, cadence: Cadence = DAILY, email: str = "a@example.org") -> int:
    """A reader of one study and one condition who chose quiet notes."""
    world.subscribe(email, trial="NCT90000001", cadence=cadence)
    reader = world.subscribe(email, condition="Stroke", cadence=cadence)
    with world.installation.database.writing() as session:
        session.execute(update(Subscriber).where(Subscriber.id == reader).values(quiet_notes=True))
    return reader


def live(world: World, *, days: int, step: timedelta = HOUR * 6) -> list[datetime]:
    """Work through some days; when mails went out."""
    end, sent = world.now + days * DAY, []
    while world.now < end:
        if world.tick(after=step).sent:
            sent.append(world.now)
    return sent


def mails(world: World) -> list[tuple[str, str, str | None]]:
    with world.installation.database.reading() as session:
        return [(one.kind, one.state, one.reason) for one in session.scalars(select(Delivery).order_by(Delivery.id))]


def keys(world: World) -> list[str]:
    with world.installation.database.reading() as session:
        return list(session.scalars(select(Delivery.dedupe_key)))


def test_after_thirty_silent_days_a_note_comes_at_the_usual_hour(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    choose(either_world)
    either_world.now = either_world.now.replace(hour=0, minute=0)

    sent = live(either_world, days=34, step=DAY)
    sent += live(either_world, days=2, step=HOUR)

    assert len(sent) == 1
    assert either_world.mails("a@example.org")[0]["Subject"] == "Nothing new this month"
    text = either_world.text_to("a@example.org")
    assert "2 studies or conditions" in " ".join(text.split())
    assert "watching about 2 studies" in " ".join(text.split())


@pytest.mark.slow
def test_a_note_comes_once_a_month(world: World) -> None:
    world.ingest(make_study(1))
    choose(world)

    sent = live(world, days=100, step=DAY)

    assert [later - earlier >= 30 * DAY for earlier, later in pairwise(sent)] == [True, True]
    assert len({key for key in keys(world) if key.startswith("quiet:")}) == len(sent) == 3


def test_who_did_not_choose_it_hears_nothing(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", trial="NCT90000001", cadence=DAILY)

    assert live(world, days=40, step=DAY) == []


def test_who_just_heard_something_gets_no_note(world: World) -> None:
    world.ingest(make_study(1))
    choose(world, cadence=INSTANT)
    world.now += 25 * DAY
    world.ingest(make_study(1, enrollment=120))
    world.tick()
    world.now = world.now.replace(hour=8, minute=30)

    assert live(world, days=20, step=DAY) == []


def test_who_hears_as_it_happens_gets_it_in_the_morning(either_world: World) -> None:
    either_world.ingest(make_study(1))
    choose(either_world, cadence=INSTANT)
    either_world.now = datetime(2026, 4, 20, 3, 0, tzinfo=UTC)

    sent = live(either_world, days=1, step=HOUR)

    assert [moment.hour for moment in sent] == [8]


def test_planning_notes_twice_plans_them_once(either_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MAILS", 2)
    either_world.ingest(make_study(1))
    for number in range(5):
        choose(either_world, email=f"r{number}@example.org", cadence=WEEKLY)
    either_world.now += 40 * DAY

    assert (either_world.plan(), either_world.plan()) == (5, 0)


def test_news_before_it_is_sent_goes_out_instead(either_world: World) -> None:
    either_world.ingest(make_study(1))
    choose(either_world)
    either_world.now += 40 * DAY
    either_world.plan()
    either_world.ingest(make_study(1, enrollment=120))

    either_world.tick(after=DAY)

    assert mails(either_world)[0] == ("quiet", "cancelled", "not quiet any more")
    assert [kind for kind, state, _ in mails(either_world) if state == "sent"] == ["digest"]


def test_news_while_it_is_made_cancels_it(either_world: World) -> None:
    either_world.ingest(make_study(1))
    choose(either_world)
    either_world.now += 40 * DAY
    either_world.plan()
    composer = either_world.service.deliverer._composer

    def slowly(*given: object) -> object:
        made = composer(*given)  # type: ignore[arg-type]
        either_world.ingest(make_study(1, enrollment=120))
        either_world.match()
        return made

    either_world.service.deliverer._composer = slowly  # type: ignore[assignment]
    either_world.tick()

    assert mails(either_world)[0] == ("quiet", "cancelled", "news came")


def test_a_note_moves_nobody_on(world: World) -> None:
    world.ingest(make_study(1))
    choose(world)
    with world.installation.database.reading() as session:
        before = list(session.scalars(select(Told.seq)))
    live(world, days=40, step=DAY)

    with world.installation.database.reading() as session:
        assert list(session.scalars(select(Told.seq))) == before


def test_who_leaves_gets_no_note_any_more(either_world: World) -> None:
    either_world.ingest(make_study(1))
    reader = choose(either_world)
    either_world.now += 40 * DAY
    either_world.plan()
    either_world.leave(reader)

    assert either_world.tick().sent == 0


def test_the_subject_of_a_note_tells_nothing(world: World) -> None:
    world.ingest(make_study(1))
    choose(world)
    live(world, days=40, step=DAY)

    headers = " ".join(f"{name}: {value}" for name, value in world.mails("a@example.org")[0].items())

    assert "stroke" not in headers.lower()
    assert "List-Unsubscribe-Post" in headers
