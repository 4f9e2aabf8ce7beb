"""The command line for what is held of a person: what scripts rely on, and that it never repeats an address."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import notifier
from tests.studies import make_study

EMAIL = "jo.canary@example.org"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with one study and one reader of it."""
    folder = tmp_path_factory.mktemp("privacy")
    assert notifier(folder, "ingest", "-", "--baseline", stdin=json.dumps(make_study())).returncode == 0
    assert notifier(folder, "subscribe", EMAIL, "--trial", "NCT90000001", "--site", "a.example").returncode == 0
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(prepared, tmp_path / "copy"))


def test_an_export_is_one_json_object(folder: Path) -> None:
    done = notifier(folder, "export", EMAIL, "--json")

    found = json.loads(done.stdout)
    assert (done.returncode, found["held"], found["address"]) == (0, True, EMAIL)
    assert [(one["study"], one["agreed_on"]) for one in found["follows"]] == [("NCT90000001", "a.example")]
    assert EMAIL not in done.stderr


def test_forgetting_asks_first(folder: Path) -> None:
    refused = notifier(folder, "forget", EMAIL, stdin="n\n")

    assert refused.returncode == 1
    assert json.loads(notifier(folder, "status", "--json").stdout)["subscribers"] == 1
    assert EMAIL not in refused.stdout + refused.stderr


def test_forgetting_says_what_was_erased(folder: Path) -> None:
    done = notifier(folder, "forget", EMAIL, "--yes")
    trail = json.loads(notifier(folder, "audit", "--json").stdout)["entries"]

    assert (done.returncode, done.stdout) == (
        0, "Erased: subscribers 1, subscriptions 1. No mail goes to this address any more.\n",
    )  # fmt: skip
    assert [(one["what"], one["by"], one["count"]) for one in trail] == [("erased", "operator", 1)]
    assert json.loads(notifier(folder, "status", "--json").stdout)["subscribers"] == 0
    assert EMAIL not in done.stderr


@pytest.mark.parametrize("command", [("export",), ("forget", "--yes"), ("forget",)])
def test_nothing_is_held_of_a_stranger(folder: Path, command: tuple[str, ...]) -> None:
    done = notifier(folder, command[0], "stranger@example.org", *command[1:])

    assert done.returncode == 0
    assert "Nothing is held of this address." in done.stdout + done.stderr
    assert "stranger" not in done.stdout + done.stderr
