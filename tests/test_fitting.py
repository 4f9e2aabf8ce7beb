"""Who hears of a net change by what they asked for, and what is told once because a study is over or has left."""

from datetime import timedelta
from typing import Any

import pytest

from notifier.domain.schedules import Cadence
from notifier.domain.wishes import IMPORTANT, OPENINGS, Wish, check_wish
from notifier.errors import InvalidRequest
from notifier.retiring import retire_study
from tests.studies import STROKE, make_study
from tests.world import World

pytestmark = pytest.mark.rules

READER = "a@example.org"
EVENING = Cadence(cadence="daily", hour=18)
HALF_A_DAY = timedelta(hours=12)
OTHER = make_study(9, conditions=("Gout",), meshes=(), ancestors=())
LEFT = "no longer listed under Migraine"
OVER = "This study is over"


def with_results(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "hasResults": True}


def numbered(record: dict[str, Any], number: str) -> dict[str, Any]:
    """The record with a secondary number, of which nobody is mailed."""
    record["protocolSection"]["identificationModule"]["secondaryIdInfos"] = [{"id": number}]
    return record


def both(**edits: Any) -> dict[str, Any]:
    """A study on stroke and migraine, as far as the registrant says."""
    return make_study(1, **{"conditions": ("Stroke", "Migraine"), "meshes": (), "ancestors": (), **edits})


def test_what_is_not_important_waits_until_something_is(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1))
    world.subscribe(READER, trial="NCT90000001", wants=IMPORTANT)

    world.ingest(make_study(1, title="Another title"))
    silent = world.tick()
    world.ingest(make_study(1, title="Another title", status="RECRUITING"))

    assert (silent.sent, silent.cancelled, world.tick().sent) == (0, 0, 1)
    assert "A made-up study" in world.text_to(READER)


def test_an_important_change_taken_back_is_silence_and_its_wording_is_told_later(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe(READER, trial="NCT90000001", wants=IMPORTANT)
    world.ingest(make_study(1, status="RECRUITING"))
    world.match()
    world.ingest(make_study(1, title="Another title"))

    silent = world.tick()
    world.ingest(make_study(1, title="Another title", status="WITHDRAWN"))

    assert (silent.sent, world.endings(), world.tick().sent) == (0, ["collapsed", "collapsed"], 1)
    assert "A made-up study" in world.text_to(READER)


def test_one_subscription_that_wants_it_brings_it_for_all(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe(READER, trial="NCT90000001", wants=IMPORTANT, cadence=EVENING)
    world.subscribe(READER, condition="Stroke", cadence=EVENING)
    world.ingest(make_study(1, status="RECRUITING"))
    world.ingest(make_study(1, title="Another title"))

    assert world.tick(after=HALF_A_DAY).sent == 1
    assert set(world.endings()) == {"delivered"}


@pytest.mark.parametrize(("wants", "heard"), [(OPENINGS, 0), (IMPORTANT, 1), ("everything", 1)])
def test_who_may_join_is_important(world: World, wants: str, heard: int) -> None:
    world.ingest(make_study(1))
    world.subscribe(READER, condition="Stroke", wants=wants)

    world.ingest(make_study(1, eligibility="Inclusion Criteria:\n\n* Children\n\nExclusion Criteria:\n\n* Epilepsy"))

    assert world.tick().sent == heard


def test_openings_hear_that_what_they_were_told_of_closed(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2, status="RECRUITING"))
    world.subscribe(READER, condition="Stroke", wants=OPENINGS)
    world.ingest(make_study(1, status="RECRUITING"))
    world.tick()

    world.ingest(make_study(1, status="SUSPENDED"), make_study(2, status="SUSPENDED"))

    assert (world.match(), world.tick().sent) == (1, 1)
    assert "NCT90000001" in world.text_to(READER)
    assert "NCT90000002" not in world.text_to(READER)


def test_open_and_closed_again_before_the_mail_is_silence_for_openings(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1, status="ACTIVE_NOT_RECRUITING"))
    world.subscribe(READER, condition="Stroke", wants=OPENINGS, cadence=EVENING)
    world.ingest(make_study(1, status="RECRUITING"))
    world.match()
    world.ingest(make_study(1, status="ACTIVE_NOT_RECRUITING", title="Another title"))

    delivered = world.tick(after=HALF_A_DAY)

    assert (delivered.sent, set(world.endings())) == (0, {"collapsed"})


def test_a_study_that_is_told_as_opening_soon_and_never_opens_is_told_as_stopped(world: World) -> None:
    world.ingest(OTHER)
    world.subscribe(READER, condition="Stroke", wants=OPENINGS, accept_unknown=True)
    world.ingest(make_study(1))
    world.tick()

    world.ingest(make_study(1, status="WITHDRAWN"))

    assert world.tick().sent == 1


@pytest.mark.parametrize(("wants", "heard"), [(OPENINGS, 0), (IMPORTANT, 0), ("everything", 1)])
def test_a_new_study_nobody_can_join_any_more_is_for_who_wants_everything(world: World, wants: str, heard: int) -> None:
    world.ingest(OTHER)
    world.subscribe(READER, condition="Stroke", wants=wants, cadence=EVENING, accept_unknown=True)
    world.ingest(make_study(1, status="RECRUITING"))
    world.match()
    world.ingest(make_study(1, status="COMPLETED"))

    assert world.tick(after=HALF_A_DAY).sent == heard
    assert None not in world.endings()


@pytest.mark.parametrize("wants", [OPENINGS, IMPORTANT, "everything"])
def test_a_study_that_leaves_a_condition_says_so_once(either_world: World, wants: str) -> None:
    world = either_world
    world.ingest(OTHER)
    world.subscribe(READER, condition="Migraine", wants=wants, accept_unknown=True)
    world.ingest(both())
    world.tick()
    world.ingest(both(conditions=("Stroke",)))
    left = world.tick()
    world.ingest(both(conditions=("Stroke",), status="RECRUITING"))

    assert (left.sent, world.tick().sent) == (1, 0)
    assert LEFT in world.text_to(READER)


def test_a_study_that_leaves_without_a_visible_change_says_so_with_the_next(world: World) -> None:
    world.ingest(OTHER)
    world.subscribe(READER, condition="Migraine", accept_unknown=True)
    world.ingest(make_study(1, ancestors=(STROKE, {"id": "D008881", "term": "Migraine"})))
    world.tick()
    sent = []
    for enrollment in (100, 120, 130):
        world.ingest(make_study(1, enrollment=enrollment))
        sent.append(world.tick().sent)

    assert sent == [0, 1, 0]
    assert LEFT in world.text_to(READER)


@pytest.mark.parametrize("wants", [OPENINGS, IMPORTANT, "everything"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_study_that_leaves_with_what_is_never_mailed_says_so_with_the_next(
    world: World, wants: str, at_once: bool
) -> None:
    world.ingest(OTHER, make_study(8))
    world.subscribe(READER, condition="Stroke", wants=wants)
    world.ingest(make_study(1, conditions=("Palsy",)))
    world.tick()
    left: dict[str, Any] = {"conditions": ("Palsy",), "meshes": (), "ancestors": (), "version": "2026-03-02"}
    world.ingest(*([] if at_once else [make_study(1, **left)]))
    world.ingest(numbered(make_study(1, **left), "X-1"))
    silent = world.tick().sent

    world.ingest(numbered(make_study(1, title="Another title", **left), "X-1"))

    assert (silent, world.tick().sent) == (0, 1)
    assert "no longer listed under Stroke" in world.text_to(READER)


def test_leaving_one_of_two_conditions_is_no_end(world: World) -> None:
    world.ingest(OTHER)
    world.subscribe(READER, condition="Migraine", accept_unknown=True)
    world.subscribe(READER, condition="Stroke", accept_unknown=True)
    world.ingest(both())
    world.tick()
    world.ingest(both(conditions=("Stroke",)))

    assert world.tick().sent == 1
    assert LEFT not in world.text_to(READER)
    assert "studies that say “Stroke”" in world.text_to(READER)


def test_what_came_and_left_before_the_mail_is_silence(world: World) -> None:
    world.ingest(OTHER, both(conditions=("Stroke",)))
    world.subscribe(READER, condition="Migraine", cadence=EVENING, accept_unknown=True)
    world.ingest(both())
    world.match()
    world.ingest(both(conditions=("Stroke",), enrollment=120))

    assert world.tick(after=HALF_A_DAY).sent == 0
    assert set(world.endings()) == {"collapsed"}


def test_a_study_that_is_over_says_so_once_and_then_only_results_or_opening(either_world: World) -> None:
    world = either_world
    world.ingest(OTHER)
    world.subscribe(READER, condition="Stroke", accept_unknown=True)
    world.ingest(make_study(1, status="RECRUITING"))
    world.tick()
    sent = []
    for record in (
        make_study(1, status="COMPLETED"),
        make_study(1, status="COMPLETED", enrollment=120),
        with_results(make_study(1, status="COMPLETED", enrollment=120)),
        with_results(make_study(1, status="COMPLETED", enrollment=130)),
        with_results(make_study(1, status="RECRUITING", enrollment=130)),
    ):
        world.ingest(record)
        sent.append(world.tick().sent)

    assert sent == [1, 0, 1, 0, 1]
    assert [OVER in str(mail) for mail in world.mails(READER)] == [False, True, False, False]


def test_a_stop_is_told_even_after_the_first_results(world: World) -> None:
    world.ingest(OTHER)
    world.subscribe(READER, condition="Stroke", accept_unknown=True)
    world.ingest(make_study(1, status="RECRUITING"))
    world.tick()
    sent = []
    for status in ("ACTIVE_NOT_RECRUITING", "TERMINATED"):
        world.ingest(with_results(make_study(1, status=status)))
        sent.append(world.tick().sent)

    assert sent == [1, 1]


def test_who_follows_the_study_itself_goes_on_hearing_of_it(world: World) -> None:
    world.ingest(make_study(1, status="RECRUITING"))
    world.subscribe(READER, trial="NCT90000001")
    for record in (make_study(1, status="COMPLETED"), make_study(1, status="COMPLETED", enrollment=120)):
        world.ingest(record)
        world.tick()

    assert [OVER in str(mail) for mail in world.mails(READER)] == [True, False]


@pytest.mark.parametrize("wants", [OPENINGS, IMPORTANT, "everything"])
def test_a_study_that_is_gone_and_comes_back_is_told_both_times(world: World, wants: str) -> None:
    world.ingest(OTHER)
    world.subscribe(READER, condition="Stroke", wants=wants, accept_unknown=True)
    world.ingest(make_study(1, status="RECRUITING"))
    world.tick()
    retire_study(database=world.installation.database, number="NCT90000001", merged_into=None, now=world.now)
    gone = world.tick()
    world.ingest(make_study(1, status="RECRUITING", updated="2026-03-01"))

    assert (gone.sent, world.tick().sent) == (1, 1)
    assert "comes back" in str(world.mails(READER)[1])


def test_openings_are_not_for_one_study() -> None:
    with pytest.raises(InvalidRequest, match="For one study"):
        check_wish(Wish(trial="NCT90000001", wants=OPENINGS))


@pytest.mark.parametrize("wants", [OPENINGS, IMPORTANT, "everything"])
def test_a_new_study_whose_mail_nobody_knows_of_is_new_in_the_next(either_world: World, wants: str) -> None:
    world = either_world
    world.ingest(OTHER, make_study(8))
    world.subscribe(READER, condition="Stroke", wants=wants)
    world.ingest(make_study(1))
    world.mailbox.drop_at = "message"
    unknown = sum(world.tick(after=timedelta(hours=3)).unknown for _ in range(3))
    world.mailbox.drop_at = None

    world.ingest(make_study(1, status="RECRUITING"))

    assert (unknown, world.tick().sent) == (1, 1)
    assert "1 NEW STUDY" in world.text_to(READER).upper()
