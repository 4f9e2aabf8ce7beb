"""Measures digests composed and delivered a second, to a mail server in a process of its own."""

import tempfile
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.installations import MONDAY, mail_sink, open_bench_service
from bench.measuring import Spread, Stages, spread, timed
from bench.records import changed_record, make_record
from notifier import delivering
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.ingesting import ingest_records
from notifier.registries.record_files import FoundRecord
from notifier.rounds import Service, deliver, make_news
from notifier.store.addresses import read_address
from notifier.subscribing import subscribe_directly

STUDIES_A_READER = 2
_WATCHED = (
    (delivering._Run, "_claim", "claim"),
    (delivering._Run, "_compose", "compose"),
    (delivering._Run, "_send", "send"),
    (delivering._Run, "_advance", "mark"),
)


def run(console: Console, *, readers: int = 1_500, studies: int = 200, repeat: int = 3) -> Spread:
    """Measure and print; gives mails a second."""
    rates: list[float] = []
    plans: list[float] = []
    stages, spent = Stages(), 0.0
    with (
        tempfile.TemporaryDirectory(prefix="notifier-bench-") as name,
        mail_sink() as port,
        open_bench_service(Path(name), smtp_port=port) as service,
    ):
        _subscribe(service, readers=readers, studies=studies)
        for number in range(1, repeat + 1):
            now = MONDAY + timedelta(hours=number)
            _ingest(service, studies, by=number, now=now)
            with timed() as planning:
                make_news(service.installation, now=now)
            stages = Stages()
            with stages.watching(_WATCHED), timed() as sending:
                delivered = deliver(service, now=partial(_fixed, now))
            if delivered.sent != readers:
                raise RuntimeError(f"not every digest was sent: {delivered}")
            plans.append(planning())
            spent = sending()
            rates.append(readers / spent)
    rate = spread(rates)
    table = Table("delivering", "value", title=f"Delivering, {repeat} times")
    table.add_row("digests, studies in each", f"{readers:,}, {STUDIES_A_READER}")
    table.add_row("seconds to match and plan", str(spread(plans)))
    table.add_row("digests composed and accepted a second", str(rate))
    table.add_row("where the time goes", stages.shares(spent))
    console.print(table)
    return rate


def _fixed(now: datetime) -> datetime:
    return now


def _ingest(service: Service, studies: int, *, by: int, now: datetime) -> None:
    installation = service.installation
    records = [make_record(number) for number in range(studies)]
    found = [FoundRecord(place="made up", record=changed_record(one, by=by) if by else one) for one in records]
    ingest_records(database=installation.database, keys=installation.keys, records=found, now=partial(_fixed, now))


def _subscribe(service: Service, *, readers: int, studies: int) -> None:
    _ingest(service, studies, by=0, now=MONDAY)
    instant = Cadence(cadence="instant", hour=0)
    with service.installation.database.writing() as session:
        for reader in range(readers):
            for step in range(STUDIES_A_READER):
                subscribe_directly(
                    session,
                    keys=service.installation.keys,
                    address=read_address(f"reader-{reader}@example.org"),
                    wish=Wish(trial=f"NCT8{(reader + step) % studies:07}", cadence=instant),
                    how="operator",
                    now=MONDAY + timedelta(minutes=1),
                )
