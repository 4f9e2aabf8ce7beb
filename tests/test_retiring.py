"""Studies that leave the registry: gone, withheld, or on under another number; and what their readers get."""

from copy import deepcopy
from typing import Any

import pytest
from sqlalchemy import select

from notifier import preparing, rereading
from notifier.domain.trials import FACTS_VERSION
from notifier.errors import UnknownTrial, WrongSuccessor
from notifier.leaving import end_subscription
from notifier.registries import states
from notifier.retiring import Retired, retire_study
from notifier.store import trial_store
from notifier.store.models import Subscription, Told, Trial
from notifier.viewing import StudyView, view_study
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

OLD, NEW = "NCT90000001", "NCT90000002"
READER = "reader@example.org"


def gone(world: World, number: str = OLD, *, into: str | None = None) -> Retired:
    world.now += world.day / 1000
    return retire_study(database=world.installation.database, number=number, merged_into=into, now=world.now)


def named(record: dict[str, Any], *aliases: str) -> dict[str, Any]:
    """The record, with other numbers it names as its own."""
    changed = deepcopy(record)
    changed["protocolSection"]["identificationModule"]["nctIdAliases"] = list(aliases)
    return changed


def withheld(number: int = 1, *, updated: str = "2026-02-21") -> dict[str, Any]:
    """What the registry says of a study it does not show."""
    words = "[Trial of device that is not approved or cleared by the U.S. FDA]"
    record = make_study(
        number, title=words, status="WITHHELD", updated=updated, conditions=("[Redacted]",), meshes=(), ancestors=()
    )
    for module in ("eligibilityModule", "descriptionModule", "contactsLocationsModule"):
        del record["protocolSection"][module]
    return record


def view(world: World, number: str) -> StudyView:
    with world.installation.database.reading() as session:
        return view_study(session, number)


def subscriptions(world: World) -> list[tuple[str, str | None]]:
    """By number of the study: why it ended, None while it is open; oldest first."""
    with world.installation.database.reading() as session:
        chosen = select(Trial.number, Subscription.ended_reason).join(Trial, Trial.id == Subscription.trial_id)
        return [(row.number, row.ended_reason) for row in session.execute(chosen.order_by(Subscription.id))]


def followed(world: World, *records: dict[str, Any]) -> World:
    """The world with these records, or one study, and a reader of the first."""
    world.ingest(*(records or (make_study(1),)))
    world.subscribe(READER, trial=OLD)
    return world


def test_readers_of_a_study_that_is_gone_are_told_once(either_world: World) -> None:
    world = followed(either_world)

    first, again = gone(world), gone(world)
    world.tick()
    world.tick(after=world.day)

    assert (first.changed, again.changed) == (True, False)
    assert len(world.mails(READER)) == 1
    assert "no longer" in world.text_to(READER)
    assert "Not yet recruiting" not in world.text_to(READER)
    assert view(world, OLD).listing == "gone"


@pytest.mark.parametrize("wants", ["everything", "openings", "important"])
def test_who_follows_the_condition_hears_of_the_end_if_they_were_told_of_the_study(world: World, wants: str) -> None:
    world.ingest(make_study(7))
    world.subscribe(READER, condition="Stroke", wants=wants)
    world.ingest(make_study(1))
    world.tick()
    world.subscribe("late@example.org", condition="Stroke", wants=wants)

    gone(world)
    world.tick()
    world.tick()

    assert (len(world.mails(READER)), len(world.mails("late@example.org"))) == (2, 0)


def test_a_study_that_comes_back_is_told_too(either_world: World) -> None:
    world = followed(either_world)
    gone(world)
    world.tick()

    world.ingest(make_study(1))
    world.tick()

    assert len(world.mails(READER)) == 2
    assert "again" in world.text_to(READER)
    assert view(world, OLD).listing is None


def test_gone_and_back_between_two_digests_is_silence(either_world: World) -> None:
    world = followed(either_world)
    gone(world)
    world.ingest(make_study(1))

    world.tick()

    assert world.mails(READER) == []


def test_an_older_record_does_not_bring_a_study_back(either_world: World) -> None:
    world = followed(either_world, make_study(1, updated="2026-02-20"))
    gone(world)

    report = world.ingest(make_study(1, updated="2026-02-10"))

    assert report.counts["stale"] == 1
    assert view(world, OLD).listing == "gone"


def test_a_stranger_cannot_say_how_a_study_is_listed(either_world: World) -> None:
    either_world.ingest({**make_study(1), "listing": "GONE", "contactsFingerprint": "x"})

    assert view(either_world, OLD).facts.listing is None


def test_a_number_nobody_holds_cannot_be_gone(world: World) -> None:
    with pytest.raises(UnknownTrial):
        gone(world, "NCT99999999")


@pytest.mark.parametrize("other", [OLD, "NCT99999999"])
def test_a_study_goes_on_under_no_number_but_another_that_is_held(world: World, other: str) -> None:
    world.ingest(make_study(1))

    with pytest.raises(WrongSuccessor):
        gone(world, into=other)


def test_a_withheld_study_keeps_what_is_known_of_it(either_world: World) -> None:
    world = followed(either_world, make_study(1, status="RECRUITING"))

    world.ingest(withheld())
    world.tick()

    assert len(world.mails(READER)) == 1
    text = world.text_to(READER)
    assert "A made-up study" in text
    assert "[Trial of device" not in text
    facts = view(world, OLD).facts
    assert (facts.listing, facts.status, facts.last_update_posted) == ("WITHHELD", "RECRUITING", "2026-02-21")


def test_only_what_changed_is_told_when_a_withheld_study_is_shown_again(either_world: World) -> None:
    world = followed(either_world, make_study(1, enrollment=100))
    world.ingest(withheld())
    world.tick()

    world.ingest(make_study(1, enrollment=150, updated="2026-02-22"))
    world.tick()

    fields = {field.field for field in view(world, OLD).timeline[0].fields}
    assert fields == {"listing", "enrollment"}
    assert "150 people" in world.text_to(READER)


def test_a_withheld_record_again_is_no_news(either_world: World) -> None:
    world = followed(either_world)
    world.ingest(withheld())

    again = world.ingest(withheld(updated="2026-02-25"))

    assert again.counts["changed"] == 0
    assert view(world, OLD).updates == 1


def test_what_a_study_first_seen_withheld_turns_out_to_be_is_no_list_of_changes(either_world: World) -> None:
    world = followed(either_world, withheld())

    world.ingest(make_study(1, updated="2026-02-22"))

    assert [field.field for field in view(world, OLD).timeline[0].fields] == ["listing"]


def test_readers_of_a_merged_study_are_told_once_and_get_news_of_the_other(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2, title="The study that stays"))

    world.ingest(named(make_study(2, title="The study that stays", updated="2026-02-21"), OLD))
    world.tick()
    world.tick()
    world.ingest(named(make_study(2, title="The study that stays", enrollment=150, updated="2026-02-22"), OLD))
    world.tick()
    world.tick()

    assert len(world.mails(READER)) == 2
    assert "150 people" in world.text_to(READER)
    assert subscriptions(world) == [(OLD, "merged"), (NEW, None)]


def test_the_mail_on_a_merged_study_names_the_other_number(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2))

    gone(world, into=NEW)
    world.tick()

    assert NEW in world.text_to(READER)


def test_the_same_claim_again_does_nothing(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2))
    world.ingest(named(make_study(2, updated="2026-02-21"), OLD))
    world.tick()

    world.ingest(named(make_study(2, updated="2026-02-21"), OLD))
    world.ingest(named(make_study(2, updated="2026-02-22"), OLD))
    again = gone(world, into=NEW)
    world.tick()

    assert not again.changed
    assert len(world.mails(READER)) == 1


def test_who_follows_both_goes_on_with_one(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2))
    world.subscribe(READER, trial=NEW)

    gone(world, into=NEW)
    world.tick()
    world.tick()

    assert len(world.mails(READER)) == 1
    assert subscriptions(world) == [(OLD, "merged"), (NEW, None)]


def test_what_waits_of_a_merged_study_is_told_with_its_end(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2))
    world.ingest(make_study(1, enrollment=170, updated="2026-02-21"))

    gone(world, into=NEW)
    assert subscriptions(world) == [(OLD, None), (NEW, None)]
    world.tick()

    assert "170 people" in world.text_to(READER)
    assert NEW in world.text_to(READER)


def test_a_study_held_under_its_old_number_takes_the_new_one(either_world: World) -> None:
    world = followed(either_world, make_study(1))

    report = world.ingest(named(make_study(2, enrollment=130, updated="2026-02-21"), OLD))
    world.tick()
    world.tick()

    assert report.counts["changed"] == 1
    assert len(world.mails(READER)) == 1
    assert NEW in world.text_to(READER)
    assert "130 people" in world.text_to(READER)
    assert subscriptions(world) == [(NEW, None)]
    assert view(world, OLD).facts.nct_id == NEW


def test_an_old_number_leads_to_the_study_of_the_new_one(either_world: World) -> None:
    either_world.ingest(make_study(1), make_study(2))
    gone(either_world, into=NEW)

    either_world.subscribe(READER, trial=OLD)

    assert view(either_world, OLD).facts.nct_id == NEW
    assert view(either_world, NEW).other_numbers == (OLD,)
    assert subscriptions(either_world) == [(NEW, None)]


def test_a_later_record_of_a_merged_study_shows_it_by_itself_again(either_world: World) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2))
    gone(world, into=NEW)

    same = world.ingest(make_study(1), make_study(1, enrollment=1))
    later = world.ingest(make_study(1, updated="2026-02-25"))

    assert (same.counts["changed"], later.counts["changed"]) == (0, 1)
    assert view(world, OLD).facts.nct_id == OLD
    assert view(world, NEW).other_numbers == ()


def test_studies_merged_one_after_the_other_lead_to_the_last(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2), make_study(3))

    gone(world, into=NEW)
    gone(world, NEW, into="NCT90000003")
    world.tick()
    world.tick()

    assert view(world, OLD).facts.nct_id == "NCT90000003"
    assert [(number, why) for number, why in subscriptions(world) if why is None] == [("NCT90000003", None)]
    with pytest.raises(WrongSuccessor):
        gone(world, "NCT90000003", into=OLD)


def test_two_studies_that_claim_each_other_do_not_both_end(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2))

    world.ingest(named(make_study(1, updated="2026-02-21"), NEW), named(make_study(2, updated="2026-02-21"), OLD))

    with world.installation.database.reading() as session:
        assert len(session.scalars(select(Trial).where(Trial.merged_into_id.is_(None))).all()) == 1


def test_a_baseline_moves_readers_without_a_mail(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2))

    world.ingest(named(make_study(2, updated="2026-02-21"), OLD), baseline=True)
    world.tick()

    assert world.mails(READER) == []
    assert subscriptions(world) == [(OLD, "merged"), (NEW, None)]


def test_who_leaves_by_a_link_to_the_old_study_leaves_the_new_one_too(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2))
    gone(world, into=NEW)
    world.tick()
    world.tick()

    with world.installation.database.writing() as session:
        end_subscription(session, 1, reason="reader", now=world.now)
    world.tick()

    assert subscriptions(world) == [(OLD, "merged"), (NEW, "reader")]


def test_who_left_the_new_study_is_not_brought_back(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2))
    world.subscribe(READER, trial=NEW)
    gone(world, into=NEW)

    with world.installation.database.writing() as session:
        end_subscription(session, 2, reason="reader", now=world.now)
    world.tick()
    world.tick()

    assert subscriptions(world) == [(OLD, "merged"), (NEW, "reader")]


def test_nothing_is_known_as_told_of_a_study_that_ended(either_world: World) -> None:
    world = followed(either_world, make_study(1), make_study(2))
    gone(world, into=NEW)
    world.tick()
    world.tick()

    with world.installation.database.reading() as session:
        assert session.scalars(select(Told.trial_id)).all() == [2]


def test_rereading_leaves_a_listing_as_it_is(either_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = either_world
    world.ingest(make_study(1), make_study(2))
    gone(world, into=NEW)

    for module in (preparing, rereading, states):
        monkeypatch.setattr(module, "FACTS_VERSION", FACTS_VERSION + 1)

    reread = rereading.reread_trials(database=world.installation.database, now=world.now)

    assert reread == 2
    with world.installation.database.reading() as session:
        body, version = trial_store.read_state(session, 1) or (b"", 0)
    assert states.facts_of_state(body, facts_version=version).listing == f"MERGED:{NEW}"
    assert view(world, OLD).facts.nct_id == NEW
