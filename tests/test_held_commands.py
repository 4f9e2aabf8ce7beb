"""The command line for what is held: what scripts rely on, and what a person reads."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from notifier.checkup import check_up
from tests.commands import notifier
from tests.studies import make_study
from tests.test_cli import one_sentence
from tests.world import World

FEW = {"BREAKER_STUDIES": "2"}


def in_country(number: int, country: str) -> dict[str, object]:
    return make_study(number, sites=({"facility": "Made-up Clinic", "city": "Leeds", "country": country},))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation in which a country was renamed in two studies, one with a reader."""
    folder = tmp_path_factory.mktemp("held")
    for country in ("Oldland", "Newland"):
        records = json.dumps([in_country(1, country), in_country(2, country)])
        assert notifier(folder, "ingest", "-", stdin=records, **FEW).returncode == 0
        notifier(folder, "subscribe", "a@example.org", "--trial", "NCT90000001", "--cadence", "instant")
    notifier(folder, "tick", "--no-deliver")
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(prepared, tmp_path / "copy"))


def test_a_script_lists_and_drops(folder: Path) -> None:
    listed = json.loads(notifier(folder, "held", "list", "--json").stdout)["held"]
    status = json.loads(notifier(folder, "status", "--json").stdout)
    dropped = json.loads(notifier(folder, "held", "drop", "1", "--json").stdout)
    left = json.loads(notifier(folder, "held", "list", "--json").stdout)["held"]

    assert [(one["id"], one["before"], one["after"]) for one in listed] == [(1, "Oldland", "Newland")]
    assert (listed[0]["studies"], listed[0]["readers"], listed[0]["state"]) == (2, 1, "held")
    assert (status["held"], dropped, left) == (2, {"dropped": [1], "matches": 1}, [])


def test_a_person_lists_and_releases(folder: Path) -> None:
    listed = notifier(folder, "held", "list").stdout
    unknown = one_sentence(notifier(folder, "held", "release", "1", "9"))
    released = notifier(folder, "held", "release", "1")
    planned = json.loads(notifier(folder, "tick", "--no-deliver", "--json").stdout)["planned"]

    assert "Oldland → Newland" in listed
    assert "studies: 2 · readers: 1" in listed
    assert "under 9" in unknown
    assert (released.returncode, planned) == (0, 1)


def test_doctor_says_when_something_has_waited_for_days(world: World) -> None:
    world.ingest(*(in_country(number, "Oldland") for number in range(1, 31)))
    world.ingest(*(in_country(number, "Newland") for number in range(1, 31)))
    settings = world.installation.settings

    fresh, old = (check_up(settings, now=world.now + timedelta(days=days)) for days in (0, 5))

    assert "held" not in {one.part for one in fresh}
    assert [one.message for one in old if one.part == "held"] == [
        "1 wait for your decision, the oldest for 5 days: notifier held list"
    ]
