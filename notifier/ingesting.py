"""Ingesting: a record is checked, masked and compared with what is held; what a reader would see becomes a Change."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from notifier.domain import comparing
from notifier.domain.changes import FieldChange, heaviest
from notifier.domain.conditions import Concern, concerns_of
from notifier.domain.masking import mask_record
from notifier.domain.trials import FACTS_VERSION, TrialFacts
from notifier.errors import InvalidRecord
from notifier.registries import ctgov
from notifier.registries.learned import changes_between
from notifier.registries.record_files import BadRecord, FoundRecord
from notifier.registries.record_merging import merge_record
from notifier.registries.record_shapes import Json
from notifier.registries.states import pack_state, unpack_state
from notifier.store import condition_store, trial_store
from notifier.store.addresses import AddressKeys
from notifier.store.database import Database
from notifier.store.trial_store import HeldTrial, NewChange, NewState

CHUNK = 32
"""Records written in one transaction: it stays well under 200 ms, so that forms posted meanwhile need not wait."""
TRIES = 8
"""How often a trial that others write at the same moment is compared anew before it is reported."""
LARGEST_RECORD = 4_000_000
"""Without results the largest of a thousand real ones has 0.3 MB; a hostile one may take seconds a megabyte to mask."""
PROBLEMS_KEPT = 1000

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
class _Incoming:
    """A record with its number and the keyed fingerprint of its content."""

    place: str
    number: str
    record: Json
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A record compared with what is held, ready to be written in one short transaction."""

    incoming: _Incoming
    held: HeldTrial | None
    state: NewState
    fields: tuple[FieldChange, ...]
    concerns: tuple[Concern, ...] | None
    first_posted: str


def ingest_records(
    *,
    database: Database,
    keys: AddressKeys,
    records: Iterable[FoundRecord | BadRecord],
    now: Callable[[], datetime],
    baseline: bool = False,
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
        on_progress: called with the report after each chunk.

    Raises:
        StoreUnavailable: the database cannot be written; what was reported before is kept.
    """
    report = IngestReport()
    with database.reading() as session:
        baseline = baseline or trial_store.is_empty(session)
    for chunk in _chunks(records, keys, report):
        _ingest_chunk(chunk, database=database, keys=keys, now=now, baseline=baseline, report=report)
        on_progress(report)
    on_progress(report)
    return report


def reread_trials(*, database: Database, now: datetime, limit: int = 200) -> int:
    """Read anew, silently, the trials whose facts an older version of ours read; how many there were.

    Nobody is mailed: what a reader sees is always both sides read by today's rules.
    """
    with database.reading() as session:
        outdated = trial_store.list_outdated(session, facts_version=FACTS_VERSION, limit=limit)
        bodies = trial_store.list_bodies(session, [held.state_id for held in outdated])
    for held in outdated:
        body, version = bodies[held.state_id]
        record = unpack_state(body, facts_version=version)
        facts = ctgov.read_facts(record)
        state = _state_of(record, facts, number=held.number, fingerprint=held.fingerprint)
        with database.writing() as session:
            if trial_store.swap_state(session, held, state, changed=False, source=ctgov.NAME, now=now):
                tied = _conditions_of(session, [concerns_of(facts)])[0]
                condition_store.set_trial_conditions(session, trial_id=held.id, seq=held.seq, concerns=tied)
    return len(outdated)


def _chunks(
    records: Iterable[FoundRecord | BadRecord], keys: AddressKeys, report: IngestReport
) -> Iterator[list[_Incoming]]:
    """Records in chunks in which no study comes twice: its next version is compared with the one before."""
    chunk: dict[str, _Incoming] = {}
    for found in records:
        incoming = _receive(found, keys, report)
        if incoming is None:
            continue
        if incoming.number in chunk or len(chunk) >= CHUNK:
            yield list(chunk.values())
            chunk = {}
        chunk[incoming.number] = incoming
    yield list(chunk.values())


def _receive(found: FoundRecord | BadRecord, keys: AddressKeys, report: IngestReport) -> _Incoming | None:
    if isinstance(found, BadRecord):
        report.reject(found.place, found.reason)
        return None
    try:
        number = ctgov.nct_id_of(found.record)
        content = ctgov.content_bytes(found.record)
        if len(content) > LARGEST_RECORD:
            raise InvalidRecord("$", f"larger than {LARGEST_RECORD:,} bytes without its results")
        fingerprint = keys.fingerprint(content)
    except (InvalidRecord, ValueError, TypeError, RecursionError) as error:
        report.reject(found.place, _reason(error))
        return None
    return _Incoming(place=found.place, number=number, record=found.record, fingerprint=fingerprint)


def _ingest_chunk(
    chunk: list[_Incoming],
    *,
    database: Database,
    keys: AddressKeys,
    now: Callable[[], datetime],
    baseline: bool,
    report: IngestReport,
) -> None:
    waiting = chunk
    for _ in range(TRIES):
        prepared = _prepare_chunk(waiting, database=database, keys=keys, now=now, report=report)
        lost = _write_chunk(prepared, database=database, now=now, baseline=baseline, report=report)
        waiting = [one.incoming for one in lost]
        if not waiting:
            return
    for incoming in waiting:
        report.reject(incoming.place, "others wrote this study at the same moment, again and again; send it once more")


def _prepare_chunk(
    chunk: Sequence[_Incoming],
    *,
    database: Database,
    keys: AddressKeys,
    now: Callable[[], datetime],
    report: IngestReport,
) -> list[_Prepared]:
    with database.reading() as session:
        held = trial_store.list_held(session, [one.number for one in chunk])
        bodies = trial_store.list_bodies(session, [one.state_id for one in held.values()])
    prepared = []
    seen_again: dict[int, str] = {}
    for incoming in chunk:
        known = held.get(incoming.number)
        outcome = _outcome_at_a_glance(incoming, known)
        if outcome is not None:
            report.count(outcome)
            seen_again |= _newer_version(incoming, known) if outcome == "unchanged" else {}
            continue
        try:
            body = bodies[known.state_id] if known else None
            prepared.append(_prepare(incoming, known, body, keys=keys, now=now()))
        except (InvalidRecord, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.warning("record.rejected", place=incoming.place, error=type(error).__name__)
            report.reject(incoming.place, _reason(error))
    if seen_again:
        with database.writing() as session:
            trial_store.set_data_versions(session, seen_again)
    return prepared


def _newer_version(incoming: _Incoming, held: HeldTrial | None) -> dict[int, str]:
    """By trial id, the day of the registry data in which a record still stood as we hold it."""
    version = ctgov.order_of(incoming.record)[1]
    return {held.id: version} if held and version > held.data_version else {}


def _outcome_at_a_glance(incoming: _Incoming, held: HeldTrial | None) -> str | None:
    """What needs no comparing: the very record that is held, or an older one."""
    if held is None:
        return None
    if incoming.fingerprint == held.fingerprint and held.facts_version == FACTS_VERSION:
        return "unchanged"
    posted, version = ctgov.order_of(incoming.record)
    if posted and posted < held.last_update_posted:
        return "stale"
    same_day = not posted or posted == held.last_update_posted
    return "stale" if same_day and version and version < held.data_version else None


def _prepare(
    incoming: _Incoming, held: HeldTrial | None, body: tuple[bytes, int] | None, *, keys: AddressKeys, now: datetime
) -> _Prepared:
    record = mask_record(ctgov.reduce_record(incoming.record))
    record["contactsFingerprint"] = keys.fingerprint(ctgov.contact_values(incoming.record)).hex()
    if body is None:
        before, after = None, ctgov.read_facts(record)
        fields = comparing.first_appearance(after)
    else:
        held_record = unpack_state(body[0], facts_version=body[1])
        record = merge_record(held_record, record)
        before, after = ctgov.read_facts(held_record), ctgov.read_facts(record)
        fields = changes_between(held_record, before=before, after=after)
    concerns = concerns_of(after)
    return _Prepared(
        incoming=incoming,
        held=held,
        state=_state_of(record, after, number=incoming.number, fingerprint=incoming.fingerprint),
        fields=fields,
        concerns=None if before and concerns == concerns_of(before) else concerns,
        first_posted=after.first_posted or now.date().isoformat(),
    )


def _state_of(record: Json, facts: TrialFacts, *, number: str, fingerprint: bytes) -> NewState:
    digest, body = pack_state(record)
    return NewState(
        number=number,
        digest=digest,
        body=body,
        facts_version=FACTS_VERSION,
        fingerprint=fingerprint,
        title=facts.title,
        status=facts.status,
        first_posted=facts.first_posted,
        last_update_posted=facts.last_update_posted,
        data_version=facts.data_version,
        aliases=tuple(alias for alias in facts.aliases if alias != number),
    )


def _write_chunk(
    prepared: list[_Prepared], *, database: Database, now: Callable[[], datetime], baseline: bool, report: IngestReport
) -> list[_Prepared]:
    """Write a chunk in one transaction; what somebody else wrote first comes back."""
    if not prepared:
        return []
    outcomes: list[str] = []
    lost: list[_Prepared] = []
    with database.writing() as session:
        moment = now()
        conditions = _conditions_of(session, [one.concerns or () for one in prepared])
        for one, tied in zip(prepared, conditions, strict=True):
            outcome = _write(session, one, tied, now=moment, baseline=baseline)
            outcomes.extend([outcome] if outcome else [])
            lost.extend([] if outcome else [one])
    # Counted only now that it is committed.
    for outcome in outcomes:
        report.count(outcome)
    return lost


def _write(
    session: Session, one: _Prepared, conditions: dict[int, str], *, now: datetime, baseline: bool
) -> str | None:
    if one.held is None:
        trial_id = trial_store.insert_trial(session, one.state, source=ctgov.NAME, now=now)
        if trial_id is None:
            return None
        seq, from_state_id, outcome = 1, None, "new"
    else:
        changed = bool(one.fields)
        if not trial_store.swap_state(session, one.held, one.state, changed=changed, source=ctgov.NAME, now=now):
            return None
        trial_id, from_state_id, outcome = one.held.id, one.held.state_id, "changed" if changed else "unchanged"
        seq = one.held.seq + 1 if changed else one.held.seq
    if one.concerns is not None:
        condition_store.set_trial_conditions(session, trial_id=trial_id, seq=seq, concerns=conditions)
    if one.fields:
        change = NewChange(
            fields=one.fields,
            weight=heaviest(one.fields),
            opens=comparing.opens(one.fields),
            first_posted=one.first_posted,
            baseline=baseline,
        )
        trial_store.insert_change(
            session, trial_id=trial_id, seq=seq, from_state_id=from_state_id, change=change, now=now
        )
    return outcome


def _conditions_of(session: Session, groups: Sequence[Sequence[Concern]]) -> list[dict[int, str]]:
    """For each group of concerns: condition id to how it concerns the study; what is not there yet is made."""
    complete: list[list[Concern]] = []
    for concerns in groups:
        derived = any(concern.how == "derived" for concern in concerns)
        complete.append([*concerns, *([] if derived else condition_store.broader_by_name(session, concerns))])
    ids = condition_store.ensure_conditions(session, [concern for concerns in complete for concern in concerns])
    tied: list[dict[int, str]] = []
    for concerns in complete:
        by_id: dict[int, str] = {}
        for concern in concerns:
            by_id.setdefault(ids[concern.key], concern.how)
        tied.append(by_id)
    return tied


def _reason(error: Exception) -> str:
    if isinstance(error, InvalidRecord):
        return str(error)
    return f"not in the shape of a ClinicalTrials.gov API v2 record ({type(error).__name__})"
