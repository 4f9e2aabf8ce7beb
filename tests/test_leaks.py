"""No contact detail of study staff gets into the database, the logs or a mail; what only looks like one survives."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bench.leak_figures import AFTER_EVERY_RECORD, LeakFigures, as_table, list_findings, measure
from tests.smtp_servers import mailbox
from tests.world import copy_database, open_world, settings_for

PLACES = ("database", "logs", "mails")
SAYS_NOTHING = frozenset({"NCT01340027"})
"""A partial record of nothing that a reader could be told."""
A_CONTACT = "NCT05519085 protocolSection.contactsLocationsModule.locations[0].contacts[0].name: Site 0366"
"""The only look-alike that stands in a contact's name, where nothing is kept."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("listed", marks=pytest.mark.slow),
        pytest.param("all", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def figures(
    request: pytest.FixtureRequest,
    registry_folder: Path,
    migrated_sqlite: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LeakFigures]:
    """Real records taken all the way; the plain run takes only the studies that the lists name."""
    folder = tmp_path_factory.mktemp("leaks")
    copy_database(migrated_sqlite, folder / "notifier.db")
    with mailbox() as box:
        world = open_world(settings_for(folder, mailbox=box), mailbox=box, now=AFTER_EVERY_RECORD)
        yield measure(
            world.service,
            registry_folder,
            mails=lambda: [content for _, content in box.accepted],
            database=folder / "notifier.db",
            only_listed=request.param == "listed",
        )
        world.close()


def test_every_record_comes_in_and_every_study_is_mailed(figures: LeakFigures) -> None:
    done = figures.aftermath

    assert done.loaded.counts["rejected"] == done.changed.counts["rejected"] == 0
    assert set(done.studies) - figures.mailed <= SAYS_NOTHING
    assert done.delivered.failed == done.delivered.deferred == 0


@pytest.mark.parametrize("place", PLACES)
def test_no_contact_detail_is_found(figures: LeakFigures, place: str) -> None:
    searched = figures.searches[place]

    assert searched.signs > 100
    assert searched.found == ()
    assert searched.rewritten == ()


def test_what_is_searched_for_holds_every_listed_leak(figures: LeakFigures) -> None:
    assert set(figures.leaks) <= figures.wanted.details
    assert not [value for value in figures.wanted.left_out if "@" in value]


def test_what_only_looks_like_a_contact_detail_survives(figures: LeakFigures) -> None:
    Console(width=120).print(as_table(figures), *list_findings(figures))
    survived = figures.survival

    assert survived.damaged == ()
    assert len(survived.stored) > len(survived.masked_only) > 0
    assert survived.contact_names == (A_CONTACT,)
