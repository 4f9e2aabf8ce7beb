"""Words that no condition bears are followed as text, once the reader has seen what they match and agreed."""

import pytest
from sqlalchemy import insert, select

from notifier.errors import UnknownCondition
from notifier.store.models import Condition, ConditionCode, TrialCondition
from notifier.store.text_conditions import TextPreview, preview_text
from notifier.store.trial_lookup import list_trial_conditions
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

WORDS = "Moon sickness"


def preview(world: World, text: str) -> TextPreview:
    with world.installation.database.reading() as session:
        return preview_text(session, text)


def ties(world: World) -> list[tuple[int, str, int, int | None]]:
    with world.installation.database.reading() as session:
        held = select(TrialCondition).join(Condition).where(Condition.kind == "text").order_by(TrialCondition.id)
        return [(one.trial_id, one.how, one.since_seq, one.until_seq) for one in session.scalars(held)]


@pytest.mark.parametrize("text", ["Moon Sickness", "sickness, MOON", "moon"])
def test_what_words_would_match_is_shown_first(either_world: World, text: str) -> None:
    either_world.ingest(
        make_study(1, title="Walking off moon sickness"), make_study(2), make_study(3, title="Moonlight")
    )

    found = preview(either_world, text)

    assert (found.studies, [one.title for one in found.examples]) == (1, ["Walking off moon sickness"])


def test_whole_words_only_and_never_across_two_places(world: World) -> None:
    world.ingest(make_study(1, title="Full moon", conditions=("Sickness",)), make_study(2, title="Moonsickness"))

    assert preview(world, WORDS).studies == 0


def test_nothing_is_followed_without_agreement(world: World) -> None:
    world.ingest(make_study(1, title="Walking off moon sickness"))

    with pytest.raises(UnknownCondition):
        world.subscribe("a@example.org", condition=WORDS)

    assert ties(world) == []


def test_what_one_reader_follows_is_still_unknown_to_the_next(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", condition=WORDS, accept_unknown=True)

    with pytest.raises(UnknownCondition):
        world.subscribe("b@example.org", condition=WORDS)


def test_studies_held_are_tied_silently_and_later_news_of_them_matches(either_world: World) -> None:
    either_world.ingest(make_study(1, title="Walking off moon sickness"))
    either_world.subscribe("a@example.org", condition=WORDS, accept_unknown=True)

    assert either_world.match() == 0
    assert [one[1:] for one in ties(either_world)] == [("text", 1, None)]

    either_world.ingest(make_study(1, title="Walking off moon sickness", enrollment=200, updated="2026-03-01"))
    assert either_world.match() == 1


def test_a_new_study_that_says_the_words_matches(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("a@example.org", condition=WORDS, accept_unknown=True)

    either_world.ingest(make_study(2, title="Moon-sickness in sailors"), make_study(3, title="Something else"))

    assert either_world.match() == 1


def test_words_that_a_study_takes_on_match_and_words_it_drops_match_once_more(either_world: World) -> None:
    either_world.ingest(make_study(1, title="Of sailors"))
    either_world.subscribe("a@example.org", condition=WORDS, accept_unknown=True)

    either_world.ingest(make_study(1, title="Of sailors with moon sickness", updated="2026-03-01"))
    assert either_world.match() == 1
    either_world.ingest(make_study(1, title="Of sailors again", updated="2026-03-02"))
    assert either_world.match() == 1

    assert [one[3] is None for one in ties(either_world)] == [False]
    either_world.ingest(make_study(1, title="Of sailors again", enrollment=7, updated="2026-03-03"))
    assert either_world.match() == 0


def test_a_text_goes_on_when_a_vocabulary_comes_to_know_it(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", condition=WORDS, accept_unknown=True)
    with world.installation.database.writing() as session:
        known = session.scalars(select(Condition.id).where(Condition.kind == "text")).one()
        session.execute(insert(ConditionCode).values(vocabulary="moon", code="M1", condition_id=known))

    world.subscribe("b@example.org", condition=WORDS)
    world.ingest(make_study(2, title="Moon sickness in sailors"))

    assert world.match() == 2


def test_what_somebody_follows_as_text_is_not_shown_with_the_study(world: World) -> None:
    world.ingest(make_study(1, title="Walking off moon sickness"))
    world.subscribe("a@example.org", condition=WORDS, accept_unknown=True)
    world.match()

    with world.installation.database.reading() as session:
        assert WORDS not in [condition.name for condition, _ in list_trial_conditions(session, ties(world)[0][0])]


def test_the_mail_says_that_it_is_about_words(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", condition=WORDS, accept_unknown=True)
    world.ingest(make_study(2, title="Moon sickness in sailors"))

    world.tick()

    assert "that say “Moon sickness”" in " ".join(world.text_to("a@example.org").split())
