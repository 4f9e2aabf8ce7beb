"""Measures records taken in a second, new, unchanged and changed, and what the time goes into."""

import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.installations import MONDAY, open_bench_service
from bench.measuring import Stages, spread, timed
from bench.records import Stock, open_stock
from notifier import ingesting, preparing
from notifier.domain import comparing
from notifier.ingesting import ingest_records
from notifier.registries import ctgov
from notifier.registries.record_files import iter_records
from notifier.rounds import Service
from notifier.store import trial_store
from notifier.store.addresses import AddressKeys

KINDS = ("new", "unchanged", "changed")
_WATCHED: tuple[tuple[object, str, str], ...] = (
    (ctgov, "content_bytes", "fingerprint"),
    (ctgov, "contact_values", "fingerprint"),
    (AddressKeys, "fingerprint", "fingerprint"),
    (preparing, "mask_record", "mask"),
    (ctgov, "read_facts", "read facts"),
    (comparing, "compare", "compare"),
    (comparing, "first_appearance", "compare"),
    (preparing, "concerns_with_names", "compare"),
    (preparing, "pack_state", "pack"),
    (preparing, "try_state", "unpack"),
    (trial_store, "list_held", "look up"),
    (ingesting, "_write_chunk", "write"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One run over a file of records."""

    read: int
    seconds: float
    stages: Stages


def run(console: Console, folder: Path | None, *, count: int = 600, repeat: int = 3) -> dict[str, list[Pass]]:
    """Measure on fresh databases and print it."""
    passes: dict[str, list[Pass]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as name:
        stock = open_stock(Path(name), folder=folder, count=count)
        for number in range(repeat):
            home = Path(name) / f"run-{number}"
            with open_bench_service(home) as service:
                for kind in KINDS:
                    passes[kind].append(_measure(service, stock, kind))
            shutil.rmtree(home)
        console.print(_as_table(passes, stock.what, repeat))
    return passes


def _measure(service: Service, stock: Stock, kind: str) -> Pass:
    stages, installation = Stages(), service.installation
    file = stock.changed if kind == "changed" else stock.first
    now = MONDAY + timedelta(minutes=KINDS.index(kind))
    with stages.watching(_WATCHED), timed() as seconds:
        report = ingest_records(
            database=installation.database,
            keys=installation.keys,
            records=stages.iterating(iter_records(file), "decode"),
            now=lambda: now,
        )
    return Pass(read=report.counts["read"], seconds=seconds(), stages=stages)


def _as_table(passes: dict[str, list[Pass]], what: str, repeat: int) -> Table:
    table = Table(
        "records", "a second", "longest write", "where the time goes", title=f"Ingesting {what}, {repeat} times"
    )
    for kind, done in passes.items():
        rates = spread([one.read / one.seconds for one in done])
        middle = sorted(done, key=lambda one: one.seconds)[len(done) // 2]
        longest = max(one.stages.longest.get("write", 0.0) for one in done)
        table.add_row(kind, str(rates), f"{longest * 1000:.0f} ms", middle.stages.shares(middle.seconds))
    return table
