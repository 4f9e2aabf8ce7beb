"""Records that come while an import has ended and its studies are not tied yet, or after it broke off there."""

from pathlib import Path
from typing import Any

import pytest

from notifier.importing import Chosen, import_vocabulary
from tests.studies import make_study
from tests.test_importing import MOMENT, VOCABULARIES, imported, table, ties
from tests.world import World

pytestmark = pytest.mark.rules

READER = "reader@example.org"


def study(*conditions: str, size: int) -> dict[str, Any]:
    return make_study(1, conditions=conditions, meshes=(), ancestors=(), enrollment=size)


def imported_without_tying(world: World, folder: Path) -> None:
    import_vocabulary(
        database=world.installation.database,
        path=folder / "mesh.tsv",
        chosen=Chosen(),
        now=MOMENT,
        on_progress=lambda _done: None,
    )


def test_what_a_study_was_about_before_is_no_news_because_its_name_is_known_now(either_world: World) -> None:
    either_world.ingest(study("Tumor of the lantern", size=100))
    imported_without_tying(either_world, VOCABULARIES)
    either_world.subscribe(READER, condition="Lantern Diseases", wants="openings")

    either_world.ingest(study("Tumor of the lantern", "Something else", size=200))
    either_world.tick()

    assert ties(either_world)["Lantern Diseases"] == ("broader", 1, None)
    assert either_world.mails(READER) == []


def test_what_a_new_edition_no_longer_names_ends_in_silence(either_world: World, tmp_path: Path) -> None:
    imported(either_world.installation.database)
    either_world.ingest(study("Tumor of the lantern", size=100))
    either_world.subscribe(READER, condition="Lantern Diseases")
    either_world.ingest(study("Tumor of the lantern", size=120))
    either_world.tick()
    imported_without_tying(either_world, table(tmp_path, "D000900001\tLantern Diseases\tC97\t"))

    either_world.ingest(study("Tumor of the lantern", "Something else", size=200))
    either_world.tick()

    assert ties(either_world)["Lantern Diseases"] == ("broader", 1, 2)
    assert len(either_world.mails(READER)) == 1


def test_what_the_record_itself_comes_to_name_is_news_all_the_same(either_world: World) -> None:
    either_world.ingest(study("Something else", size=100))
    imported_without_tying(either_world, VOCABULARIES)
    either_world.subscribe(READER, condition="Lantern Diseases")

    either_world.ingest(study("Tumor of the lantern", size=200))
    either_world.tick()

    assert ties(either_world)["Lantern Diseases"] == ("broader", 2, None)
    assert len(either_world.mails(READER)) == 1
