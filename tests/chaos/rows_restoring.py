"""Rows in which yesterday's backup is put back: who left since stays gone, and nothing goes out before a decision."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, select

from notifier.config import load_settings
from notifier.forgetting import forget_subscriber
from notifier.installation import open_installation
from notifier.leaving import end_everything
from notifier.store.models import Delivery
from tests.chaos.counting import MOST_IN_DATA
from tests.chaos.rows import BOTH, Row
from tests.chaos.stage import Stage
from tests.topologies import run

PAUSE = {"message": 0.05}


def put_back(stage: Stage) -> None:
    """A backup in the middle of news, the rest of them, readers who leave, the backup, and the operator's decision."""
    service, crowd = stage.service, stage.crowd
    service.settings["NOTIFIER_DEPARTURES_LOG"] = str(stage.folder / "departures")
    _open(stage)
    stage.ready(stage.pick(2_000, 300))
    stage.hold(after=50)
    stage.sink.behave(pause=PAUSE)
    _stop(stage)
    at, backup = datetime.now(UTC), _back_up(stage)
    service.start()
    stage.sink.behave()
    stage.drain()
    _leave(stage)
    _stop(stage)
    _exchange(stage, backup)
    found = _ask(stage, "restored", "--at", at.isoformat(), "--json")
    before = stage.sink.count()
    service.start()
    stage.wait_for_mails(1, seconds=5)
    stage.expect(stage.sink.count() == before, "mails went out before anybody decided")
    decided = _ask(stage, "restored", "--at", at.isoformat(), "--resend", "--json")["decided"]
    with stage.installation.database.reading() as session:
        counted = select(Delivery.subscriber_id, Delivery.ambiguous).where(Delivery.kind == "digest")
        for row in session.execute(counted.where(Delivery.subscriber_id.is_not(None))):
            crowd.sent_again[row.subscriber_id] += row.ambiguous
    run(stage.folder, service.settings, "resume")
    stage.drain()
    crowd.insist(service.url)
    stage.drain()
    _look_at(stage, found, chosen=decided["mails"], before=before)


def _look_at(stage: Stage, found: dict[str, Any], *, chosen: int, before: int) -> None:
    addresses = {reader: address for address, reader in stage.crowd.readers.items()}
    late = {one.recipient for one in stage.sink.list_taken()[before:]} & {addresses[one] for one in stage.crowd.gone}
    figures = stage.count()
    # The operator had them sent again, knowing that some had arrived.
    stage.service.kills += -(-chosen // MOST_IN_DATA)
    stage.say(f"{found['left']} left, {found['erased']} erased, {chosen} unfinished sent again")
    stage.expect(not late, f"{len(late)} got a mail after they had left")
    stage.expect(figures.copies <= chosen, f"{figures.copies} copies, {chosen} chosen")


def _stop(stage: Stage) -> None:
    for part in list(stage.service.running):
        stage.service.stop(part)


def _leave(stage: Stage) -> None:
    here, crowd, now = stage.installation, stage.crowd, datetime.now(UTC)
    for number, reader in enumerate(list(crowd.readers.values())[:: len(crowd.readers) // 30]):
        with here.database.writing() as session:
            if number % 2:
                forget_subscriber(session, reader, by="reader", now=now)
            else:
                end_everything(session, reader, reason="one_click", now=now)
        crowd.gone.add(reader)


def _open(stage: Stage) -> None:
    """Look at the database that the settings name now."""
    stage.installation.close()
    given = {key.removeprefix("NOTIFIER_").lower(): value for key, value in stage.service.settings.items()}
    stage.installation = open_installation(load_settings(**given), now=datetime.now(UTC))
    stage.crowd.installation = stage.installation


def _back_up(stage: Stage) -> str:
    """A copy of the database, which nobody uses meanwhile; what leads to it."""
    url = stage.service.settings["NOTIFIER_DATABASE_URL"]
    stage.installation.database.close()
    if stage.engine == "postgresql":
        return stage.grounds.copy_of(str(make_url(url).database))
    backup = stage.folder / "backup.db"
    with closing(sqlite3.connect(_file(url))) as one, closing(sqlite3.connect(backup)) as other:
        one.backup(other)
    return str(backup)


def _exchange(stage: Stage, backup: str) -> None:
    """Put the backup in the place of the database."""
    settings = stage.service.settings
    stage.installation.close()
    if stage.engine == "postgresql":
        settings["NOTIFIER_DATABASE_URL"] = backup
    else:
        file = _file(settings["NOTIFIER_DATABASE_URL"])
        for ending in ("-wal", "-shm"):
            Path(f"{file}{ending}").unlink(missing_ok=True)
        Path(backup).replace(file)
    _open(stage)


def _file(url: str) -> str:
    return url.removeprefix("sqlite:///")


def _ask(stage: Stage, *arguments: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(run(stage.folder, stage.service.settings, *arguments).stdout)
    return said


ROWS = [Row(name="yesterday's backup put back", go=put_back, engines=BOTH)]
