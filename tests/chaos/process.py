"""The real ``notifier`` command with a quick schedule, which can be told to kill itself around a commit.

Its arguments are ``[OPTION] COMMAND…``, with one of ``--die WHEN:WHAT``, ``--starve KB``, ``--impatient SECONDS``,
``--clock FILE``, ``--poison KIND``, ``--again`` and ``--usual``. WHEN is ``before`` or ``after``; WHAT is ``ingest``,
``match``, ``claim``, ``enter`` or ``mark``: the first commit after which the database would show that.
"""

import ctypes
import errno
import faulthandler
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from celery.signals import task_prerun
from jinja2 import UndefinedError
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from notifier import composing, letters, queues, worker
from notifier.cli import main
from notifier.emails.pipelining import Timeouts
from notifier.web import surroundings

SECONDS = 1.0
STARVED_AFTER = 2.0
PIECES = (1 << 20, 1 << 14, 1 << 10)
"""In what sizes memory is taken up: what was freed before must not help."""
M_ARENA_MAX = -8
"""What glibc's malloc.h calls it."""
STARVED = "no more memory from now on"
POINTS = {
    "ingest": "SELECT 1 FROM changes WHERE matched_at IS NULL LIMIT 1",
    "match": "SELECT 1 FROM matches WHERE ended_at IS NULL LIMIT 1",
    "claim": "SELECT 1 FROM deliveries WHERE state = 'leased' LIMIT 1",
    "enter": "SELECT 1 FROM deliveries WHERE state = 'in_data' LIMIT 1",
    "mark": "SELECT 1 FROM deliveries WHERE state = 'sent' LIMIT 1",
}
"""What a transaction sees when it has done its part; a row waits till nothing of the kind is left of earlier news."""


def quicken() -> None:
    """Sweep and plan each second."""
    queues.SWEEP_SECONDS = queues.PLAN_SECONDS = SECONDS


def die_at(when: str, what: str) -> None:
    """Kill this process and all that were started with it before or after the first commit of that kind."""

    def before_commit(session: Session) -> None:
        session.flush()
        session.info["doomed"] = session.execute(text(POINTS[what])).first() is not None
        if session.info["doomed"] and when == "before":
            die()

    def after_commit(session: Session) -> None:
        if session.info.get("doomed"):
            die()

    event.listen(Session, "before_commit", before_commit)
    event.listen(Session, "after_commit", after_commit)


def die() -> None:
    """Kill the whole group: what a machine does that loses its power."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def shift_clock(file: Path) -> None:
    """Have the clocks of web and worker be off by as many hours as a file says at that moment."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Shifted":
            return super().now(tz) + timedelta(hours=float(file.read_text()))

    for module in (worker, surroundings):
        vars(module)["datetime"] = Shifted


def spoil_mails(kind: str) -> None:
    """Have ``digests``, or ``letters``, be mails that cannot be made, as a broken template would."""
    whole, part = (letters.Letters, "make") if kind == "letters" else (composing, "join_digest")

    def break_off(*_: object, **__: object) -> None:
        raise UndefinedError("a template is broken")

    setattr(whole, part, break_off)


def sleep_on() -> None:
    """Have no sleep fail that should have ended a moment ago: with a shifted clock they do on a busy machine."""
    usual = time.sleep

    def sleep(seconds: float) -> None:
        try:
            usual(seconds)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise

    vars(time)["sleep"] = sleep


def again() -> None:
    """Run the command, and do not end with it."""
    try:
        main()
    except SystemExit:
        time.sleep(0.2)


def starve(kilobytes: int) -> None:
    """Have each process that sends run out of memory while it does: all it may have but so much is taken up by then."""
    since: dict[int, threading.Timer] = {}
    taken: list[bytearray] = []
    # Else each thread has a reserve of address space of its own, which counts as taken up and is not.
    ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for size in PIECES:
            with suppress(MemoryError):
                while True:
                    taken.append(bytearray(size))
        del taken[len(taken) - kilobytes * 1_000 // PIECES[-1] :]
        os.write(1, f"{STARVED}\n".encode())

    def begin(task: Any, **_: object) -> None:
        if task.name == queues.SEND_DELIVERIES and os.getpid() not in since:
            since[os.getpid()] = threading.Timer(STARVED_AFTER, limit)
            since[os.getpid()].start()

    task_prerun.connect(begin, weak=False)


def lose_patience(seconds: float) -> None:
    """Wait no longer than this for any reply of the mail server."""
    patience = Timeouts.__init__.__kwdefaults__
    assert patience is not None
    patience.update(dict.fromkeys(patience, seconds))


def run(arguments: Sequence[str]) -> None:
    """Do what the arguments say; ends the process. SIGUSR2 has it say what it is at."""
    faulthandler.register(signal.SIGUSR2)
    asked = list(arguments)
    option = asked.pop(0) if asked[0].startswith("--") else ""
    if option != "--usual":
        quicken()
    if option == "--die":
        die_at(*asked.pop(0).split(":"))
    if option == "--clock":
        shift_clock(Path(asked.pop(0)))
    if option == "--poison":
        spoil_mails(asked.pop(0))
    if option == "--starve":
        starve(int(asked.pop(0)))
    if option == "--impatient":
        lose_patience(float(asked.pop(0)))
    sys.argv = ["notifier", *asked]
    while option == "--again":
        again()
    main()


if __name__ == "__main__":
    sleep_on()
    run(sys.argv[1:])
