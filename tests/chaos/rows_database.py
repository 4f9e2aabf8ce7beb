"""Rows in which PostgreSQL falls, is killed or freezes while mails go out and news come in."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from tests.chaos.rows import SERVERS, Row
from tests.chaos.stage import Stage
from tests.servers import PostgresServer

PAUSE = {"message": 0.01}
RESTARTS_WITHIN = 30.0


def go_through_outage(stage: Stage, outage: Callable[[Stage], None]) -> None:
    """Mails are on their way, the database is away, and news that come then are not promised."""
    stage.ready(stage.pick(2_000, 300))
    stage.hold(after=50)
    outage(stage)
    # Whatever the two processes of the worker had in their hands may go out twice.
    stage.service.kills += 2
    stage.crowd.insist(stage.service.url)


def stopped(stage: Stage) -> None:
    """It is stopped at once, without a word to its clients, and started again."""
    server = stage.grounds.postgres
    server.stop()
    try:
        _stay_away(stage)
    finally:
        server.start()


def killed(stage: Stage) -> None:
    """Its first process is killed; the others notice and end."""
    server = stage.grounds.postgres
    os.kill(server.postmaster, signal.SIGKILL)
    try:
        _stay_away(stage)
    finally:
        _start_again(server)


def frozen(stage: Stage) -> None:
    """All its processes stop in the middle of whatever they do: connections stay open, nobody answers."""
    with _frozen(stage.grounds.postgres):
        _stay_away(stage)


def _stay_away(stage: Stage) -> None:
    stage.sink.behave(pause=PAUSE)
    status = stage.crowd.news_over_http(stage.service.url)
    stage.say(f"news answered {status or 'nothing'}")
    stage.expect(status not in range(200, 300), f"news were answered {status} without a database")
    time.sleep(stage.pick(20, 4))


def _start_again(server: PostgresServer) -> None:
    """What the killed one left may keep a new one from starting for a moment."""
    until = time.monotonic() + RESTARTS_WITHIN
    while True:
        try:
            server.start()
        except RuntimeError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return


@contextmanager
def _frozen(server: PostgresServer) -> Iterator[None]:
    first = server.postmaster
    # The first one first, so that it makes no more of them.
    _tell([first], signal.SIGSTOP)
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    everybody = [first, *(int(child) for child in children)]
    _tell(everybody, signal.SIGSTOP)
    try:
        yield
    finally:
        _tell(everybody, signal.SIGCONT)


def _tell(processes: list[int], what: signal.Signals) -> None:
    for one in processes:
        with suppress(ProcessLookupError):
            os.kill(one, what)


ROWS = [
    Row(name=f"PostgreSQL {name}", go=partial(go_through_outage, outage=outage), engines=SERVERS)
    for name, outage in (("stopped hard", stopped), ("killed", killed), ("frozen", frozen))
]
