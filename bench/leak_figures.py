"""Measures what leaks into database, logs and mails when real records go all the way, and what is damaged."""

import csv
import io
import logging
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from bench.installations import database_file, kept_mails, open_bench_service
from bench.leak_run import Aftermath, mail_everybody, read_folder
from bench.leak_search import Haystack, Wanted, digits_of, texts_of_database, texts_of_mail, wanted_details
from bench.lookalikes import Survival, survival
from notifier.logs import set_up_logs
from notifier.registries.ctgov import nct_id_of
from notifier.rounds import Service

Row = Mapping[str, str]

AFTER_EVERY_RECORD = datetime(2027, 1, 4, 9, 0, tzinfo=UTC)
"""A moment later than any date in the folder, so that what is amended then is the newest version."""


_NUMBER = re.compile(r"NCT\d{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was found in one place: details as they stood, and whole numbers in any other notation."""

    signs: int
    found: tuple[str, ...]
    rewritten: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakFigures:
    """The whole measurement."""

    records: int
    leaks: tuple[str, ...]
    wanted: Wanted
    aftermath: Aftermath
    mailed: frozenset[str]
    searches: dict[str, Search]
    survival: Survival


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a tab-separated file with a head line."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def measure(
    service: Service,
    folder: Path,
    *,
    mails: Callable[[], Iterable[bytes]],
    database: Path,
    only_listed: bool = False,
) -> LeakFigures:
    """Take the folder's records through a service, then search everything that it left behind.

    Args:
        service: on an empty SQLite database.
        folder: of registry records, with ``leaks.tsv`` and ``nonleaks.tsv``.
        mails: gives what the mail server accepted.
        database: where the service's database lies.
        only_listed: take only the studies that the two lists name.
    """
    leaks, lookalikes = read_table(folder / "leaks.tsv"), read_table(folder / "nonleaks.tsv")
    records = read_folder(folder)
    if only_listed:
        listed = {row["nct_or_id"] for row in (*leaks, *lookalikes)}
        records = [record for record in records if nct_id_of(record) in listed]
    leaked = sorted({row["leaked_string"] for row in leaks})
    wanted = wanted_details(records, leaked)
    with captured_logs() as logs:
        aftermath = mail_everybody(service, records, leaked=leaked, now=AFTER_EVERY_RECORD)
    survived = survival(lookalikes, records, service.installation.database)
    texts = [text for mail in mails() for text in texts_of_mail(mail)]
    return LeakFigures(
        records=len(records),
        leaks=tuple(leaked),
        wanted=wanted,
        aftermath=aftermath,
        mailed=frozenset(number for text in texts for number in _NUMBER.findall(text)),
        searches={
            "database": search(texts_of_database(database), wanted),
            "logs": search(logs.getvalue().splitlines(), wanted),
            "mails": search(texts, wanted),
        },
        survival=survived,
    )


def search(texts: Iterable[str], wanted: Wanted) -> Search:
    """Search texts for all details, then for the digits of whole numbers however they are written."""
    haystack = Haystack(texts)
    return Search(
        signs=len(haystack.text),
        found=tuple(haystack.find(wanted.details)),
        rewritten=tuple(haystack.digits_only().find(digits_of(wanted.details))),
    )


@contextmanager
def captured_logs() -> Iterator[io.StringIO]:
    """Everything that is logged meanwhile, at the most talkative level; gives the stream."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level, configured = root.handlers, root.level, structlog.get_config()
    set_up_logs("DEBUG", stream=stream)
    try:
        yield stream
    finally:
        root.handlers, root.level = handlers, level
        structlog.configure(**configured)


def as_table(figures: LeakFigures) -> Table:
    """The figures, for people."""
    table = Table("contact details", "value", title="What leaks and what is damaged")
    done, wanted, survived = figures.aftermath, figures.wanted, figures.survival
    table.add_row("records, studies", f"{figures.records}, {len(done.studies)}")
    table.add_row("mails, studies in them", f"{done.delivered.sent}, {len(figures.mailed)}")
    table.add_row("searched for", f"{len(wanted.details):,} details, {len(figures.leaks)} of them listed leaks")
    table.add_row("left out, fewer than five digits", f"{len(wanted.left_out)}")
    for place, one in figures.searches.items():
        recall = 1 - len(one.found) / len(wanted.details)
        table.add_row(f"masked in the {place} ({one.signs / 1e6:.1f} MB)", f"{recall:.2%}, {len(one.found)} found")
        table.add_row("  in other notations", f"{len(one.rewritten)} found")
    table.add_row("look-alikes whole in the database", str(len(survived.stored)))
    table.add_row("  whole in modules that are not kept", str(len(survived.masked_only)))
    table.add_row("  whole in a sentence only", str(len(survived.sentence_only)))
    table.add_row("  names of contacts, never kept", str(len(survived.contact_names)))
    table.add_row("  damaged", str(len(survived.damaged)))
    return table


def list_findings(figures: LeakFigures) -> list[str]:
    """Every single thing that is wrong, one a line."""
    lines = [f"{place}: {value}" for place, one in figures.searches.items() for value in (*one.found, *one.rewritten)]
    return [*lines, *(f"damaged: {row}" for row in figures.survival.damaged)]


def run(console: Console, folder: Path, *, only_listed: bool = False) -> LeakFigures:
    """Measure on an installation of its own, with a mail server that keeps its mails, and print it."""
    with tempfile.TemporaryDirectory(prefix="notifier-leaks-") as name:
        home = Path(name)
        with kept_mails(home / "mails") as (port, mails), open_bench_service(home, smtp_port=port) as service:
            figures = measure(
                service,
                folder,
                mails=lambda: [file.read_bytes() for file in mails.glob("*.eml")],
                database=database_file(home),
                only_listed=only_listed,
            )
    console.print(as_table(figures))
    for line in list_findings(figures):
        console.print(f"  {line}", markup=False, highlight=False)
    return figures
