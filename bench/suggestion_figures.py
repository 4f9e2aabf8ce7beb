"""Judges suggestions: how many everyday and mistyped words lead to the right condition, and how long it takes."""

import csv
import statistics
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter

from rich.console import Console
from sqlalchemy import select

from bench.installations import MONDAY, open_bench_service
from notifier.domain.conditions import condition_key
from notifier.domain.everyday_names import SAME_WORDS
from notifier.domain.suggesting import NameIndex
from notifier.importing import Chosen, import_vocabulary, tie_anew
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
    database = installation.database
    ingest_records(
        database=database,
        keys=installation.keys,
        records=iter_records(folder / "studies.zip"),
        now=lambda: MONDAY,
        baseline=True,
    )
    import_vocabulary(
        database=database, path=folder / "mesh_diseases.tsv", chosen=Chosen(), now=MONDAY, on_progress=_unwatched
    )
    tie_anew(database=database, now=MONDAY)


def _unwatched(_done: int) -> None:
    """Nobody watches a bar."""


def _tell(console: Console, what: str, judged: Sequence[Judged]) -> None:
    first, three = sum(one.place == 0 for one in judged), sum(one.place < 3 for one in judged)
    console.print(f"{what}: {three} of {len(judged)} have the right condition in the first three, {first} as the first")
    for one in judged:
        if one.place >= 3:
            console.print(
                f"  {one.word}: {' · '.join(one.suggested[:5]) or 'nothing'}  (right: {' or '.join(one.right)})"
            )


def _tell_speed(console: Console, database: Database) -> None:
    """How long a suggestion takes, the words typed letter by letter, with what is held and with many more names."""
    took = _timed(lambda typed: _suggest(database, typed))
    console.print(f"a suggestion takes {statistics.median(took):.1f} ms, 1 in 100 more than {_slow(took):.1f} ms")
    with database.reading() as session:
        names = [(row.id, row.key) for row in session.execute(select(Condition.id, Condition.key))]
        names += [(row.condition_id, row.key) for row in session.execute(_OTHER_NAMES)]
    words = [word for _, key in names for word in key.split()]
    chance = Random(1)
    while len(names) < MANY_NAMES:
        owner, key = chance.choice(names)
        names.append((owner, f"{key} {chance.choice(words)}"))
    began = perf_counter()
    index = NameIndex(SAME_WORDS)
    index.add(names)
    built = perf_counter() - began
    took = _timed(lambda typed: index.find(condition_key(typed)))
    console.print(
        f"{len(index):,} names: read into memory in {built:.1f} s, looked up in {statistics.median(took):.1f} ms, "
        f"1 in 100 in more than {_slow(took):.1f} ms; {_memory_of(names) / 1e6:.0f} MB"
    )


_OTHER_NAMES = select(ConditionName.condition_id, ConditionName.key)


def _suggest(database: Database, typed: str) -> None:
    with database.reading() as session:
        suggestion_store.suggest_conditions(session, typed)


def _timed(look_up: Callable[[str], object]) -> list[float]:
    """Milliseconds for each word of both lists as it is typed, in order."""
    took: list[float] = []
    for words in LISTS.glob("*_words.tsv"):
        for row in words.read_text(encoding="utf-8").splitlines()[1:]:
            word = row.split("\t")[0]
            for length in sorted({2, 3, 5, len(word)}):
                began = perf_counter()
                look_up(word[:length])
                took.append((perf_counter() - began) * 1000)
    return sorted(took)


def _slow(took: Sequence[float]) -> float:
    return took[int(len(took) * 0.99)]


def _memory_of(names: Sequence[tuple[int, str]]) -> int:
    """Bytes that the names take in memory, their letters included."""
    tracemalloc.start()
    index = NameIndex(SAME_WORDS)
    index.add((owner, key.encode().decode()) for owner, key in names)
    size, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size
