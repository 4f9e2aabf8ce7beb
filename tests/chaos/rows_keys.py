"""Rows in which the secrets are rotated while mails go out, by workers with old and new settings side by side."""

from datetime import UTC, datetime

import httpx
from sqlalchemy import update

from notifier.config import load_settings
from notifier.emails.links import Links
from notifier.installation import open_installation
from notifier.store.addresses import read_address
from notifier.store.models import Subscriber
from tests.chaos.rows import BOTH, Row
from tests.chaos.stage import Stage

OLD = "a made-up secret that is long enough for anybody"
NEW = "another made-up secret and just as long as that"
PAUSE = {"message": 0.05}
LEAVING = 5


def rotate(stage: Stage) -> None:
    """Web first, then a second worker, then the first one goes; links of before still end things."""
    service, crowd = stage.service, stage.crowd
    stage.ready(stage.pick(1_000, 200))
    stage.hold(after=50)
    stage.sink.behave(pause=PAUSE)
    links = Links(base_url=service.url, secrets=(OLD,))
    _work_side_by_side(stage)
    resealed = _reseal(stage)
    crowd.insist(service.url)
    stage.need_mails(50)
    gone = _press(stage, links)
    if stage.engine == "postgresql":
        service.stop("worker")
        service.start("worker")
        # Where nothing else is to be done no mail is cut off, which another row shows; on a busy machine one may be.
        service.kills += 2
    # On SQLite the old one is killed for a change.
    end = service.stop if stage.engine == "postgresql" else service.kill
    end("old")
    stage.sink.behave()
    crowd.insist(service.url)
    stage.drain()
    before = len(stage.sink.list_taken())
    crowd.insist(service.url)
    stage.drain()
    addresses = {reader: address for address, reader in crowd.readers.items()}
    late = {one.recipient for one in stage.sink.list_taken()[before:]} & {addresses[reader] for reader in gone}
    stage.say(f"{resealed} addresses under the new secret, {len(gone)} left by links under the old one")
    stage.expect(not late, f"{len(late)} got a mail after they had left")


def _work_side_by_side(stage: Stage) -> None:
    """Go on with both secrets in the settings, but for one worker that knows only the old one."""
    service = stage.service
    for part in (service.web, *(("beat",) if "beat" in service.parts else ())):
        service.stop(part)
    old = dict(service.settings)
    service.settings["NOTIFIER_SECRET_KEY"] = f"{NEW},{OLD}"
    service.start(service.web)
    if stage.engine == "sqlite":
        new, service.settings = service.settings, old
        service.start("tick", name="old", options=("--again",))
        service.settings = new
        return
    service.start("beat")
    # The one that has been here all along is the old one.
    service.running["old"] = service.running.pop("worker")
    service.start("worker")


def _reseal(stage: Stage) -> int:
    """Half of the readers have come anew since: their addresses are sealed with the new secret."""
    given = {key.removeprefix("NOTIFIER_").lower(): value for key, value in stage.service.settings.items()}
    here = open_installation(load_settings(**given), now=datetime.now(UTC))
    readers = list(stage.crowd.readers.items())[::2]
    with here.database.writing() as session:
        for address, reader in readers:
            sealed = here.keys.seal(read_address(address))
            session.execute(update(Subscriber).where(Subscriber.id == reader).values(address_sealed=sealed))
    here.close()
    return len(readers)


def _press(stage: Stage, links: Links) -> set[int]:
    """Some readers press the link of a mail they got before."""
    readers = list(stage.crowd.readers.values())[:LEAVING]
    said = {
        httpx.post(links.end_all(reader), data={"List-Unsubscribe": "One-Click"}, timeout=60).status_code
        for reader in readers
    }
    stage.expect(said == {200}, f"links under the old secret were answered {sorted(said)}")
    stage.crowd.gone.update(readers)
    return set(readers)


ROWS = [Row(name="keys rotated", go=rotate, engines=BOTH)]
