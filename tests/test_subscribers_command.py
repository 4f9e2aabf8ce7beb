"""``notifier subscribers``: exit codes, one JSON object, and no address on the screen."""

import json
from pathlib import Path

import pytest

from notifier.domain.subscriber_lists import template
from tests.commands import notifier
from tests.studies import make_study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "study.json").write_text(json.dumps(make_study(1)))
    notifier(tmp_path, "ingest", "--baseline", "study.json")
    (tmp_path / "list.csv").write_text(template().replace("NCT01234567", "NCT90000001"))
    return tmp_path


def test_a_list_is_checked_then_brought_and_then_nothing_is_left_to_do(folder: Path) -> None:
    runs = [notifier(folder, "subscribers", "import", "list.csv", *more) for more in ((), ("--apply",), ("--apply",))]
    status = json.loads(notifier(folder, "status", "--json").stdout)

    assert [done.returncode for done in runs] == [0, 0, 0], runs[0].stderr
    assert "add --apply" in runs[0].stderr
    assert (status["subscribers"], status["subscriptions"], status["waiting"]) == (2, 2, 0)
    assert "2  followed already" in runs[2].stdout


def test_a_bad_row_is_told_by_its_line_and_the_exit_code(folder: Path) -> None:
    with (folder / "list.csv").open("a") as file:
        file.write(template().splitlines()[1].replace("Stroke", "Strok").replace("ada", "eve") + "\n")

    said = notifier(folder, "subscribers", "import", "list.csv", "--apply")
    told = notifier(folder, "subscribers", "import", "list.csv", "--json")

    assert (said.returncode, told.returncode) == (1, 1)
    assert "line 4, condition: No condition of this name is known. Perhaps: Stroke" in said.stderr
    assert not any(name in said.stderr + said.stdout + told.stdout for name in ("eve@", "ada@", "ben@"))
    report = json.loads(told.stdout)
    assert (report["applied"], report["bad_rows"], report["already"]) == (False, 1, 2)
    assert report["problems"][0]["line"] == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "must name the columns"), (b"\xff\xfee\0m\0", "UTF-8"), (b"x" * 1_000_000, "no list")],
)
def test_a_file_that_is_no_list_is_one_sentence(folder: Path, content: bytes, said: str) -> None:
    (folder / "no.csv").write_bytes(content)

    done = notifier(folder, "subscribers", "import", "no.csv")

    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_words_may_stand_in_a_file_of_their_own(folder: Path) -> None:
    (folder / "words.txt").write_text("I agree.\n")
    (folder / "short.csv").write_text(
        "email,trial,consent_at,consent_health\nada@example.org,NCT90000001,2026-01-31,yes\n"
    )

    done = notifier(folder, "subscribers", "import", "short.csv", "--consent-text", "words.txt", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["subscriptions"] == 1


def test_the_template_is_printed_as_it_is(folder: Path) -> None:
    assert notifier(folder, "subscribers", "template").stdout == template()
