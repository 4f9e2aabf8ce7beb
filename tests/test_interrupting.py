"""`notifier tick` told to end while mails are under way, as a deploy or a machine that shuts down tells it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands import notifier
from tests.scripted_smtp import HANG, Script, scripted
from tests.studies import make_study
from tests.topologies import wait_until

pytestmark = [pytest.mark.rules, pytest.mark.slow]
NAMES = ("ada", "bob", "cyd")


@contextmanager
def _ticking(folder: Path, reply: str) -> Iterator[tuple[subprocess.Popen[str], Script]]:
    """A tick that has handed over all mails, whose messages the server answers like this."""
    notifier(folder, "ingest", "-", stdin=json.dumps(make_study(1)))
    for name in NAMES:
        notifier(folder, "subscribe", f"{name}@example.org", "--trial", "NCT90000001", "--cadence", "instant")
    notifier(folder, "ingest", "-", stdin=json.dumps(make_study(1, enrollment=120)))
    with scripted(Script({f"MESSAGE:{name}": reply for name in NAMES})) as script:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "notifier", "tick", "--json"],
            cwd=folder,
            env={**kept, "NOTIFIER_SMTP_URL": f"smtp://127.0.0.1:{script.port}?starttls=never"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                wait_until(lambda: len(script.accepted) == len(NAMES), what="all mails", every=0.02)
                yield process, script
            finally:
                process.kill()


def _hears(process: subprocess.Popen[str]) -> bool:
    """Whether SIGTERM would not simply end it: after the first one, it would."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def _status(folder: Path) -> dict[str, int]:
    return dict(json.loads(notifier(folder, "status", "--json").stdout))


def test_a_tick_that_is_told_to_end_finishes_the_mails_in_hand(tmp_path: Path) -> None:
    with _ticking(tmp_path, "when told 250 2.0.0 queued") as (process, script):
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: not _hears(process), what="that it heard")
        script.may_answer.set()
        said, _ = process.communicate(timeout=60)

    assert (json.loads(said)["sent"], process.returncode) == (3, -signal.SIGTERM)
    status = _status(tmp_path)
    assert (status["sent"], status["ambiguous"], status["deliveries_waiting"]) == (3, 0, 0)


def test_a_tick_that_is_told_twice_ends_at_once(tmp_path: Path) -> None:
    with _ticking(tmp_path, HANG) as (process, _script):
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: not _hears(process), what="that it heard")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == -signal.SIGTERM
