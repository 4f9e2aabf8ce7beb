"""Measures how many pairs of states are compared in a second, and which part of a study takes the time."""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.table import Table

from bench.measuring import Spread, Stages, spread, timed
from bench.records import Record, changed_record, open_stock
from notifier.domain.comparing import compare
from notifier.domain.contact_comparing import compare_contacts
from notifier.domain.criteria_comparing import compare_criteria
from notifier.domain.member_comparing import compare_members
from notifier.domain.site_comparing import compare_sites
from notifier.domain.trials import TrialFacts
from notifier.registries.ctgov import order_of, read_facts, reduce_record

Pair: TypeAlias = tuple[TrialFacts, TrialFacts]

_PARTS: dict[str, Callable[[TrialFacts, TrialFacts], Iterable[object]]] = {
    "sites": compare_sites,
    "criteria": lambda before, after: compare_criteria(before.eligibility, after.eligibility),
    "groups, treatments and measures": compare_members,
    "contacts": lambda before, after: compare_contacts(before, after, site_changes=()),
}


def run(console: Console, folder: Path | None, *, count: int = 600, repeat: int = 5) -> dict[str, Spread]:
    """Measure pairs that are alike, that differ a little, and, of real records, one version and the next."""
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as name:
        stock = open_stock(Path(name), folder=folder, count=count)
    table = Table("pairs", "number", "a second", "where the time goes", title=f"Comparing {stock.what}, {repeat} times")
    rates: dict[str, Spread] = {}
    for kind, pairs in _kinds(stock.records).items():
        if not pairs:
            continue
        rates[kind] = spread([_rate(pairs) for _ in range(repeat)])
        table.add_row(kind, str(len(pairs)), str(rates[kind]), _shares(pairs))
    console.print(table)
    return rates


def _kinds(records: tuple[Record, ...]) -> dict[str, list[Pair]]:
    facts = [_facts(record) for record in records]
    changed = [_facts(changed_record(record)) for record in records]
    return {
        "the same but for the day of update": [(one, replace(one, last_update_posted="2099-01-01")) for one in facts],
        "size and summary changed": list(zip(facts, changed, strict=True)),
        "one version and the next": list(_neighbours(records)),
    }


def _neighbours(records: tuple[Record, ...]) -> Iterable[Pair]:
    by_number: dict[str, list[Record]] = {}
    for record in sorted(records, key=order_of):
        by_number.setdefault(_facts(record).nct_id, []).append(record)
    return ((_facts(one), _facts(other)) for versions in by_number.values() for one, other in pairwise(versions))


def _facts(record: Record) -> TrialFacts:
    return read_facts(reduce_record(record))


def _rate(pairs: list[Pair]) -> float:
    with timed() as seconds:
        for before, after in pairs:
            compare(before, after)
    return len(pairs) / seconds()


def _shares(pairs: list[Pair]) -> str:
    """What the parts take, each on its own, of what the whole takes."""
    stages = Stages()
    for before, after in pairs:
        for part, compared in _PARTS.items():
            with stages.within(part):
                list(compared(before, after))
    whole = len(pairs) / _rate(pairs)
    return stages.shares(max(whole, sum(stages.seconds.values())))
