"""Importing: a vocabulary of conditions takes the place of what it said before; studies are tied anew, in silence."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from notifier.domain.concepts import DISEASE_TREES, MESH, Concept, broader_by_code, is_in_trees
from notifier.domain.condition_naming import KnownNames, concerns_with_names
from notifier.domain.conditions import LONGEST_NAME, condition_key
from notifier.errors import InvalidVocabulary
from notifier.matching import settle_changes
from notifier.registries.states import try_state
from notifier.registries.vocabulary_files import open_vocabulary
from notifier.store import tie_store, trial_store, vocabulary_store
from notifier.store.conflicts import unless_conflict
from notifier.store.database import Database
from notifier.store.portions import portions
from notifier.store.trial_store import HeldTrial

PORTION = 1000
"""Rows written in one transaction: under 50 ms on SQLite, so that nobody else's writing waits long."""
TRIALS = 64
"""Trials tied in one transaction."""
TRIES = 4
LONGEST_VOCABULARY_NAME = 16
LONGEST_CODE = 32
LONGEST_MESH_CODE = 12

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What an import came to.

    ``new`` concepts were not in this vocabulary before, ``changed`` ones had other names or other broader ones;
    ``broader`` counts pairs of a condition and a broader one; ``skipped`` terms are obsolete or no diseases.
    """

    vocabulary: str
    concepts: int = 0
    names: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    broader: int = 0
    skipped: int = 0

    def as_dict(self) -> dict[str, int | str]:
        """The counts, under the names that scripts rely on."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What an operator says about a file; what is left out, the file tells."""

    format: str | None = None
    name: str | None = None
    trees: Collection[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What a vocabulary says, by condition id."""

    codes: Mapping[str, int]
    names: Mapping[tuple[int, str], str]
    broader: vocabulary_store.Pairs


def import_vocabulary(
    *, database: Database, path: Path, chosen: Chosen, now: datetime, on_progress: Callable[[int], None]
) -> ImportReport:
    """Read a vocabulary and put it in the place of what it said before; studies are tied by ``tie_anew``.

    Everything is read and checked before anything is written. It is written in short portions; names count from the
    moment the last one is there. An import that breaks off leaves the next one to finish.

    Args:
        database: where conditions are held.
        path: a file that ``open_vocabulary`` reads.
        chosen: format, name and trees, where the operator says them.
        now: the time of the import.
        on_progress: called with how many terms were read so far.

    Raises:
        InvalidVocabulary: the file cannot be read, holds no concept, or its vocabulary has no name.
        StoreUnavailable: the database cannot be written.
    """
    report, concepts = _read(path, chosen, on_progress)
    name = report.vocabulary
    with database.writing() as session:
        vocabulary_store.begin_vocabulary(session, name, now=now)
    held = _held(database, name)
    said = _said(concepts, _conditions(database, name, concepts))
    _count(report, concepts, held=held, said=said)
    _write(database, name, held=held, said=said)
    with database.writing() as session:
        counts = {"concepts": report.concepts, "names": report.names}
        vocabulary_store.end_import(session, name, **counts, now=now)
    return report


def _read(path: Path, chosen: Chosen, on_progress: Callable[[int], None]) -> tuple[ImportReport, dict[str, Concept]]:
    concepts: dict[str, Concept] = {}
    with open_vocabulary(path, format_name=chosen.format) as opened:
        name = (chosen.name or opened.name or "").strip().lower()
        if not name or len(name) > LONGEST_VOCABULARY_NAME:
            longest = f"at most {LONGEST_VOCABULARY_NAME} letters"
            raise InvalidVocabulary(path.name, f"the vocabulary needs a name of {longest}: say it with --name")
        report = ImportReport(vocabulary=name)
        trees = chosen.trees or (DISEASE_TREES if name == MESH else None)
        for number, found in enumerate(opened.found, start=1):
            concept = found if isinstance(found, str) else _plain(found)
            if isinstance(concept, str) or not _is_wanted(concept, trees):
                report.skipped += 1
            else:
                _check_code(concept.code, path.name, longest=LONGEST_MESH_CODE if name == MESH else LONGEST_CODE)
                concepts[concept.code] = concept
            on_progress(number)
    if not concepts:
        raise InvalidVocabulary(path.name, "holds no concept that would be imported")
    return report, concepts


def _plain(concept: Concept) -> Concept:
    """A concept without signs in its names that nobody sees; the database would refuse some of them."""
    if all(map(str.isprintable, (concept.name, *concept.names))):
        return concept
    return replace(concept, name=_printable(concept.name), names=tuple(map(_printable, concept.names)))


def _printable(name: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())


def _check_code(code: str, place: str, *, longest: int) -> None:
    if not code.isprintable() or len(code) > longest:
        raise InvalidVocabulary(place, f"the code {code[:40]!a} is not one: at most {longest} signs, nothing hidden")


def _is_wanted(concept: Concept, trees: Collection[str] | None) -> bool:
    named = bool(condition_key(concept.name)) and len(concept.name) <= LONGEST_NAME
    return named and (trees is None or is_in_trees(concept, trees))


def _held(database: Database, name: str) -> _Said:
    with database.reading() as session:
        return _Said(
            codes=vocabulary_store.read_codes(session, name),
            names=vocabulary_store.read_other_names(session, name),
            broader=vocabulary_store.read_broader(session, name),
        )


def _conditions(database: Database, name: str, concepts: Mapping[str, Concept]) -> dict[str, int]:
    """By code, the condition each concept is: the one held, or one made for it."""
    with database.reading() as session:
        held = vocabulary_store.held_conditions(session, name, concepts.values())
    missing = [concept for code, concept in concepts.items() if code not in held]
    for some in portions(missing, PORTION):
        with database.writing() as session:
            vocabulary_store.make_conditions(session, name, some)
    with database.reading() as session:
        held |= vocabulary_store.held_conditions(session, name, missing)
        unadopted = vocabulary_store.unadopted(session, name, held.values())
    adopted = {held[code]: concept for code, concept in concepts.items() if held[code] in unadopted}
    for ids in portions(sorted(adopted), PORTION):
        with database.writing() as session:
            vocabulary_store.adopt_conditions(session, name, {one: adopted[one] for one in ids})
    return held


def _said(concepts: Mapping[str, Concept], codes: Mapping[str, int]) -> _Said:
    names: dict[tuple[int, str], str] = {}
    for code, concept in concepts.items():
        for name in (concept.name, *concept.names):
            key = condition_key(name)
            if key and len(name) <= LONGEST_NAME:
                names.setdefault((codes[code], key), name)
    broader = {
        (codes[code], codes[above])
        for code, all_above in broader_by_code(concepts.values()).items()
        for above in all_above
        if codes[code] != codes[above]
    }
    return _Said(codes=codes, names=names, broader=broader)


def _count(report: ImportReport, concepts: Mapping[str, Concept], *, held: _Said, said: _Said) -> None:
    report.concepts, report.names, report.broader = len(concepts), len(said.names), len(said.broader)
    report.new = len(said.codes.keys() - held.codes.keys())
    report.gone = len(held.codes.keys() - said.codes.keys())
    touched = {one for one, _key in held.names.keys() ^ said.names.keys()}
    touched |= {one for one, _above in held.broader ^ said.broader}
    before = {held.codes[code] for code in held.codes.keys() & said.codes.keys()}
    report.changed = len(touched & before)


def _write(database: Database, name: str, *, held: _Said, said: _Said) -> None:
    """Write what differs, in portions; what means something else now is taken back before it is said anew."""
    codes = sorted(said.codes.items() - held.codes.items())
    gone = {code for code, _one in held.codes.items() - said.codes.items()}
    names = [(*pair, said.names[pair]) for pair in sorted(said.names.keys() - held.names.keys())]
    _in_portions(database, name, gone, vocabulary_store.take_codes)
    _in_portions(database, name, codes, vocabulary_store.add_codes)
    _in_portions(database, name, held.names.keys() - said.names.keys(), vocabulary_store.take_names)
    _in_portions(database, name, names, vocabulary_store.add_names)
    _in_portions(database, name, held.broader - said.broader, vocabulary_store.take_broader)
    _in_portions(database, name, said.broader - held.broader, vocabulary_store.add_broader)


def _in_portions(
    database: Database, name: str, items: Iterable[T], write: Callable[[Session, str, list[T]], None]
) -> None:
    for some in portions(items, PORTION):
        with database.writing() as session:
            write(session, name, some)


def tie_anew(
    *, database: Database, now: datetime, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> int:
    """Tie all trials held to what their words name by the vocabularies of now; how many trials there were.

    No Change, Match or mail comes of it: Changes that wait are matched before, by what was known when they came, and
    only later Changes match what is new.

    Args:
        database: where trials are held.
        now: the time of the import.
        on_progress: called with how many trials were looked at so far, and how many there are.
    """
    settle_changes(database=database, now=now)
    with database.reading() as session:
        names = vocabulary_store.current_names(session)
        total = trial_store.count_trials(session)
    done, last = 0, 0
    on_progress(done, total)
    while trials := _tie_some(database, after=last, names=names):
        done, last = done + len(trials), trials[-1].id
        on_progress(done, total)
    return done


def _tie_some(database: Database, *, after: int, names: KnownNames) -> list[HeldTrial]:
    """Tie a few trials; where others write one of them meanwhile, all of them once more, which alters nothing."""
    for _ in range(TRIES):
        with database.reading() as session:
            trials = trial_store.list_after(session, after, limit=TRIALS)
        if unless_conflict(partial(_tie, database, trials, names)):
            break
    return trials


def _tie(database: Database, trials: list[HeldTrial], names: KnownNames) -> bool:
    """Whether all of these trials were as they had been read."""
    known = {trial.id: try_state(trial.body, facts_version=trial.state_version) for trial in trials}
    concerns = {one: concerns_with_names(state[1], names) for one, state in known.items() if state}
    with database.writing() as session:
        return tie_store.tie_silently(session, [trial for trial in trials if trial.id in concerns], concerns)
