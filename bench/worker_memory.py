"""Measures how much memory a worker takes at most, for runs of very different length: it must not grow with them."""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.crowd_workers import Sending, send_all
from bench.databases import place_for, settings_on
from bench.installations import MONDAY
from bench.mail_crowd import gather, studies_for
from bench.mail_sinks import quick_sink
from notifier.installation import open_installation

LEAST = 10_000


def run(console: Console, *, least: int = LEAST, most: int = 10 * LEAST, engine: str = "sqlite") -> dict[int, Sending]:
    """Measure and print; gives what one worker process did for few readers, and for the most.

    As many studies change for all: a worker keeps what it made of a day's studies.
    """
    found: dict[int, Sending] = {}
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as name, quick_sink() as sink:
        home = Path(name)
        with place_for(engine, home) as place:
            for size in (least, most):
                url = place.new(f"crowd-{size}")
                installation = open_installation(settings_on(url, home=home, smtp_port=sink.port), now=MONDAY)
                gather(installation, readers=size, now=MONDAY, studies=studies_for(most))
                installation.close()
                found[size] = send_all(url, home=home, port=sink.port, workers=1, server=place.server)
                place.drop(url)
    table = Table("digests", "peak memory of a worker", "digests a second", title=f"Memory on {engine}")
    for sending in found.values():
        table.add_row(f"{sending.sent:,}", f"{sending.peak_bytes / 1e6:,.0f} MB", f"{sending.rate:,.0f}")
    console.print(table)
    return found
