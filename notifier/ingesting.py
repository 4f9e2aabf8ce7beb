"""Ingesting: a record is checked, masked and compared with what is held; what a reader would see becomes a Change."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import structlog
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from notifier.delisting import find_claims, merge_claimed
from notifier.domain.breaking import Threshold
from notifier.domain.condition_naming import KnownNames
from notifier.errors import InvalidRecord
from notifier.preparing import Incoming, Prepared, held_of, newer_version, outcome_at_a_glance, prepare
from notifier.recording import Recorded, tie_records, write_record
from notifier.registries import ctgov
from notifier.registries.record_files import BadRecord, FoundRecord
from notifier.store import breaker_store, trial_store, vocabulary_store
from notifier.store.addresses import AddressKeys
from notifier.store.condition_ties import Tally, conditions_of, write_tally
from notifier.store.conflicts import unless_conflict
from notifier.store.database import Database
from notifier.store.trial_store import MERGED, HeldTrial

CHUNK = 16
"""Records written in one transaction: it stays well under 200 ms, so that forms posted meanwhile need not wait.
Twice as many hold the lock for nearly twice as long, and save a twentieth of the work."""
TRIES = 4
"""How often a trial that others write at the same moment is compared anew before they must wait for it."""
LARGEST_RECORD = 4_000_000
"""Without results the largest of a thousand real ones has 0.3 MB; a hostile one may take seconds a megabyte to mask."""
PROBLEMS_KEPT = 1000
USUAL_THRESHOLD = Threshold()
REFUSED = "a value in it is longer or larger than the database takes"

_Outcome: TypeAlias = tuple[Prepared, str | None]
"""A record with what became of it: new, changed or unchanged, and None where somebody else was first."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that was not taken: where it stood and why."""

    place: str
    reason: str


@dataclass(slots=True)
class IngestReport:
    """What became of the records: each is counted once in one of new, changed, unchanged, stale, rejected."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def as_dict(self) -> dict[str, int]:
        """The counts, under the names that scripts rely on."""
        names = ("read", "new", "changed", "unchanged", "stale", "rejected")
        return {name: self.counts[name] for name in names}

    def count(self, outcome: str) -> None:
        """Count one record."""
        self.counts["read"] += 1
        self.counts[outcome] += 1

    def reject(self, place: str, reason: str) -> None:
        """Count one record that was not taken."""
        self.count("rejected")
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(Problem(place, reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What all chunks of one run share."""

    database: Database
    keys: AddressKeys
    now: Callable[[], datetime]
    baseline: bool
    breaker: Threshold
    report: IngestReport


@dataclass(slots=True)
class _Compared:
    """Records ready to be written, and by trial id the newer day on which others were seen unchanged."""

    prepared: list[Prepared] = field(default_factory=list)
    seen_again: dict[int, str] = field(default_factory=dict)


def ingest_records(  # noqa: PLR0913  # what a run is given, by name
    *,
    database: Database,
    keys: AddressKeys,
    records: Iterable[FoundRecord | BadRecord],
    now: Callable[[], datetime],
    baseline: bool = False,
    breaker: Threshold = USUAL_THRESHOLD,
    on_progress: Callable[[IngestReport], None] = lambda _report: None,
) -> IngestReport:
    """Take records in, the one road for files, API, tasks and poller; what is counted is on disk.

    Args:
        database: where trials are held.
        keys: for the keyed fingerprints of records and contacts.
        records: in the order in which they should be read; later versions of a study after earlier ones.
        now: the clock, aware. A run may take long, and who subscribes meanwhile is told of what is written later, so
            a Change is observed when it is written.
        baseline: write Changes that make no news; so does every first load into an empty database.
        breaker: in how many studies one same change is held back.
        on_progress: called with the report after each chunk.

    Raises:
        StoreUnavailable: the database cannot be written; what was reported before is kept.
    """
    report = IngestReport()
    with database.reading() as session:
        baseline = baseline or trial_store.is_empty(session)
    run = _Run(database=database, keys=keys, now=now, baseline=baseline, breaker=breaker, report=report)
    for chunk in _chunks(records, keys, report):
        _ingest_chunk(chunk, run)
        on_progress(report)
    on_progress(report)
    return report


def _chunks(
    records: Iterable[FoundRecord | BadRecord], keys: AddressKeys, report: IngestReport
) -> Iterator[list[Incoming]]:
    """Records in chunks in which no study comes twice: its next version is compared with the one before."""
    chunk: dict[str, Incoming] = {}
    for found in records:
        incoming = _receive(found, keys, report)
        if incoming is None:
            continue
        if incoming.number in chunk or len(chunk) >= CHUNK:
            yield list(chunk.values())
            chunk = {}
        chunk[incoming.number] = incoming
    yield list(chunk.values())


def _receive(found: FoundRecord | BadRecord, keys: AddressKeys, report: IngestReport) -> Incoming | None:
    if isinstance(found, BadRecord):
        report.reject(found.place, found.reason)
        return None
    try:
        number = ctgov.nct_id_of(found.record)
        ctgov.check_modules(found.record)
        content = ctgov.content_bytes(found.record)
        if len(content) > LARGEST_RECORD:
            raise InvalidRecord("$", f"larger than {LARGEST_RECORD:,} bytes without its results")
        fingerprint = keys.fingerprint(content)
    except (InvalidRecord, ValueError, TypeError, RecursionError) as error:
        report.reject(found.place, _reason(error))
        return None
    return Incoming(place=found.place, number=number, record=found.record, fingerprint=fingerprint)


def _ingest_chunk(chunk: Sequence[Incoming], run: _Run) -> None:
    """Take a chunk in; a study that others write at the same moment is compared anew, in the end while they wait."""
    for _ in range(TRIES):
        with run.database.reading() as session:
            held = _list_held(session, chunk)
            names = vocabulary_store.current_names(session)
        compared = _compare_chunk(chunk, held, names, run=run)
        _note_versions(compared.seen_again, run)
        chunk = [one.incoming for one in _write_chunk(compared.prepared, run)]
        if not chunk:
            return
    for incoming in chunk:
        if not any(_ingest_alone(incoming, run) for _ in range(TRIES)):
            run.report.reject(incoming.place, "others write this study again and again; send it once more")


def _ingest_alone(incoming: Incoming, run: _Run) -> bool:
    """Take one record in while nobody else can write its study; False where it must be tried again."""

    def write() -> tuple[_Compared, list[_Outcome]]:
        with run.database.reading() as session:
            names = vocabulary_store.current_names(session)
        with run.database.writing() as session:
            trial_store.lock_trials(session, [incoming.number])
            compared = _compare_chunk([incoming], _list_held(session, [incoming]), names, run=run)
            return compared, _write_all(session, compared.prepared, run)

    try:
        written = unless_conflict(write)
    except DataError:
        run.report.reject(incoming.place, REFUSED)
        return True
    if written is None:
        return False
    _note_versions(written[0].seen_again, run)
    return not _count(written[1], run)


def _list_held(session: Session, chunk: Sequence[Incoming]) -> dict[str, HeldTrial]:
    """What is held of these records' studies, by number; one that took a new number is held under an old one."""
    held = trial_store.list_held(session, [one.number for one in chunk])
    renamed = {alias: one.number for one in chunk if one.number not in held for alias in ctgov.aliases_of(one.record)}
    coming = {one.number for one in chunk}
    found = trial_store.list_held(session, renamed.keys() - coming) if renamed else {}
    own = {number: trial for number, trial in found.items() if trial.number == number and trial.listing != MERGED}
    return {renamed[number]: own[number] for number in sorted(own, reverse=True)} | held


def _compare_chunk(
    chunk: Sequence[Incoming], held: Mapping[str, HeldTrial], names: KnownNames, *, run: _Run
) -> _Compared:
    """Compare records with what is held; those that need no writing, or cannot be read, are counted."""
    compared = _Compared()
    for incoming in chunk:
        known = held_of(incoming, held.get(incoming.number))
        outcome = outcome_at_a_glance(incoming, known)
        if outcome is not None:
            run.report.count(outcome)
            compared.seen_again |= newer_version(incoming, known) if outcome == "unchanged" else {}
            continue
        try:
            compared.prepared.append(prepare(incoming, known, keys=run.keys, names=names, now=run.now()))
        except Exception as error:  # noqa: BLE001  # a poison record may raise anything
            log.warning("record.rejected", place=incoming.place, error=type(error).__name__)
            run.report.reject(incoming.place, _reason(error))
    return compared


def _note_versions(seen_again: dict[int, str], run: _Run) -> None:
    """Say up to which day of registry data studies are known to stand; what fails here the next run says again."""

    def write() -> None:
        with run.database.writing() as session:
            trial_store.set_data_versions(session, seen_again)

    if seen_again:
        unless_conflict(write)


def _write_chunk(prepared: list[Prepared], run: _Run) -> list[Prepared]:
    """Write a chunk in one transaction; what somebody else wrote first, or at the same moment, comes back."""

    def write() -> list[_Outcome]:
        with run.database.writing() as session:
            return _write_all(session, prepared, run)

    if not prepared:
        return []
    try:
        written = unless_conflict(write)
    except DataError:
        return _write_alone(prepared, run)
    return prepared if written is None else _count(written, run)


def _write_alone(prepared: Sequence[Prepared], run: _Run) -> list[Prepared]:
    """Write records one by one, so that only the one is rejected that carries what the database does not take."""
    if len(prepared) > 1:
        return [lost for one in prepared for lost in _write_chunk([one], run)]
    run.report.reject(prepared[0].incoming.place, REFUSED)
    return []


def _count(written: Sequence[_Outcome], run: _Run) -> list[Prepared]:
    """Count what became of records, now that it is committed; those that somebody else was before come back."""
    for _one, outcome in written:
        if outcome:
            run.report.count(outcome)
    return [one for one, outcome in written if outcome is None]


def _write_all(session: Session, prepared: Iterable[Prepared], run: _Run) -> list[_Outcome]:
    """Write records, in the order in which all writers do; each with what became of it.

    What was prepared by other names of conditions than those of now comes back like what somebody else wrote first.
    """
    ordered, tally, now = sorted(prepared, key=_in_turn), Tally(), run.now()
    revision = vocabulary_store.keep_names_as_they_are(session)
    if any(one.names_revision != revision for one in ordered):
        return [(one, None) for one in ordered]
    claims = find_claims(session, ordered)
    if claims:
        trial_store.lock_trials(session, [*claims, *(one.incoming.number for one in ordered)])
    conditions = conditions_of(session, [one.concerns or () for one in ordered], tally)
    before = conditions_of(session, [one.concerned if one.concerns else () for one in ordered], tally)
    outcomes = [write_record(session, one, now=now, baseline=run.baseline) for one in ordered]
    rows = zip(ordered, outcomes, conditions, before, strict=True)
    written = [Recorded(one, done, concerns, concerned) for one, done, concerns, concerned in rows if done]
    tie_records(session, written, tally)
    trial_ids = {one.record.incoming.number: one.written.trial_id for one in written}
    merge_claimed(session, claims, written=trial_ids, baseline=run.baseline, now=now)
    changes = [] if run.baseline else [one.change for one in written if one.change]
    breaker_store.watch(session, changes, now=now, threshold=run.breaker)
    write_tally(session, tally)
    return [(one, done.outcome if done else None) for one, done in zip(ordered, outcomes, strict=True)]


def _in_turn(one: Prepared) -> tuple[bool, int, str]:
    """Where a record's turn is: writers who lock in one order never wait for each other in a ring."""
    return one.held is None, one.held.id if one.held else 0, one.incoming.number


def _reason(error: Exception) -> str:
    if isinstance(error, InvalidRecord):
        return str(error)
    return f"not in the shape of a ClinicalTrials.gov API v2 record ({type(error).__name__})"
