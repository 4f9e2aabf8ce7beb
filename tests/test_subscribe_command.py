"""Subscribing somebody from the command line, with everything that can be asked of studies."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.commands import notifier
from tests.studies import make_study

STROKE = ("subscribe", "a@example.org", "--condition", "Stroke", "--accept-unknown")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "study.json").write_text(json.dumps(make_study(1)))
    notifier(tmp_path, "ingest", "--baseline", "study.json")
    return tmp_path


def rows(folder: Path, statement: str) -> list[Any]:
    connection = sqlite3.connect(next(folder.rglob("notifier.db")))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_every_filter_has_an_option(folder: Path) -> None:
    done = notifier(
        folder, *STROKE, "--only-recruiting", "--country", "DE", "--country", "Austria", "--near", "Leipzig, Germany",
        "--within", "50", "--phase", "2", "--phase", "3", "--age", "54", "--sex", "female", "--urgent",
        "--no-narrower",
        "--detailed-subjects", "--quiet-notes",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert rows(folder, "SELECT only_recruiting, phases, sex, has_countries FROM filters") == [(1, 6, "FEMALE", 1)]
    assert rows(folder, "SELECT country FROM filter_countries ORDER BY country") == [("AT",), ("DE",)]
    assert rows(folder, "SELECT filter_id, urgent, narrower FROM subscriptions") == [(1, 1, 0)]
    assert rows(folder, "SELECT detailed_subjects, quiet_notes FROM subscribers") == [(1, 1)]


def test_without_options_nothing_is_filtered(folder: Path) -> None:
    notifier(folder, *STROKE)

    assert rows(folder, "SELECT filter_id, urgent, narrower FROM subscriptions") == [(None, 0, 1)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--near", "Xyzzy"), "We do not know this town"),
        (("--near", "Springfield"), "Springfield, Illinois, United States"),
        (("--country", "Atlantis"), "We do not know this country"),
        (("--phase", "7"), "A phase must be"),
    ],
)
def test_a_wrong_option_is_one_sentence(folder: Path, wrong: tuple[str, str], said: str) -> None:
    done = notifier(folder, *STROKE, *wrong)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert said in " ".join(done.stderr.split())
