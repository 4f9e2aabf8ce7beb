"""How well names and an imported vocabulary find what the registry itself derived, on real records without that."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench.measuring import timed
from notifier.domain.condition_naming import NO_NAMES, KnownNames, concerns_with_names, named_concepts
from notifier.domain.trials import TrialFacts
from notifier.importing import Chosen, import_vocabulary
from notifier.registries import ctgov
from notifier.registries.record_files import FoundRecord, iter_records
from notifier.store import migrating, vocabulary_store
from notifier.store.database import open_database

VOCABULARY = "mesh_diseases.tsv"
LISTED = 25
ROUNDS = 3
HALVES: dict[str, Callable[[TrialFacts], bool]] = {
    "even numbers (looked into)": lambda facts: int(facts.nct_id[3:]) % 2 == 0,
    "odd numbers (totals only)": lambda facts: int(facts.nct_id[3:]) % 2 == 1,
    "all": lambda _facts: True,
}


@dataclass(slots=True)
class Score:
    """Pairs of a study and a concept: found and derived, found only, derived only; and the studies found at all."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    studies: int = 0
    reached: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    wrong_names: Counter[str] = field(default_factory=Counter)

    @property
    def precision(self) -> float:
        """The share of what was found that the registry derived too."""
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        """The share of what the registry derived that was found."""
        return self.right / max(1, self.right + self.missed)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured, by half; and the shares of studies reached with the derived modules in place."""

    scores: dict[str, Score]
    reached: dict[str, float]
    microseconds: float


def run(console: Console, folder: Path) -> Figures:
    """Score all records of a folder, print what came of it, and give it."""
    facts = list(read_all(folder / "studies.zip"))
    with TemporaryDirectory() as home, timed() as seconds:
        names = import_names(Path(home), folder / VOCABULARY)
        console.print(f"imported {len(names.concepts):,} concepts in {seconds():.1f} s", style="dim")
    scores = {half: score(filter(belongs, facts), names) for half, belongs in HALVES.items()}
    figures = Figures(scores, _shares_reached(facts, names), _microseconds(facts, names))
    _print(console, figures)
    return figures


def read_all(path: Path) -> Iterator[TrialFacts]:
    """What the records of a file say, unmasked: names of conditions are not masked."""
    for found in iter_records(path):
        if isinstance(found, FoundRecord):
            yield ctgov.read_facts(ctgov.reduce_record(found.record))


def import_names(home: Path, path: Path) -> KnownNames:
    """The names of a vocabulary, imported into a database in a folder of its own as an operator would."""
    database = open_database(f"sqlite:///{home / 'notifier.db'}")
    migrating.migrate(database)
    now = datetime.now(UTC)
    import_vocabulary(database=database, path=path, chosen=Chosen(), now=now, on_progress=lambda _done: None)
    with database.reading() as session:
        names = vocabulary_store.current_names(session)
    database.close()
    return names


def score(studies: Iterable[TrialFacts], names: KnownNames) -> Score:
    """Compare what names find with what the registry derived, for studies for which it derived anything."""
    by_code = {concern.mesh_id: one for one, concern in names.concepts.items() if concern.mesh_id}
    result = Score()
    for facts in studies:
        derived = {by_code[term.id] for term in facts.meshes if term.id in by_code}
        truth = derived | {by_code[term.id] for term in facts.ancestors if term.id in by_code}
        if truth:
            bare = replace(facts, meshes=(), ancestors=())
            _compare(result, bare, _with_broader(named_concepts(bare, names), names), truth, names)
    return result


def _compare(result: Score, bare: TrialFacts, found: frozenset[int], truth: set[int], names: KnownNames) -> None:
    result.studies += 1
    result.reached += bool(found)
    result.right += len(found & truth)
    result.wrong += len(found - truth)
    result.missed += len(truth - found)
    result.wrong_names.update(names.concepts[one].name for one in found - truth)
    result.causes.update(_cause(one, bare, truth - found, names) for one in truth - found)


def _with_broader(concepts: frozenset[int], names: KnownNames) -> frozenset[int]:
    return concepts.union(*(names.above(one) for one in concepts)) - names.shelves


def _cause(one: int, bare: TrialFacts, missed: set[int], names: KnownNames) -> str:
    """Why a concept was missed, as far as a look at the record tells."""
    if one in names.shelves:
        return "a heading that only sorts"
    if any(one in names.above(other) for other in missed):
        return "broader than one that was missed"
    for cause, words in _places(bare).items():
        if any(one in named_concepts(TrialFacts(nct_id="", conditions=(some,)), names) for some in words):
            return cause
    return "named nowhere in words that the vocabulary knows"


def _places(bare: TrialFacts) -> dict[str, tuple[str, ...]]:
    return {
        "in a part of a listed condition that is no kin of the others": bare.conditions,
        "in keywords that say no kind of a listed condition": bare.keywords,
        "in the title only": (bare.title,),
    }


def _shares_reached(studies: list[TrialFacts], names: KnownNames) -> dict[str, float]:
    """The share of all studies with a concept of a vocabulary, derived or named, by what they are reached with."""
    count = max(1, len(studies))
    by_registry = sum(any(one.how == "derived" for one in concerns_with_names(facts, NO_NAMES)) for facts in studies)
    with_names = sum(bool(facts.meshes) or bool(named_concepts(facts, names)) for facts in studies)
    only_names = sum(bool(named_concepts(replace(facts, meshes=(), ancestors=()), names)) for facts in studies)
    return {
        "derived by the registry": by_registry / count,
        "derived, or named with the vocabulary": with_names / count,
        "named only": only_names / count,
    }


def _microseconds(studies: list[TrialFacts], names: KnownNames) -> float:
    with timed() as seconds:
        for _ in range(ROUNDS):
            for facts in studies:
                named_concepts(facts, names)
    return seconds() / ROUNDS / max(1, len(studies)) * 1e6


def _print(console: Console, figures: Figures) -> None:
    table = Table("studies", "scored", "precision", "recall", "right", "wrong", "missed", "reached")
    for half, one in figures.scores.items():
        reached = f"{one.reached / max(1, one.studies):.1%}"
        counts = [f"{count:,}" for count in (one.right, one.wrong, one.missed)]
        table.add_row(half, f"{one.studies:,}", f"{one.precision:.2%}", f"{one.recall:.2%}", *counts, reached)
    console.print(table)
    for what, share in figures.reached.items():
        console.print(f"{share:.1%} of all studies have a concept: {what}")
    console.print(f"{figures.microseconds:.0f} µs a record")
    everything = figures.scores["all"]
    console.print("missed, by cause: " + _listing(everything.causes))
    console.print("found, not derived: " + _listing(everything.wrong_names))


def _listing(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counted.most_common(LISTED))
