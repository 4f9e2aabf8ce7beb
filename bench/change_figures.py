"""Shows what would be mailed of the changes in a folder of real records, what is held as noise, and why."""

import csv
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.noise_reasons import ALWAYS_THERE, CLOSED, HOUSEKEEPING, TOLD, UNEXPLAINED, UNSURE, Step, reasons_for
from bench.patched_records import HOLE
from bench.raw_differences import raw_differences
from bench.version_series import PATCHES, SOURCES, Series, series_in
from notifier.domain.cards import History, build_card
from notifier.domain.changes import FieldChange, Weight, heaviest
from notifier.domain.digests import ChangeLine
from notifier.domain.masking import mask_record
from notifier.domain.wording import words
from notifier.registries import ctgov
from notifier.registries.learned import changes_between

Json = dict[str, Any]

COLUMNS = ("source", "study", "from", "to", "verdict", "weight", "headline", "told", "not told, and why", "faults")
EMPTY_LINE = "a line that says nothing"
NO_LINE = "a mail without a line"
_HISTORY = History(first_seen=date(2026, 1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One step from a version to the next: what a reader would be told, what not and why, and what is wrong."""

    source: str
    study: str
    before: str
    after: str
    changes: tuple[FieldChange, ...]
    headline: str
    lines: tuple[str, ...]
    untold: Counter[str]
    faults: tuple[str, ...]

    @property
    def is_mailed(self) -> bool:
        """Whether a reader who wants everything would get a mail."""
        return heaviest(self.changes) > Weight.HOUSEKEEPING

    @property
    def verdict(self) -> str:
        """``mailed``, ``silent``, or ``not known`` where a patch without its record leaves it open."""
        return "mailed" if self.is_mailed else "not known" if self.untold[UNSURE] else "silent"

    @property
    def why_silent(self) -> str:
        """The reasons why nothing is mailed, without what comes with every update."""
        rest = sorted(self.untold.keys() - ALWAYS_THERE)
        return "; ".join(rest) or (f"only {', '.join(sorted(self.untold))}" if self.untold else "nothing differs")


def run(console: Console, folder: Path, *, to: Path) -> bool:
    """Judge every step, print the summary and write the table of all steps; False where something is wrong."""
    judged = [step for series in series_in(folder) for step in judge(series)]
    to.mkdir(parents=True, exist_ok=True)
    _write_table(to / "steps.tsv", judged)
    _write_pages(to / "mailed.md", [step for step in judged if step.is_mailed])
    _print_summary(console, judged)
    faulty = [step for step in judged if step.faults]
    for step in faulty:
        console.print(f"{step.study} {step.before} → {step.after} ({step.source}): {'; '.join(step.faults)}")
    console.print(f"all steps: {to / 'steps.tsv'}; what is mailed, in words: {to / 'mailed.md'}", style="dim")
    return not faulty


def judge(series: Series, *, language: str = "en") -> Iterator[Judged]:
    """Each step of a series, read, joined and compared as ingesting does it."""
    held: Json | None = None
    raw_before: tuple[str, Json] = ("", {})
    for name, raw in series.versions:
        new = _kept(raw)
        if held is None:
            held, raw_before = new, (name, raw)
            continue
        merged = ctgov.merge_record(held, new)
        before, after = ctgov.read_facts(held), ctgov.read_facts(merged)
        found = changes_between(held, before, after)
        sure = tuple(change for change in found if _is_sure(change))
        unsure = tuple(change for change in found if not _is_sure(change))
        step = Step(
            before=before,
            after=after,
            changes=sure,
            unsure=unsure,
            partial=not ctgov.is_complete(raw),
            rebuilt=series.source == PATCHES,
        )
        yield _judged(series, raw_before, (name, raw), step, language)
        held, raw_before = merged, (name, raw)


def _is_sure(change: FieldChange) -> bool:
    """Whether a change is known, and not only that something happened to a member whose name a patch leaves out."""
    return HOLE not in change.key and not (change.field == "site_country" and HOLE in f"{change.before}{change.after}")


def _kept(record: Json) -> Json:
    """The record as it is kept; a fingerprint without a key serves here."""
    fingerprint = hashlib.sha256(ctgov.contact_values(record)).hexdigest()
    return {**mask_record(ctgov.reduce_record(record)), ctgov.CONTACTS_FINGERPRINT: fingerprint}


def _judged(series: Series, old: tuple[str, Json], new: tuple[str, Json], step: Step, language: str) -> Judged:
    explained = reasons_for(raw_differences(old[1], new[1], closed=CLOSED), step)
    is_mailed = heaviest(step.changes) > Weight.HOUSEKEEPING
    lines = [words(change, language=language) for change in step.changes]
    card = build_card(changes=step.changes, after=step.after, history=_HISTORY, page_url="", language=language)
    faults = [f"{reason}: {difference.path}" for difference, reason in explained if reason == UNEXPLAINED]
    if is_mailed:
        faults += [EMPTY_LINE for line in (*lines, *card.lines) if not says_something(line)]
        faults += [] if card.lines and card.headline.strip() else [NO_LINE]
    return Judged(
        source=series.source,
        study=series.study,
        before=old[0],
        after=new[0],
        changes=step.changes,
        headline=card.headline if is_mailed else "",
        lines=tuple(
            f"{change.weight.name} {change.field}: {in_one_line(line)}"
            for change, line in zip(step.changes, lines, strict=True)
        ),
        untold=Counter(reason for _, reason in explained if reason != TOLD),
        faults=tuple(dict.fromkeys(faults)),
    )


def says_something(line: ChangeLine) -> bool:
    """Whether a line has a label and tells how it was, how it is, or one sentence; and not twice the same."""
    sides = [side.strip() for side in (line.before, line.after, line.note) if side and side.strip()]
    return bool(line.label.strip() and sides) and (line.before is None or line.before != line.after)


def in_one_line(line: ChangeLine) -> str:
    """A line as plain text: ``Recruitment [Open]: Not yet recruiting → Recruiting (note)``."""
    sides = " → ".join(side or "∅" for side in (line.before, line.after)) if line.before or line.after else ""
    note = f" ({line.note})" if line.note else ""
    return " ".join(f"{line.label} [{line.badge}]: {sides}{note}".split())


def _print_summary(console: Console, judged: list[Judged]) -> None:
    table = Table("steps", *SOURCES, "all", title="What would be mailed")
    for verdict in ("mailed", "silent", "not known"):
        _add_row(table, verdict, Counter(step.source for step in judged if step.verdict == verdict))
    _add_row(table, "all", Counter(step.source for step in judged))
    console.print(table)
    _print_groups(console, "Mailed, by the heaviest change", (step for step in judged if step.is_mailed))
    _print_groups(console, "Silent, and why", (step for step in judged if step.verdict == "silent"))
    _print_differences(console, judged)


def _print_groups(console: Console, title: str, judged: Iterable[Judged]) -> None:
    groups: dict[str, Counter[str]] = {}
    for step in judged:
        label = heaviest(step.changes).name if step.is_mailed else step.why_silent
        groups.setdefault(label, Counter())[step.source] += 1
    table = Table("steps", *SOURCES, "all", title=title)
    for label, counts in sorted(groups.items(), key=lambda item: -item[1].total()):
        _add_row(table, label, counts)
    console.print(table)


def _print_differences(console: Console, judged: list[Judged]) -> None:
    """Differences, not steps: one step has many."""
    mailed, silent = Counter[str](), Counter[str]()
    for step in judged:
        (mailed if step.is_mailed else silent).update(step.untold)
    table = Table("reason", "in steps that are mailed", "in silent steps", title="Single differences that are not told")
    for reason, _ in (mailed + silent).most_common():
        table.add_row(reason, str(mailed[reason]), str(silent[reason]))
    console.print(table)


def _add_row(table: Table, label: str, counts: Counter[str]) -> None:
    table.add_row(label, *(str(counts[source]) for source in SOURCES), str(counts.total()))


def _write_table(file: Path, judged: Iterable[Judged]) -> None:
    with file.open("w", encoding="utf-8", newline="") as to:
        writer = csv.writer(to, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(step) for step in judged)


def _row(step: Judged) -> tuple[str, ...]:
    untold = "; ".join(f"{reason} ({number})" for reason, number in step.untold.most_common())
    weight = heaviest(step.changes).name if step.is_mailed else ""
    told = " | ".join(step.lines)
    place = (step.source, step.study, step.before, step.after)
    return (*place, step.verdict, weight, step.headline, told, untold or step.why_silent, "; ".join(step.faults))


def _write_pages(file: Path, mailed: Iterable[Judged]) -> None:
    """What is mailed, to be read by people, the heaviest first."""
    ordered = sorted(mailed, key=lambda step: (-heaviest(step.changes), step.study))
    parts: list[str] = ["# What would be mailed\n"]
    for weight, steps in itertools.groupby(ordered, key=lambda step: heaviest(step.changes)):
        parts.append(f"\n## {weight.name}\n")
        for step in steps:
            untold = ", ".join(reason for reason, _ in step.untold.most_common() if reason != HOUSEKEEPING)
            parts.append(f"\n### {step.study} {step.before} → {step.after} ({step.source})\n\n**{step.headline}**\n\n")
            parts.extend(f"- {line}\n" for line in step.lines)
            parts.append(f"\nNot told: {untold or 'nothing'}\n")
    file.write_text("".join(parts), encoding="utf-8")
