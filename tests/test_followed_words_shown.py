"""Words that a reader follows as text are shown to others too: cleaned, and without a way to reach anybody."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from notifier.domain.conditions import condition_key
from notifier.domain.followed_words import as_shown
from notifier.errors import UnfitWords
from notifier.store import text_conditions
from notifier.store.models import Condition
from notifier.viewing import view_study
from tests.studies import make_study
from tests.test_importing import VOCABULARIES, imported
from tests.world import World


def names(world: World) -> set[str]:
    with world.installation.database.reading() as session:
        return set(session.scalars(select(Condition.name).where(Condition.kind == "text")))


@given(st.text(max_size=60))
def test_words_are_cleaned_without_meaning_anything_else(text: str) -> None:
    assert condition_key(as_shown(text)) == condition_key(text)


def test_words_are_kept_without_signs_that_say_nothing(world: World) -> None:
    world.ingest(make_study(1))
    world.subscribe("a@example.org", condition="💀 <Moon> sickness (type 2) ***", accept_unknown=True)

    assert names(world) == {"Moon sickness (type 2)"}


@pytest.mark.parametrize(
    "text", ["lupus quillon@clinic.example", "win at https://pills.example/now", "go to pills.example", "www.pills"]
)
def test_words_say_nobody_where_to_go(world: World, text: str) -> None:
    world.ingest(make_study(1))

    with pytest.raises(UnfitWords, match="only the words"):
        world.subscribe("a@example.org", condition=text, accept_unknown=True)


def test_a_record_that_names_them_says_how_they_are_written(either_world: World) -> None:
    either_world.ingest(make_study(1))
    either_world.subscribe("a@example.org", condition="MOON SICKNESS", accept_unknown=True)

    either_world.ingest(make_study(2, conditions=("Moon sickness",)))

    with either_world.installation.database.reading() as session:
        assert ("Moon sickness", "listed") in view_study(session, "NCT90000002").conditions


def test_so_does_a_vocabulary(either_world: World) -> None:
    either_world.subscribe("a@example.org", condition="LANTERN (disorder)", accept_unknown=True)

    imported(either_world.installation.database, "lantern.obo")

    assert names(either_world) == {"lantern disorder"}


def test_words_that_very_many_studies_say_are_not_followed(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_conditions, "MANY", 1)
    either_world.ingest(make_study(1), make_study(2), make_study(3, title="A moon study"))

    with pytest.raises(UnfitWords, match="very many"):
        either_world.subscribe("a@example.org", condition="study", accept_unknown=True)
    either_world.subscribe("a@example.org", condition="moon", accept_unknown=True)


def test_a_concept_named_otherwise_later_keeps_the_name_it_is_found_by(world: World, tmp_path: Path) -> None:
    world.subscribe("a@example.org", condition="LANTERN disorder", accept_unknown=True)
    imported(world.installation.database, "lantern.obo")
    renamed = (VOCABULARIES / "lantern.obo").read_text().replace("name: lantern disorder", "name: lamp disorder")
    (tmp_path / "lantern.obo").write_text(renamed)

    imported(world.installation.database, "lantern.obo", tmp_path)

    assert names(world) == {"lantern disorder"}
