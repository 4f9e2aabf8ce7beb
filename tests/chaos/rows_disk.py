"""Rows in which SQLite's disk is full, or three processes write to one file."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from tests.chaos.rows import EMBEDDED, Row
from tests.chaos.rows_broker import during_forms
from tests.chaos.stage import Stage

PAUSE = {"message": 0.01}
CUT_WITHIN = 30.0


def full(stage: Stage) -> None:
    """Nothing more can be written for a while: whoever writes is told so, and nothing is spoiled."""
    stage.ready(stage.pick(2_000, 300))
    stage.hold(after=50)
    filler = stage.disk / "filler"
    with _every_write_grows(stage.disk / "notifier.db"):
        _fill(filler)
        try:
            stage.sink.behave(pause=PAUSE)
            said = [_post_news(stage), _post_form(stage)]
            time.sleep(stage.pick(10, 5))
            said += [_post_news(stage), _post_form(stage)]
        finally:
            filler.unlink()
    # What was in the worker's hands may go out twice.
    stage.service.kills += 1
    stage.say(f"answers {said}")
    stage.expect(set(said) == {503}, f"answers were {said} on a full disk")
    stage.crowd.insist(stage.service.url)
    stage.drain()
    stage.expect(_integrity(stage.disk / "notifier.db") == "ok", "the file is spoiled")


def contended(stage: Stage) -> None:
    """The service and two commands beside it do all work that is due, again and again, in the same file."""
    stage.ready(stage.pick(1_000, 200))
    for name in ("first", "second"):
        stage.service.start("tick", options=("--again",), name=name)

    def news() -> None:
        for _ in range(stage.pick(10, 3)):
            stage.crowd.insist(stage.service.url)
            time.sleep(0.5)
        stage.drain()

    during_forms(stage, news)


@contextmanager
def _every_write_grows(file: Path) -> Iterator[None]:
    """Have SQLite find no room in what it has: its log is cut short, and begins anew only when nobody reads."""
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as reader:
        until = time.monotonic() + CUT_WITHIN
        while not _cut(reader):
            assert time.monotonic() < until, f"the log was not cut short in {CUT_WITHIN:.0f} s"
            time.sleep(0.01)
        _read(reader)
        yield


def _cut(connection: sqlite3.Connection) -> bool:
    try:
        return connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    except sqlite3.OperationalError:
        return False


def _read(connection: sqlite3.Connection) -> None:
    """Begin to read, after something was written to the log."""
    until = time.monotonic() + CUT_WITHIN
    while not Path(f"{_file_of(connection)}-wal").stat().st_size:
        assert time.monotonic() < until, "nothing was written"
        time.sleep(0.01)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _file_of(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA database_list").fetchone()[2])


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        for size in (1 << 20, 4096):
            _write_until_full(filler.write, bytes(size))


def _write_until_full(write: object, piece: bytes) -> None:
    assert callable(write)
    try:
        while write(piece) == len(piece):
            pass
    except OSError:
        return


def _post_news(stage: Stage) -> int:
    return stage.crowd.news_over_http(stage.service.url)


def _post_form(stage: Stage) -> int:
    form = {
        "email": f"somebody{time.time_ns()}@example.net", "trial": "NCT90000000", "cadence": "instant",
        "consent": "1", "consent_health": "1",
    }  # fmt: skip
    return httpx.post(f"{stage.service.url}/subscribe", data=form, timeout=60).status_code


def _integrity(file: Path) -> str:
    with sqlite3.connect(file) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


ROWS = [
    Row(name="disk full", go=full, engines=EMBEDDED, disk_megabytes=24),
    Row(name="SQLite contended", go=contended, engines=EMBEDDED, is_alone=True),
]
