"""Judges suggestions: how many everyday and mistyped words lead to the right condition, and how long it takes."""

import csv
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from rich.console import Console
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bench.installations import MONDAY, open_bench_service
from notifier.domain.conditions import LONGEST_NAME, condition_key
from notifier.ingesting import ingest_records
from notifier.installation import Installation
from notifier.registries.record_files import iter_records
from notifier.store import suggestion_store
from notifier.store.database import Database
from notifier.store.models import Condition, ConditionName

LISTS = Path(__file__).parent
MANY_NAMES = 100_000


@dataclass(frozen=True, slots=True)
class Judged:
    """One word, the names that are right, and what was suggested."""

    word: str
    right: tuple[str, ...]
    suggested: tuple[str, ...]

    @property
    def place(self) -> int:
        """Where the first right one stands, from 0; a large number where none does."""
        return next((at for at, name in enumerate(self.suggested) if name in self.right), 99)


def run(console: Console, folder: Path) -> bool:
    """Print how suggestions do on both lists; whether 90 of 100 everyday words are right in the first three."""
    with tempfile.TemporaryDirectory() as home, open_bench_service(Path(home)) as service:
        _fill(service.installation, folder)
        database = service.installation.database
        everyday = judge(database, LISTS / "everyday_words.tsv")
        _tell(console, "everyday words", everyday)
        _tell(console, "mistyped words", judge(database, LISTS / "mistyped_words.tsv"))
        _tell_speed(console, database)
    return sum(one.place < 3 for one in everyday) >= 90


def judge(database: Database, words: Path) -> list[Judged]:
    """What is suggested for each word of a list."""
    found: list[Judged] = []
    with words.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            with database.reading() as session:
                near = suggestion_store.suggest_conditions(session, row["word"])
            found.append(Judged(row["word"], tuple(row["right"].split("|")), tuple(one.name for one in near)))
    return found


def _fill(installation: Installation, folder: Path) -> None:
    ingest_records(
        database=installation.database,
        keys=installation.keys,
        records=iter_records(folder / "studies.zip"),
        now=lambda: MONDAY,
        baseline=True,
    )
    with installation.database.writing() as session:
        load_mesh(session, folder / "mesh_diseases.tsv")


def load_mesh(session: Session, file: Path) -> None:
    """Put the concepts of a table of MeSH diseases and their names into the database, as far as suggestions need."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    held = {row.key: row.id for row in session.execute(select(Condition.key, Condition.id))}
    fresh = {condition_key(row["name"]): row for row in rows}
    session.execute(
        insert(Condition),
        [
            {"key": key, "name": row["name"], "mesh_id": row["descriptor_id"]}
            for key, row in fresh.items()
            if key not in held
        ],
    )
    held = {row.key: row.id for row in session.execute(select(Condition.key, Condition.id))}
    names = {}
    for row in rows:
        owner = held[condition_key(row["name"])]
        for name in row["synonyms"].split("|"):
            key = condition_key(name)[:LONGEST_NAME]
            if key and key != condition_key(row["name"]):
                names[owner, key] = {"condition_id": owner, "key": key, "name": name, "vocabulary": "mesh"}
    session.execute(insert(ConditionName), list(names.values()))


def _tell(console: Console, what: str, judged: Sequence[Judged]) -> None:
    first, three = sum(one.place == 0 for one in judged), sum(one.place < 3 for one in judged)
    console.print(f"{what}: {three} of {len(judged)} have the right condition in the first three, {first} as the first")
    for one in judged:
        if one.place >= 3:
            console.print(
                f"  {one.word}: {' · '.join(one.suggested[:5]) or 'nothing'}  (right: {' or '.join(one.right)})"
            )


def _tell_speed(console: Console, database: Database) -> None:
    words = [row.split("\t")[0] for row in (LISTS / "mistyped_words.tsv").read_text().splitlines()[1:]]
    took: list[float] = []
    for word in words:
        for length in sorted({2, 3, 5, len(word)}):
            began = perf_counter()
            with database.reading() as session:
                suggestion_store.suggest_conditions(session, word[:length])
            took.append((perf_counter() - began) * 1000)
    took.sort()
    console.print(
        f"a suggestion takes {statistics.median(took):.1f} ms, {took[int(len(took) * 0.99)]:.1f} ms at the slowest of 100"
    )
