"""Suggestions from the names that studies and vocabularies brought."""

from sqlalchemy import insert, update

from notifier.store.models import Condition, ConditionName, Vocabulary
from notifier.store.suggestion_store import Suggestion, suggest_conditions
from tests.studies import make_study
from tests.world import World


def suggested(world: World, text: str) -> list[Suggestion]:
    with world.installation.database.reading() as session:
        return suggest_conditions(session, text)


def learn(world: World, name: str, *, others: tuple[str, ...] = (), mesh_id: str = "D000001") -> None:
    """Put down a concept as an import would."""
    with world.installation.database.writing() as session:
        row = Condition(key=name.lower(), name=name, mesh_id=mesh_id)
        session.add(row)
        session.flush()
        for other in others:
            values = {"condition_id": row.id, "key": other.lower(), "name": other, "vocabulary": "mesh"}
            session.execute(insert(ConditionName).values(values))
        if session.get(Vocabulary, mesh_id) is None:
            session.add(Vocabulary(name=mesh_id, revision=1, concepts=1, names=1, imported_at=world.now))


def test_another_name_leads_to_the_concept_and_is_told(world: World) -> None:
    learn(world, "Myocardial Infarction", others=("Heart Attack",))

    found = suggested(world, "heart attak")

    assert (found[0].name, found[0].matched, found[0].studies) == ("Myocardial Infarction", "Heart Attack", 0)


def test_what_is_learned_later_is_suggested(world: World) -> None:
    learn(world, "Myocardial Infarction")
    assert suggested(world, "moon sickness") == []

    learn(world, "Moon Sickness", mesh_id="D000002")
    world.ingest(make_study(1, conditions=("Lunar Malady",), meshes=(), ancestors=()))

    assert [one.name for one in suggested(world, "moon sickness")] == ["Moon Sickness"]
    assert [one.name for one in suggested(world, "lunar malady")] == ["Lunar Malady"]


def test_a_concept_comes_before_words_that_are_merely_listed(world: World) -> None:
    world.ingest(make_study(1, conditions=()), make_study(2, conditions=("Stroke Rehab",), meshes=(), ancestors=()))

    assert [one.name for one in suggested(world, "strok")] == ["Stroke", "Ischemic Stroke", "Stroke Rehab"]


def test_what_the_registry_derives_tells_what_listed_words_mean(world: World) -> None:
    world.ingest(*(make_study(number, conditions=("Brain Attack",)) for number in range(3)))

    found = suggested(world, "brain attack")

    assert (found[0].name, found[0].matched) == ("Ischemic Stroke", "brain attack")
    assert found[1].name == "Brain Attack"
    assert not found[1].is_concept


def test_words_that_no_study_lists_any_longer_are_not_suggested(world: World) -> None:
    world.ingest(make_study(1, conditions=("Lunar Malady",), meshes=(), ancestors=()))
    world.ingest(make_study(1, conditions=("Asthma",), meshes=(), ancestors=(), updated="2026-03-01"))

    assert suggested(world, "lunar malady") == []


def test_words_that_a_reader_follows_are_not_told_to_others(world: World) -> None:
    world.ingest(make_study(1, conditions=("Lunar Malady",), meshes=(), ancestors=()))
    with world.installation.database.writing() as session:
        session.execute(update(Condition).where(Condition.key == "lunar malady").values(kind="text"))

    assert suggested(world, "lunar malady") == []
