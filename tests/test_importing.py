"""Importing a vocabulary: what it says takes the place of what it said, studies are tied anew, and nobody is mailed."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from notifier.errors import InvalidVocabulary
from notifier.importing import PORTION, Chosen, ImportReport, import_vocabulary, tie_anew
from notifier.store import match_store, vocabulary_store
from notifier.store.database import Database
from notifier.store.models import Change, Condition, ConditionCode, ConditionName, Match, TrialCondition
from tests.commands import notifier
from tests.studies import make_study
from tests.world import World

pytestmark = pytest.mark.rules

VOCABULARIES = Path(__file__).parent / "fixtures" / "vocabularies"
MOMENT = datetime(2026, 3, 2, tzinfo=UTC)


def imported(database: Database, name: str = "mesh.tsv", folder: Path = VOCABULARIES, **chosen: Any) -> ImportReport:
    path = folder / name
    report = import_vocabulary(
        database=database, path=path, chosen=Chosen(**chosen), now=MOMENT, on_progress=lambda _done: None
    )
    tie_anew(database=database, now=MOMENT)
    return report


def table(folder: Path, *rows: str) -> Path:
    (folder / "mesh.tsv").write_text("\n".join(("descriptor_id\tname\ttree_numbers\tsynonyms", *rows)) + "\n")
    return folder


def study(number: int, condition: str, *, size: int = 100, meshes: tuple[dict[str, str], ...] = ()) -> dict[str, Any]:
    """A study that lists one condition."""
    return make_study(number, conditions=(condition,), meshes=meshes, ancestors=(), enrollment=size)


def ties(world: World) -> dict[str, tuple[str, int, int | None]]:
    chosen = select(Condition.name, TrialCondition.how, TrialCondition.since_seq, TrialCondition.until_seq)
    with world.installation.database.reading() as session:
        rows = session.execute(chosen.join(TrialCondition, TrialCondition.condition_id == Condition.id))
        return {row[0]: (row[1], row[2], row[3]) for row in rows}


def test_an_import_says_what_it_came_to(database: Database) -> None:
    first = imported(database)
    again = imported(database)

    assert (first.concepts, first.names, first.broader, first.skipped, first.new) == (2, 4, 1, 1, 2)
    assert dataclasses.replace(first, new=0) == again


def test_what_a_vocabulary_no_longer_says_goes(database: Database, tmp_path: Path) -> None:
    imported(database)
    changed = imported(database, folder=table(tmp_path, "D000900002\tLantern Neoplasms\tC97.100\tLantern Growths"))

    with database.reading() as session:
        assert set(session.scalars(select(ConditionName.name))) == {"Lantern Neoplasms", "Lantern Growths"}
        assert list(session.scalars(select(ConditionCode.code))) == ["D000900002"]
        assert vocabulary_store.read_broader(session, "mesh") == set()
    assert (changed.new, changed.changed, changed.gone) == (0, 1, 1)


def test_parts_of_the_tree_can_be_chosen(database: Database) -> None:
    assert imported(database, trees=["D"]).concepts == 1


def test_what_another_vocabulary_says_stays(database: Database) -> None:
    imported(database)
    imported(database, "lantern.obo")
    imported(database)

    with database.reading() as session:
        names = vocabulary_store.current_names(session)
        concepts = {one.name: one.mesh_id for one in session.scalars(select(Condition))}
    assert concepts == {"Lantern Diseases": "D000900001", "Lantern Neoplasms": "D000900002", "lantern disorder": None}
    assert "growth lantern" not in names.by_words
    assert names.concepts[names.by_words["lc"][0]].name == "Lantern Neoplasms"


def test_a_file_without_concepts_takes_nothing_away(database: Database, tmp_path: Path) -> None:
    imported(database)

    with pytest.raises(InvalidVocabulary, match="holds no concept"):
        imported(database, folder=table(tmp_path, "D000900009\tLantern Oil\tD03.100\t"))

    with database.reading() as session:
        assert len(vocabulary_store.current_names(session).concepts) == 2


def test_a_condition_known_from_listings_is_adopted_and_its_subscription_stays(either_world: World) -> None:
    either_world.ingest(study(1, "lantern neoplasms"))
    either_world.subscribe("reader@example.org", condition="Lantern Neoplasms")

    imported(either_world.installation.database)

    with either_world.installation.database.reading() as session:
        adopted = session.scalars(select(Condition).where(Condition.key == "lantern neoplasms")).one()
        assert (adopted.name, adopted.mesh_id, adopted.trial_count) == ("Lantern Neoplasms", "D000900002", 1)
    either_world.ingest(study(1, "lantern neoplasms", size=200))
    assert either_world.match() == 1


def test_an_import_makes_no_news_but_later_changes_match_what_it_taught(either_world: World) -> None:
    either_world.ingest(study(1, "Tumor of the lantern, stage IV"))
    either_world.tick()
    imported(either_world.installation.database, folder=VOCABULARIES)
    either_world.subscribe("reader@example.org", condition="Lantern Diseases")
    either_world.tick()
    with either_world.installation.database.reading() as session:
        assert len(session.scalars(select(Change)).all()) == 1
        assert session.scalars(select(Match)).all() == []
    assert ties(either_world)["Lantern Neoplasms"] == ("named", 1, None)
    assert ties(either_world)["Lantern Diseases"] == ("broader", 1, None)

    either_world.ingest(study(1, "Tumor of the lantern, stage IV", size=200))
    either_world.tick()

    assert len(either_world.mails("reader@example.org")) == 1


def test_subscribers_from_before_an_import_hear_of_nothing_by_it(either_world: World) -> None:
    either_world.ingest(study(1, "Tumor of the lantern"), study(2, "Lantern Diseases"))
    either_world.subscribe("reader@example.org", condition="Lantern Diseases")
    either_world.tick()

    imported(either_world.installation.database)
    either_world.tick()

    assert either_world.mails("reader@example.org") == []
    assert either_world.counts()["unmatched"] == 0


def test_changes_that_wait_while_a_vocabulary_is_imported_are_matched_by_what_was_known(either_world: World) -> None:
    either_world.ingest(study(1, "Tumor of the lantern"), study(2, "Lantern Diseases"))
    either_world.subscribe("before@example.org", condition="Lantern Diseases")
    either_world.subscribe("listed@example.org", condition="Tumor of the lantern")
    either_world.tick()
    either_world.ingest(study(1, "Tumor of the lantern", size=200), study(3, "Tumor of the lantern"))

    imported(either_world.installation.database)
    either_world.tick()

    assert either_world.mails("before@example.org") == []
    assert len(either_world.mails("listed@example.org")) == 1


def test_an_import_waits_for_changes_that_somebody_else_is_matching(either_world: World) -> None:
    either_world.ingest(study(1, "Tumor of the lantern"), study(2, "Lantern Diseases"))
    either_world.subscribe("before@example.org", condition="Lantern Diseases")
    either_world.tick()
    either_world.ingest(study(1, "Tumor of the lantern", size=200))
    database = either_world.installation.database
    with ThreadPoolExecutor(1) as other:
        with database.writing() as session:
            batch, *_later = match_store.list_unmatched(session, limit=10, matches=10, now=either_world.now)
            portion = match_store.claim_portion(session, batch.change_ids)
            assert portion is not None
            importing = other.submit(imported, database)
            wait([importing], timeout=0.5)
            assert match_store.insert_matches(session, portion, now=either_world.now) == 0
            match_store.mark_matched(session, portion, now=either_world.now)
        importing.result()

    assert ties(either_world)["Lantern Neoplasms"] == ("named", 1, None)


def test_how_many_studies_are_tied_of_how_many_is_told(either_world: World) -> None:
    either_world.ingest(study(1, "Stroke"), study(2, "Asthma"))
    told: list[tuple[int, int]] = []

    tie_anew(database=either_world.installation.database, now=MOMENT, on_progress=lambda *some: told.append(some))

    assert told == [(0, 2), (2, 2)]


def test_ties_that_a_new_edition_no_longer_makes_end_in_silence(either_world: World, tmp_path: Path) -> None:
    either_world.ingest(study(1, "Tumor of the lantern"))
    imported(either_world.installation.database)
    either_world.subscribe("reader@example.org", condition="Lantern Diseases")

    imported(either_world.installation.database, folder=table(tmp_path, "D000900001\tLantern Diseases\tC97\t"))
    either_world.ingest(study(1, "Tumor of the lantern", size=200))
    either_world.tick()

    assert ties(either_world)["Lantern Diseases"] == ("broader", 1, 1)
    assert either_world.mails("reader@example.org") == []


def test_an_edition_that_brings_names_back_ties_again(either_world: World, tmp_path: Path) -> None:
    either_world.ingest(study(1, "Tumor of the lantern"))
    for folder in (VOCABULARIES, table(tmp_path, "D000900001\tLantern Diseases\tC97\t"), VOCABULARIES):
        imported(either_world.installation.database, folder=folder)

    assert ties(either_world)["Lantern Neoplasms"] == ("named", 1, None)
    with either_world.installation.database.reading() as session:
        counts = {one.name: one.trial_count for one in session.scalars(select(Condition))}
    assert (counts["Lantern Neoplasms"], counts["Lantern Diseases"]) == (1, 1)


def test_what_the_record_says_itself_is_never_ended_by_an_import(either_world: World) -> None:
    either_world.ingest(study(1, "Tumor of the lantern", meshes=({"id": "D001249", "term": "Asthma"},)))

    imported(either_world.installation.database)

    open_ties = {name for name, (_how, _since, until) in ties(either_world).items() if until is None}
    assert open_ties >= {"Asthma", "Tumor of the lantern", "Lantern Neoplasms"}


def test_records_that_come_after_an_import_are_tied_by_its_names(either_world: World) -> None:
    either_world.ingest(study(1, "Stroke"))
    imported(either_world.installation.database)

    either_world.ingest(study(2, "Cancers of the lantern"))

    assert ties(either_world)["Lantern Neoplasms"][0] == "named"


def test_a_renamed_heading_is_still_the_same_condition(either_world: World, tmp_path: Path) -> None:
    imported(either_world.installation.database)

    either_world.ingest(study(1, "Something else", meshes=({"id": "D000900002", "term": "Neoplasms of Lanterns"},)))

    assert ties(either_world)["Lantern Neoplasms"] == ("derived", 1, None)


def test_an_import_in_one_process_is_noticed_where_records_come_in_meanwhile(either_world: World) -> None:
    world = either_world
    database = world.installation.database
    with ThreadPoolExecutor(1) as other:
        coming = other.submit(lambda: [world.ingest(study(n, "Tumor of the lantern")) for n in range(1, 12)])
        imported(database)
        coming.result()

    with database.reading() as session:
        heading = session.scalars(select(Condition).where(Condition.mesh_id == "D000900002")).one()
        tied = select(TrialCondition.trial_id).where(TrialCondition.condition_id == heading.id)
        assert len(set(session.scalars(tied))) == 11


@pytest.mark.slow
def test_an_import_keeps_no_writer_waiting(database: Database, registry_folder: Path) -> None:
    written: list[int] = []

    @event.listens_for(database.engine, "begin")
    def begin(_connection: Any) -> None:
        written.append(0)

    @event.listens_for(database.engine, "after_cursor_execute")
    def count(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        written[-1] += 0 if statement.lstrip().startswith(("SELECT", "WITH")) else max(cursor.rowcount, 0)

    imported(database, "mesh_diseases.tsv", registry_folder)

    assert sum(written) > 10 * PORTION
    assert max(written) <= PORTION


def test_the_command_prints_what_it_did(tmp_path: Path) -> None:
    done = notifier(tmp_path, "conditions", "import", str(VOCABULARIES / "mesh.xml"), "--json", DATA_DIR=str(tmp_path))

    report = json.loads(done.stdout)
    assert {"concepts", "names", "new", "changed", "broader", "skipped"} <= report.keys()
    assert (report["concepts"], report["skipped"]) == (2, 1)


def test_the_command_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    done = notifier(tmp_path, "conditions", "import", "missing.obo", DATA_DIR=str(tmp_path))

    assert done.returncode == 2
    assert "missing.obo: cannot be read: No such file or directory" in done.stderr.replace("\n", " ")
