"""The command line: what scripts rely on, and one plain sentence for everything that is wrong."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notifier import cli
from notifier.emails.sample_mails import SAMPLES
from tests.commands import notifier
from tests.smtp_servers import Mailbox
from tests.studies import make_study

GOOD_SECRET = "a made-up secret that is long enough for anybody"


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().removeprefix("notifier: ")


def test_from_a_file_to_a_mailbox(tmp_path: Path, mailbox: Mailbox) -> None:
    server = {"SMTP_URL": f"smtp://127.0.0.1:{mailbox.port}?starttls=never"}
    (tmp_path / "first.json").write_text(json.dumps([make_study(1), make_study(2)]))
    first = notifier(tmp_path, "ingest", "first.json", "--json")
    notifier(tmp_path, "subscribe", "a@example.org", "--trial", "NCT90000001", "--cadence", "instant")

    again = notifier(tmp_path, "ingest", "-", "--json", stdin=json.dumps(make_study(1, enrollment=120)))
    tick = notifier(tmp_path, "tick", "--json", **server)
    status = notifier(tmp_path, "status", "--json")

    assert json.loads(first.stdout) == {"read": 2, "new": 2, "changed": 0, "unchanged": 0, "stale": 0, "rejected": 0}
    assert json.loads(again.stdout)["changed"] == 1
    assert json.loads(tick.stdout) == {"matched": 1, "planned": 1, "sent": 1, "deferred": 0, "failed": 0}
    assert json.loads(status.stdout)["sent"] == 1
    assert mailbox.recipients == ["a@example.org"]


def test_a_mail_server_that_is_down_loses_nothing(tmp_path: Path, mailbox: Mailbox) -> None:
    notifier(tmp_path, "ingest", "-", stdin=json.dumps(make_study(1)))
    notifier(tmp_path, "subscribe", "a@example.org", "--trial", "NCT90000001", "--cadence", "instant")
    notifier(tmp_path, "ingest", "-", stdin=json.dumps(make_study(1, enrollment=120)))

    down = notifier(tmp_path, "tick", "--json", SMTP_URL="smtp://127.0.0.1:9?starttls=never")
    later = notifier(
        tmp_path,
        "tick",
        "--json",
        "--now",
        "2031-01-01T00:00:00Z",
        SMTP_URL=f"smtp://127.0.0.1:{mailbox.port}?starttls=never",
    )

    assert json.loads(down.stdout)["sent"] == 0
    assert json.loads(later.stdout)["sent"] == 1


def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    sentence = one_sentence(notifier(tmp_path, "status", SECRET_KEY="short"))

    assert "NOTIFIER_SECRET_KEY" in sentence
    assert "short" not in sentence


@pytest.mark.parametrize("command", ["up", "status", "doctor", "migrate"])
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "taken").write_text("a file, where the folder should be")

    sentence = one_sentence(notifier(tmp_path, command, DATA_DIR="taken"))

    assert "The folder taken cannot be written" in sentence
    assert "NOTIFIER_DATA_DIR" in sentence


@pytest.mark.parametrize("command", [("tick", "--now"), ("restored", "--no-log", "--at")])
@pytest.mark.parametrize("moment", ["2026", "1795440000", "0001-01-01", "9999-12-31", "yesterday"])
def test_what_is_no_moment_is_one_sentence(tmp_path: Path, command: tuple[str, ...], moment: str) -> None:
    sentence = one_sentence(notifier(tmp_path, *command, moment))

    assert f"“{moment}” is no time that can be used: write it like 2026-11-22T03:00:00Z." in sentence


def test_acting_as_if_it_were_much_later_says_that_it_is_for_good(tmp_path: Path) -> None:
    done = notifier(tmp_path, "tick", "--no-deliver", "--json", "--now", "2099-01-01")

    assert json.loads(done.stdout)["planned"] == 0
    assert "As if it were 2099-01-01 00:00 UTC, and for good" in done.stderr
    assert "for good" not in notifier(tmp_path, "tick", "--no-deliver", "--now", "2026-01-01T00:00+02:00").stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "keys.json is spoiled"),
        ("17", "keys.json is spoiled"),
        ('{"secret_key": "short", "index_key": "x"}', "NOTIFIER_SECRET_KEY needs at least 32 characters"),
    ],
)
def test_spoiled_keys_are_one_sentence(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "keys.json").write_text(content)

    assert says in one_sentence(notifier(tmp_path, "status", DATA_DIR="."))


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    production = {
        "DATABASE_URL": "postgresql://nobody:secret-password@127.0.0.1:9/none", "SECRET_KEY": GOOD_SECRET,
        "INDEX_KEY": GOOD_SECRET, "SMTP_URL": "smtp://127.0.0.1:25", "BASE_URL": "https://updates.example.org",
        "POSTAL_ADDRESS": "1 Made-up Road", "MAIL_FROM": "a@example.org", "BROKER_URL": "redis://127.0.0.1:9/0",
    }  # fmt: skip

    sentence = one_sentence(notifier(tmp_path, "status", **production))

    assert "database" in sentence
    assert "secret-password" not in sentence


@pytest.mark.parametrize("command", ["web", "worker", "beat"])
def test_a_part_that_nobody_would_hear_is_refused(tmp_path: Path, command: str) -> None:
    sentence = one_sentence(notifier(tmp_path, command, SMTP_URL="smtp://127.0.0.1:25"))

    assert "NOTIFIER_BROKER_URL" in sentence
    assert "notifier up" in sentence


def test_a_worker_without_a_mail_server_is_refused(tmp_path: Path) -> None:
    assert "NOTIFIER_SMTP_URL" in one_sentence(notifier(tmp_path, "worker", BROKER_URL="redis://127.0.0.1:9/0"))


def test_other_keys_than_the_databases_are_refused(tmp_path: Path) -> None:
    notifier(tmp_path, "migrate", DATABASE_URL="sqlite:///x.db")
    notifier(tmp_path, "status", DATABASE_URL="sqlite:///x.db", SECRET_KEY=GOOD_SECRET)

    other = notifier(tmp_path, "status", DATABASE_URL="sqlite:///x.db", SECRET_KEY=GOOD_SECRET[::-1])
    rotated = notifier(
        tmp_path, "status", DATABASE_URL="sqlite:///x.db", SECRET_KEY=f"{GOOD_SECRET[::-1]},{GOOD_SECRET}"
    )

    assert "NOTIFIER_INDEX_KEY" in one_sentence(other)
    assert rotated.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("subscribe", "not an address", "--condition", "Stroke"), "e-mail address"),
        (("subscribe", "a@example.org", "--trial", "NCT00000000"), "not among those listed"),
        (("subscribe", "a@example.org", "--condition", "Moon sickness"), "No condition of this name is known"),
        (("subscribe", "a@example.org"), "Choose a study"),
        (("subscribe", "a@example.org", "--condition", "x", "--timezone", "Mars/Base"), "time zone"),
        (("subscribe", "a@example.org", "--condition", "x", "--cadence", "hourly"), "instant, daily, weekly"),
        (("preview",), "Say whose mail"),
        (("preview", "--trial", "NCT00000000"), "not among those held"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["notifier", *arguments])
    monkeypatch.setattr(cli, "set_up_logs", lambda **_: None)

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_bad_records_are_named_and_the_rest_goes_in(tmp_path: Path) -> None:
    lines = [json.dumps(make_study(1)), "{broken", json.dumps({"protocolSection": {}}), json.dumps(make_study(2))]
    (tmp_path / "records.ndjson").write_text("\n".join(lines))

    done = notifier(tmp_path, "ingest", "records.ndjson", "--json")

    assert done.returncode == 1
    assert json.loads(done.stdout) | {"rejected": 2} == {
        "read": 4, "new": 2, "changed": 0, "unchanged": 0, "stale": 0, "rejected": 2,
    }  # fmt: skip
    assert "line 2" in done.stderr
    assert "nctId" in done.stderr


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    done = notifier(tmp_path, "ingest", "nowhere.json")

    assert done.returncode == 1
    assert "nowhere.json" in done.stderr


def test_a_sample_preview_needs_no_data(tmp_path: Path) -> None:
    done = notifier(tmp_path, "preview", "--sample", "--out", "sample.html")

    assert done.returncode == 0
    assert "<html" in (tmp_path / "sample.html").read_text()
    assert not (tmp_path / "var").exists()


def test_a_sample_is_previewed_by_its_name(tmp_path: Path) -> None:
    done = notifier(tmp_path, "preview", "--sample", "nothing new", "--language", "de", "--out", "mail.html")

    assert done.returncode == 0
    assert 'lang="de"' in (tmp_path / "mail.html").read_text()
    assert "gibt es nichts Neues" in " ".join((tmp_path / "mail.txt").read_text().split())


def test_without_a_file_a_preview_says_where_it_lies(tmp_path: Path) -> None:
    done = notifier(tmp_path, "preview", "--sample")

    written = Path(done.stderr.partition("Written to ")[2].partition(" and ")[0])
    assert "<html" in written.read_text()
    assert list(tmp_path.iterdir()) == []
    shutil.rmtree(written.parent)


def test_every_sample_is_written_to_a_folder(tmp_path: Path) -> None:
    done = notifier(tmp_path, "preview", "--all", "--out", "gallery")

    assert done.returncode == 0
    linked = re.findall(r'href="([^"]+)"', (tmp_path / "gallery" / "index.html").read_text())
    assert len(linked) == 3 * len(SAMPLES)
    assert [name for name in linked if not (tmp_path / "gallery" / name).is_file()] == []
