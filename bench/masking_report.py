"""Prints what masking finds, misses and damages on real records and on made-up text, with every miss and hit listed."""

import json
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.made_up_figures import address_recall, lookalike_damage, number_recalls
from bench.masking_figures import contact_details, damaged, leaked, phone_recalls, read_records, read_table
from bench.masking_hits import SOURCES, hits_of
from notifier.domain.masking import mask_record

MOST_LISTED = 40


def run(console: Console, folder: Path) -> None:
    """Measure masking on the folder and on made-up text.

    A hit in a study that `leaks.tsv` names is taken for a true one, every other for a false one; all are listed.
    """
    records = read_records(folder / "studies.zip")
    masked = {name: mask_record(record) for name, record in records.items()}
    leaks, lookalikes = read_table(folder / "leaks.tsv"), read_table(folder / "nonleaks.tsv")
    leaking = {row["nct_or_id"] for row in leaks}
    table = Table("masking", "value", title="What masking finds and what it costs")
    lists = {"leaks left": leaked(leaks, masked), "look-alikes damaged": damaged(lookalikes, records, masked)}
    lists["details of contact fields left"] = [
        f"{name}: {detail}"
        for name, record in records.items()
        for detail in set(contact_details(record))
        if detail in json.dumps(masked[name], ensure_ascii=False)
    ]
    table.add_row("leaks masked", f"{len(leaks) - len(lists['leaks left'])} of {len(leaks)}")
    table.add_row("details of contact fields left", str(len(lists["details of contact fields left"])))
    table.add_row("look-alikes damaged", f"{len(lists['look-alikes damaged'])} of {len(lookalikes)}")
    for recall in (*phone_recalls(read_table(folder / "phone_formats.tsv")), *number_recalls(), address_recall()):
        table.add_row(f"masked {recall.name}", f"{recall.share:.2%} of {recall.tried}")
        lists[f"missed {recall.name}"] = _sample(recall.missed)
    made_up = lookalike_damage()
    table.add_row("made-up look-alikes damaged", f"{len(made_up.damaged)} of {made_up.tried}")
    lists["made-up look-alikes damaged"] = _sample(made_up.damaged)
    for source in SOURCES:
        hits = hits_of(folder, source)
        false = [mark for name, mark in hits.marks if name.split("/")[0] not in leaking]
        megabytes = hits.signs / 1e6
        table.add_row(
            f"{source}: marks in free text, of them false", f"{len(hits.marks)}, {len(false)} in {megabytes:.1f} MB"
        )
        table.add_row(f"{source}: time", f"{hits.seconds / hits.records * 1e6:.0f} µs a record")
        lists[f"{source}: every mark"] = [f"{name} {mark}" for name, mark in hits.marks]
    console.print(table)
    for title, lines in lists.items():
        console.rule(title)
        console.print(*(lines or ["none"]), sep="\n", markup=False, highlight=False, soft_wrap=True)


def _sample(lines: Iterable[str]) -> list[str]:
    """A readable part of a long list, evenly taken."""
    listed = list(lines)
    return listed[:: len(listed) // MOST_LISTED + 1]
