"""How well names and an imported vocabulary find what the registry itself derived, on real records without that."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench.measuring import timed
from notifier.domain.condition_naming import NO_NAMES, KnownNames, concerns_with_names, name_words, named_concepts
from notifier.domain.trials import TrialFacts
from notifier.importing import Chosen, import_vocabulary
from notifier.registries import ctgov
from notifier.registries.record_files import FoundRecord, iter_records
from notifier.store import migrating, vocabulary_store
from notifier.store.database import open_database

VOCABULARY = "mesh_diseases.tsv"
LISTED = 25
ROUNDS = 3
FOLDS = 5
SEED = 0
SINCE = "2025-10"
"""From when on the registry derives as it does today: every record derived since carries the headings that only sort
where MeSH has them, and none derived before does."""


@dataclass(frozen=True, slots=True)
class Study:
    """A study with all versions of its record, and when the registry derived something of the last one."""

    number: str
    records: tuple[TrialFacts, ...]
    derived_on: str


HALVES: dict[str, Callable[[Study], bool]] = {
    "even numbers": lambda study: int(study.number[3:]) % 2 == 0,
    "odd numbers": lambda study: int(study.number[3:]) % 2 == 1,
}


@dataclass(slots=True)
class Score:
    """Pairs of a study and a concept: found and derived, found only, derived only; and the studies found at all.

    A pair counts once, however many versions of the study's record there are.
    """

    right: int = 0
    wrong: int = 0
    missed: int = 0
    studies: int = 0
    reached: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    wrong_causes: Counter[str] = field(default_factory=Counter)
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
    """What was measured of all studies and of those derived as today, by part; and the shares of studies reached."""

    scores: dict[str, Score]
    recent: dict[str, Score]
    reached: dict[str, float]
    microseconds: float


def run(console: Console, folder: Path) -> Figures:
    """Score all studies of a folder, print what came of it, and give it."""
    studies = read_all(folder / "studies.zip")
    with TemporaryDirectory() as home, timed() as seconds:
        names = import_names(Path(home), folder / VOCABULARY)
        console.print(f"imported {len(names.concepts):,} concepts in {seconds():.1f} s", style="dim")
    scores = score_parts(studies, names)
    recent = score_parts([study for study in studies if study.derived_on >= SINCE], names)
    facts = list(chain.from_iterable(study.records for study in studies))
    figures = Figures(scores, recent, _shares_reached(facts, names), _microseconds(facts, names))
    _print(console, figures)
    return figures


def read_all(path: Path) -> list[Study]:
    """The studies of a file by number, unmasked: names of conditions are not masked."""
    records: defaultdict[str, list[TrialFacts]] = defaultdict(list)
    derived_on: dict[str, str] = {}
    for found in iter_records(path):
        if isinstance(found, FoundRecord):
            facts = ctgov.read_facts(ctgov.reduce_record(found.record))
            version = found.record.get("derivedSection", {}).get("miscInfoModule", {}).get("versionHolder", "")
            records[facts.nct_id].append(facts)
            derived_on[facts.nct_id] = max(version, derived_on.get(facts.nct_id, ""))
    return [Study(number, tuple(records[number]), derived_on[number]) for number in sorted(records)]


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


def score_parts(studies: Sequence[Study], names: KnownNames) -> dict[str, Score]:
    """The score of all studies, of each half of them by number, and of each of some parts drawn at random."""
    drawn = list(studies)
    random.Random(SEED).shuffle(drawn)
    parts = {half: [study for study in studies if belongs(study)] for half, belongs in HALVES.items()}
    parts |= {f"fold {number + 1}": drawn[number::FOLDS] for number in range(FOLDS)}
    return {"all": score(studies, names)} | {part: score(some, names) for part, some in parts.items()}


def score(studies: Iterable[Study], names: KnownNames) -> Score:
    """Compare what names find with what the registry derived, for studies for which it derived anything."""
    by_code = {concern.mesh_id: one for one, concern in names.concepts.items() if concern.mesh_id}
    result = Score()
    for study in studies:
        terms = chain.from_iterable((*facts.meshes, *facts.ancestors) for facts in study.records)
        truth = {by_code[term.id] for term in terms if term.id in by_code}
        bare = [replace(facts, meshes=(), ancestors=()) for facts in study.records]
        if truth:
            _compare(result, bare, truth, names)
    return result


def _compare(result: Score, bare: Sequence[TrialFacts], truth: set[int], names: KnownNames) -> None:
    found = frozenset[int]().union(*(_with_broader(named_concepts(facts, names), names) for facts in bare))
    result.studies += 1
    result.reached += bool(found)
    result.right += len(found & truth)
    result.wrong += len(found - truth)
    result.missed += len(truth - found)
    result.wrong_names.update(names.concepts[one].name for one in found - truth)
    result.wrong_causes.update(_cause_of_wrong(found - truth, bare, truth, names))
    result.causes.update(_cause(one, bare[-1], truth - found, names) for one in truth - found)


def _cause_of_wrong(
    wrong: Iterable[int], bare: Sequence[TrialFacts], truth: set[int], names: KnownNames
) -> Iterator[str]:
    """Why each concept was found that the registry did not derive, as far as a look at the record tells."""
    words = (" ".join(sorted(name_words(name))) for facts in bare for name in facts.conditions)
    listed = _with_broader(frozenset(one for name in words for one in names.by_words.get(name, ())), names)
    derived = _with_broader(frozenset(truth), names)
    for one in wrong:
        if one in derived:
            yield "broader than what was derived, in the vocabulary's edition only"
        elif one in listed:
            yield "listed in the record by a name of it or of a kind of it, and left out by the registry"
        else:
            yield "found in another way"


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
    """The share of all records with a concept of a vocabulary, derived or named, by what they are reached with."""
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
    _print_scores(console, "all studies", figures.scores)
    _print_scores(console, f"derived since {SINCE}", figures.recent)
    for what, share in figures.reached.items():
        console.print(f"{share:.1%} of all records have a concept: {what}")
    console.print(f"{figures.microseconds:.0f} µs a record")
    everything = figures.scores["all"]
    console.print("missed, by cause: " + _listing(everything.causes))
    console.print("found, not derived, by cause: " + _listing(everything.wrong_causes))
    console.print("found, not derived: " + _listing(everything.wrong_names))


def _print_scores(console: Console, title: str, scores: dict[str, Score]) -> None:
    table = Table(title, "scored", "precision", "recall", "right", "wrong", "missed", "reached")
    for part, one in scores.items():
        reached = f"{one.reached / max(1, one.studies):.1%}"
        counts = [f"{count:,}" for count in (one.right, one.wrong, one.missed)]
        table.add_row(part, f"{one.studies:,}", f"{one.precision:.2%}", f"{one.recall:.2%}", *counts, reached)
    folds = [one for part, one in scores.items() if part.startswith("fold")]
    precision, recall = min(one.precision for one in folds), min(one.recall for one in folds)
    table.add_row("least of the folds", "", f"{precision:.2%}", f"{recall:.2%}")
    console.print(table)


def _listing(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counted.most_common(LISTED))
