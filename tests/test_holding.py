"""One same change in many studies: held, not mailed, until the operator releases or drops it."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from notifier.domain.deliveries import CannotCompose
from notifier.domain.schedules import Cadence
from notifier.errors import InvalidRequest
from notifier.holding import drop, forget_signatures, list_held, release
from notifier.store.delivery_store import fail_uncomposed
from notifier.store.lease_store import claim
from notifier.store.models import Delivery, Match, Subscription
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

STUDIES = 30
DAILY = Cadence(cadence="daily", hour=8)
OLD, NEW = "United Kingdom", "Kingdom of Leeds"
# A mail names the old one only where it tells of the rename.


def study(number: int, country: str = NEW, **given: Any) -> dict[str, Any]:
    site = {"facility": "Made-up Clinic", "city": "Leeds", "country": country}
    return make_study(number, sites=(site,), **given)


def reader(number: int) -> str:
    return f"reader{number}@example.org"


def follow(world: World, *, studies: int = STUDIES, cadence: Cadence = DAILY) -> None:
    """As many studies as asked, each with one reader."""
    world.ingest(*(study(number, OLD) for number in range(1, studies + 1)))
    for number in range(1, studies + 1):
        world.subscribe(reader(number), trial=f"NCT9000{number:04}", cadence=cadence)


def rename_all(world: World, *, stopped: int | None = None) -> None:
    """A country gets another name in every study, in one run; one of them also stops."""
    plain = {number: study(number) for number in range(1, STUDIES + 1)}
    if stopped:
        plain[stopped] = study(stopped, status="TERMINATED", why_stopped="No money")
    world.ingest(*plain.values())


def held_ids(world: World) -> list[int]:
    return [one.breaker.id for one in list_held(world.installation.database)]


def released(world: World) -> None:
    world.now += timedelta(minutes=1)
    release(world.installation.database, held_ids(world), now=world.now)


def dropped(world: World) -> int:
    world.now += timedelta(minutes=1)
    return drop(world.installation.database, held_ids(world), now=world.now)


def test_a_rename_in_many_studies_is_mailed_to_nobody(either_world: World) -> None:
    follow(either_world)
    rename_all(either_world, stopped=7)

    sent = either_world.tick(after=either_world.day).sent

    assert sent == 1
    assert "stopped early" in either_world.text_to(reader(7))
    assert OLD not in either_world.text_to(reader(7))
    assert either_world.counts()["held"] == STUDIES - 1


def test_the_operator_sees_what_is_held(world: World) -> None:
    follow(world)
    rename_all(world, stopped=7)
    world.match()

    [found] = list_held(world.installation.database)

    assert (found.breaker.rename.field, found.breaker.state) == ("site_country", "held")
    assert (found.studies, found.readers) == (STUDIES, STUDIES - 1)


def test_what_is_dropped_is_told_to_nobody(either_world: World) -> None:
    follow(either_world)
    rename_all(either_world, stopped=7)
    either_world.tick(after=either_world.day)

    ended = dropped(either_world)

    assert ended == STUDIES - 1
    assert either_world.tick(after=either_world.day).sent == 0
    assert Counter(either_world.endings()) == {"dropped": STUDIES - 1, "delivered": 1}


def test_what_is_released_is_told_to_all_who_wait(either_world: World) -> None:
    follow(either_world)
    rename_all(either_world, stopped=7)
    either_world.tick(after=either_world.day)

    released(either_world)

    assert either_world.tick(after=either_world.day).sent == STUDIES - 1
    assert OLD in either_world.text_to(reader(1))
    assert set(either_world.endings()) == {"delivered"}
    assert either_world.tick(after=either_world.day).sent == 0


def test_a_study_renamed_later_is_held_at_once(world: World) -> None:
    follow(world)
    world.ingest(*(study(number) for number in range(1, STUDIES)))

    world.ingest(study(STUDIES))

    assert world.counts()["held"] == STUDIES


def test_a_study_renamed_after_the_drop_is_told_to_nobody(either_world: World) -> None:
    follow(either_world)
    either_world.ingest(*(study(number) for number in range(1, STUDIES)))
    dropped(either_world)

    either_world.ingest(study(STUDIES))

    assert either_world.tick(after=either_world.day).sent == 0
    assert set(either_world.endings()) == {"dropped"}


def test_a_study_renamed_after_the_release_is_told_as_usual(world: World) -> None:
    follow(world)
    world.ingest(*(study(number) for number in range(1, STUDIES)))
    released(world)
    world.ingest(study(STUDIES))

    assert world.tick(after=world.day).sent == STUDIES


def test_a_few_studies_may_share_a_change(world: World) -> None:
    follow(world, studies=5)
    world.ingest(*(study(number) for number in range(1, 6)))

    assert (world.counts()["held"], world.tick(after=world.day).sent) == (0, 5)


def test_studies_count_for_days_only(world: World) -> None:
    follow(world)
    world.ingest(*(study(number) for number in range(1, 16)))
    world.now += 4 * world.day
    world.ingest(*(study(number) for number in range(16, STUDIES + 1)))

    assert world.counts()["held"] == 0


def test_a_change_is_held_along_with_those_of_the_run_before(world: World) -> None:
    follow(world)
    world.ingest(*(study(number) for number in range(1, 16)))
    world.now += 2 * world.day
    world.ingest(*(study(number) for number in range(16, STUDIES + 1)))

    assert world.counts()["held"] == STUDIES


def test_a_first_load_holds_nothing(world: World) -> None:
    follow(world)
    world.ingest(*(study(number) for number in range(1, STUDIES + 1)), baseline=True)

    assert world.counts()["held"] == 0


def test_who_was_told_other_news_meanwhile_is_told_the_rest_once(either_world: World) -> None:
    follow(either_world)
    rename_all(either_world)
    either_world.ingest(study(3, enrollment=140))
    either_world.tick(after=either_world.day)
    meanwhile = either_world.text_to(reader(3))
    released(either_world)

    either_world.tick(after=either_world.day)

    assert "100 people" in meanwhile
    assert OLD not in meanwhile
    assert OLD in either_world.text_to(reader(3))
    assert "100 people" not in either_world.text_to(reader(3))
    assert either_world.tick(after=either_world.day).sent == 0


def test_what_was_missed_comes_with_later_news(world: World) -> None:
    follow(world)
    rename_all(world)
    world.ingest(study(3, enrollment=140))
    world.tick(after=world.day)
    released(world)
    world.ingest(study(3, enrollment=150))

    world.tick(after=world.day)

    assert OLD in world.text_to(reader(3))
    assert "150" in world.text_to(reader(3))
    assert len(world.mails(reader(3))) == 2


def test_what_was_undone_meanwhile_is_not_told(world: World) -> None:
    follow(world)
    rename_all(world)
    world.ingest(study(3, OLD))
    released(world)

    world.tick(after=world.day)

    assert world.mails(reader(3)) == []
    assert Counter(world.endings())["collapsed"] == 2


@pytest.mark.parametrize("kind", ["digest", "urgent"])
def test_a_mail_that_is_given_up_unmade_leaves_what_is_held(either_world: World, kind: str) -> None:
    world = either_world
    follow(world)
    rename_all(world)
    world.ingest(study(3, enrollment=140))
    world.now += world.day
    world.plan()

    with world.installation.database.writing() as session:
        session.execute(update(Delivery).values(attempts=100, kind=kind))
        session.execute(update(Subscription).values(urgent=True))
        session.execute(update(Match).values(urgent=True))
        [one] = claim(session, now=world.now, limit=9, token="made-up", until=world.now + world.day)
        broken = CannotCompose(delivery_id=one.id, reason="made up")
        assert fail_uncomposed(session, token="made-up", broken=[broken], now=world.now) == {one.id: "failed"}

    assert Counter(world.endings()) == {None: STUDIES, "dropped": 1}


def test_a_mail_in_doubt_is_sent_again_as_it_was(either_world: World) -> None:
    world = either_world
    follow(world, cadence=Cadence(cadence="instant", hour=0))
    world.ingest(*(study(number) for number in range(1, 4)))
    world.mailbox.drop_at = "message"
    world.tick()
    world.mailbox.drop_at = None
    world.ingest(*(study(number) for number in range(4, STUDIES + 1)))

    world.tick(after=timedelta(hours=1))

    first, again = world.mails(reader(1))
    assert first.as_bytes() == again.as_bytes()
    assert OLD in world.text_to(reader(1))
    assert world.mails(reader(4)) == []


def test_a_released_mail_in_doubt_is_sent_again_as_it_was(either_world: World) -> None:
    world = either_world
    follow(world)
    rename_all(world)
    world.ingest(study(3, enrollment=140))
    world.tick(after=world.day)
    released(world)
    world.mailbox.drop_at = "message"
    world.tick(after=world.day)
    world.mailbox.drop_at = None
    world.ingest(study(3, enrollment=150))

    world.tick(after=timedelta(hours=1))

    _news, first, again = world.mails(reader(3))
    assert first.as_bytes() == again.as_bytes()
    assert OLD in world.text_to(reader(3))


@pytest.mark.parametrize("decide", [release, drop])
def test_what_is_not_there_cannot_be_decided(world: World, decide: Callable[..., object]) -> None:
    follow(world)
    rename_all(world)

    with pytest.raises(InvalidRequest, match="77"):
        decide(world.installation.database, [*held_ids(world), 77], now=world.now)

    assert world.counts()["held"] == STUDIES


def test_deciding_twice_is_deciding_once(world: World) -> None:
    follow(world)
    rename_all(world)
    world.match()

    assert (dropped(world), dropped(world)) == (STUDIES, 0)


def test_who_leaves_waits_for_nothing(world: World) -> None:
    follow(world)
    rename_all(world)
    world.match()
    world.leave(1)

    assert Counter(world.endings()) == {None: STUDIES - 1, "ended": 1}


def test_notes_that_count_no_longer_are_deleted_unless_something_is_held(world: World) -> None:
    follow(world)
    threshold = world.installation.settings.breaker
    database = world.installation.database
    world.ingest(study(1, "Elsewhere"))
    rename_all(world)
    world.now += 4 * world.day

    first = forget_signatures(database=database, threshold=threshold, now=world.now)
    dropped(world)
    later = forget_signatures(database=database, threshold=threshold, now=world.now)

    # The study that was elsewhere shares nothing with the others.
    assert (first, later) == (2, STUDIES - 1)


@pytest.mark.postgres
def test_decisions_and_records_at_once_all_get_through(postgres_world: World) -> None:
    world = postgres_world
    follow(world)
    rename_all(world)
    world.match()
    database, ids, now = world.installation.database, held_ids(world), world.now
    back = [[study(number, f"Land {turn}") for number in range(1, STUDIES + 1)] for turn in range(3)]

    with ThreadPoolExecutor(4) as pool:
        rejected = pool.submit(lambda: sum(world.ingest(*records).counts["rejected"] for records in back))
        decisions = [pool.submit(decide, database, ids, now=now) for decide in (release, drop, release)]
        assert [one.exception() for one in decisions] == [None, None, None]
        assert rejected.result() == 0
