"""Enrolling: readers whom an operator brings in a list, with evidence of their consent; nobody is mailed for it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from sqlalchemy.orm import Session

from notifier.domain.conditions import condition_key
from notifier.domain.consents import ConsentText
from notifier.domain.enrol_reports import EnrolReport
from notifier.domain.followed_words import has_contacts
from notifier.domain.listed_readers import ListedReader, read_reader
from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.domain.subscriber_lists import Header, ListedRow, RowProblem, read_header, read_rows
from notifier.domain.wishes import news_since
from notifier.errors import InvalidAddress, InvalidList, InvalidRequest, StoreUnavailable, UnknownCondition
from notifier.store import audit_store, consent_store, enrol_store, filter_store, subscriber_store, text_conditions
from notifier.store.addresses import Address, AddressKeys, read_address
from notifier.store.conflicts import unless_conflict
from notifier.store.database import Database
from notifier.store.enrol_store import Followed, Known
from notifier.store.portions import portions
from notifier.subscribing import Target, find_target

PORTION = 100
"""Rows written in one transaction, so that nobody else's writing waits long on SQLite."""
TRIES = 4
MOST_TARGETS = 20_000
MOST_SHARED = 5_000
LONGEST_LINE = 1_000_000
SHORT = 16
"""Bytes of a hash that are held of each row, to find those that come twice."""

OnProgress: TypeAlias = Callable[[int], None]
"""Called with how many bytes were read so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an operator says about a list as a whole.

    ``text``: the words that rows without their own were agreed to with. ``site``: where consent was given.
    ``accept_unknown``: conditions that nothing held bears are followed as words. ``read`` reads addresses.
    """

    text: str | None = None
    site: str = ""
    accept_unknown: bool = False
    read: Callable[[str], Address] = read_address


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One subscription that one row asks for; ``text`` stands for a condition that is yet to be made of these words."""

    row: ListedReader
    address: Address
    index: bytes
    trial_id: int | None = None
    condition_id: int | None = None
    text: str | None = None

    @property
    def mark(self) -> bytes:
        """What tells whether an earlier row asks for the same, in few bytes."""
        asked = (self.trial_id, self.condition_id, condition_key(self.text or ""))
        return sha256(self.index + repr(asked).encode()).digest()[:SHORT]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """Of what is wanted, what may be added, why how many others may not, and who is new."""

    added: Sequence[_Wanted]
    left: Counter[str]
    new_readers: frozenset[bytes]


class _Shared:
    """Ids of rows that many share and nobody deletes: those committed already, and those asked for in a transaction."""

    def __init__(self, session: Session, now: datetime, committed: Mapping[object, int | None]) -> None:
        self.now = now
        self.ids = dict(committed)
        self._session = session

    def schedule(self, wanted: Cadence) -> int | None:
        """The Schedule of a cadence."""
        make = partial(subscriber_store.get_or_make_schedule, self._session, wanted, now=self.now)
        return self._kept(wanted, lambda: make().id)

    def filter(self, wanted: ReaderFilter) -> int | None:
        """The row of a filter; None for one that asks for nothing."""
        return self._kept(wanted, partial(filter_store.get_or_make_filter, self._session, wanted))

    def text(self, wanted: ConsentText) -> int | None:
        """The row of what was agreed to."""
        return self._kept(wanted, partial(consent_store.get_or_make_text, self._session, wanted, now=self.now))

    def _kept(self, wanted: object, make: Callable[[], int | None]) -> int | None:
        if wanted not in self.ids:
            self.ids[wanted] = make()
        return self.ids[wanted]


@dataclass(slots=True, kw_only=True)
class _List:
    """One reading of a list: what was seen in it so far, as short hashes, and what it comes to."""

    database: Database
    keys: AddressKeys
    terms: Terms
    now: datetime
    report: EnrolReport = field(default_factory=EnrolReport)
    seen: set[bytes] = field(default_factory=set)
    readers: set[bytes] = field(default_factory=set)
    new_readers: set[bytes] = field(default_factory=set)
    targets: dict[tuple[str | None, str | None], Target | RowProblem] = field(default_factory=dict)
    shared: dict[object, int | None] = field(default_factory=dict)


def check_list(
    *,
    database: Database,
    keys: AddressKeys,
    path: Path,
    terms: Terms,
    now: datetime,
    on_progress: OnProgress,
) -> EnrolReport:
    """What bringing a list would come to; changes nothing.

    Args:
        database: where readers are held.
        keys: by which addresses are found.
        path: the list, as CSV.
        terms: what holds for all of it.
        now: consent given later than this is none.
        on_progress: called with how many bytes were read so far.

    Raises:
        InvalidList: it cannot be used at all.
        StoreUnavailable: the database cannot be reached.
    """
    reading = _List(database=database, keys=keys, terms=terms, now=now)
    for wanted in _portions_of(reading, path, on_progress):
        with database.reading() as session:
            known = enrol_store.look_up(session, {one.index for one in wanted})
        judged = _judge(wanted, known)
        _count(reading.report, judged)
        reading.new_readers.update(index[:SHORT] for index in judged.new_readers)
        reading.report.new_readers = len(reading.new_readers)
    return reading.report


def bring_list(
    *,
    database: Database,
    keys: AddressKeys,
    path: Path,
    terms: Terms,
    now: datetime,
    on_progress: OnProgress,
) -> EnrolReport:
    """Bring a list: subscribe those who may be, in short transactions; the same list again changes nothing.

    Whoever is known keeps language, schedule and all they chose; what they follow already stays as it is. One that
    breaks off is finished by bringing it again. Takes and raises what `check_list` does.
    """
    reading = _List(database=database, keys=keys, terms=terms, now=now)
    try:
        for wanted in _portions_of(reading, path, on_progress):
            judged = _write(reading, wanted)
            _count(reading.report, judged)
            reading.report.new_readers += len(judged.new_readers)
    finally:
        if reading.report.subscriptions:
            with database.writing() as session:
                count = reading.report.subscriptions
                audit_store.add(session, what="imported", by="operator", now=now, count=count)
    return reading.report


def _portions_of(reading: _List, path: Path, on_progress: OnProgress) -> Iterator[list[_Wanted]]:
    """What the good rows ask for, with all that is wrong with the others counted."""
    lines = _lines_of(path, on_progress)
    header = read_header(next(lines, ""), has_text=reading.terms.text is not None)
    reading.report.columns_left_out = header.left_out
    for rows in portions(_rows_of(reading, lines, header), PORTION):
        with reading.database.reading() as session:
            resolved = [(row, address, _target_of(reading, session, row)) for row, address in rows]
        yield [one for row, address, target in resolved for one in _wanted(reading, row, address, target)]
    reading.report.problems.sort(key=lambda problem: problem.line)


def _rows_of(reading: _List, lines: Iterator[str], header: Header) -> Iterator[tuple[ListedReader, Address]]:
    for found in read_rows(lines, header):
        reading.report.rows += 1
        row = _read(reading, found)
        if isinstance(row, RowProblem):
            reading.report.note(row)
        else:
            yield row


def _read(reading: _List, found: ListedRow | RowProblem) -> tuple[ListedReader, Address] | RowProblem:
    if isinstance(found, RowProblem):
        return found
    row = read_reader(found, text=reading.terms.text, site=reading.terms.site, now=reading.now)
    if isinstance(row, RowProblem):
        return row
    try:
        return row, reading.terms.read(row.email)
    except InvalidAddress as error:
        return RowProblem(line=row.line, column="email", reason=str(error))


def _target_of(reading: _List, session: Session, row: ListedReader) -> Target | RowProblem:
    """What the row leads to; asked of the database once for each study and condition."""
    asked = (row.wish.trial, row.wish.condition)
    if len(reading.targets) > MOST_TARGETS:
        reading.targets.clear()
    if asked not in reading.targets:
        reading.targets[asked] = _find_target(reading, session, row)
    found = reading.targets[asked]
    if isinstance(found, Target):
        return found
    unknown = reading.report.unknown_conditions.get(row.wish.condition or "")
    if unknown and found.column == "condition":
        unknown.rows += 1
    return replace(found, line=row.line)


def _find_target(reading: _List, session: Session, row: ListedReader) -> Target | RowProblem:
    try:
        return find_target(session, replace(row.wish, accept_unknown=reading.terms.accept_unknown))
    except UnknownCondition as error:
        name = row.wish.condition or ""
        reading.report.note_unknown("" if has_contacts(name) else name, error.suggestions)
        perhaps = f" Perhaps: {'; '.join(error.suggestions)}." if error.suggestions else ""
        return RowProblem(line=row.line, column="condition", reason=f"{error}{perhaps}")
    except InvalidRequest as error:
        return RowProblem(line=row.line, column=error.field, reason=str(error))


def _wanted(reading: _List, row: ListedReader, address: Address, target: Target | RowProblem) -> Iterator[_Wanted]:
    """The subscriptions a good row asks for, but those that an earlier row asks for or nobody agreed to."""
    if isinstance(target, RowProblem):
        reading.report.note(target)
        return
    index = reading.keys.index(address)
    reading.readers.add(index[:SHORT])
    reading.report.readers = len(reading.readers)
    one = partial(_Wanted, row=row, address=address, index=index)
    asked = [one(trial_id=target.trial_id)] if target.trial_id is not None else []
    if target.condition_id is not None or target.condition_text:
        asked.append(one(condition_id=target.condition_id, text=target.condition_text))
    for each in asked:
        if not row.agreed.health:
            reading.report.no_health_consent += 1
        elif each.mark in reading.seen:
            reading.report.duplicates += 1
        else:
            reading.seen.add(each.mark)
            yield each


def _write(reading: _List, wanted: Sequence[_Wanted]) -> _Judged:
    """Add what may be added, in one transaction, tried anew where another one stood in its way."""
    for _ in range(TRIES):
        judged = unless_conflict(partial(_write_once, reading, wanted))
        if judged is not None:
            return judged
    raise StoreUnavailable("Others were writing the same again and again. Bring the list again to finish.")


def _write_once(reading: _List, wanted: Sequence[_Wanted]) -> _Judged:
    sealed = {one.index: reading.keys.seal(one.address) for one in wanted}
    with reading.database.writing() as session:
        shared = _Shared(session, reading.now, reading.shared)
        made = _with_texts(session, wanted)
        judged = _judge(made, enrol_store.look_up(session, sealed.keys()))
        fresh = {one.index: one.row for one in reversed(judged.added) if one.index in judged.new_readers}
        rows = [_reader_row(shared, index, sealed[index], row) for index, row in fresh.items()]
        enrol_store.add_readers(session, rows, now=reading.now)
        # Somebody may have left, or been made, since; who was erased or moved in this moment is left alone.
        known = enrol_store.lock_known(session, sealed.keys())
        added = [one for one in _judge(made, known).added if one.index in known.readers]
        if added:
            rows = [_subscription_row(shared, one, known.readers[one.index]) for one in added]
            enrol_store.add_subscriptions(session, rows)
    reading.shared = shared.ids if len(shared.ids) < MOST_SHARED else {}
    return replace(judged, added=added)


def _with_texts(session: Session, wanted: Sequence[_Wanted]) -> list[_Wanted]:
    """What is wanted, with conditions made of words that are followed as text."""
    words = {one.text for one in wanted if one.text}
    made = {text: text_conditions.get_or_make_text(session, text).id for text in sorted(words)}
    return [replace(one, condition_id=made[one.text], text=None) if one.text else one for one in wanted]


def _judge(wanted: Sequence[_Wanted], known: Known) -> _Judged:
    """What may be added, and why the rest is left as it is."""
    added: list[_Wanted] = []
    left: Counter[str] = Counter()
    for one in wanted:
        reason = _reason_against(one, known)
        if reason:
            left[reason] += 1
        else:
            added.append(one)
    fresh = frozenset(one.index for one in added if one.index not in known.readers)
    return _Judged(added=added, left=left, new_readers=fresh)


def _reason_against(one: _Wanted, known: Known) -> str:
    if one.index in known.suppressed:
        return "suppressed"
    followed = known.followed.get(known.readers.get(one.index, 0), Followed())
    target = (one.trial_id, one.condition_id)
    if target in followed.open:
        return "already"
    left_at = followed.ended.get(target) or followed.left_at
    return "left_before" if left_at is not None and one.row.asked_at <= left_at else ""


def _count(report: EnrolReport, judged: _Judged) -> None:
    report.subscriptions += len(judged.added)
    report.already += judged.left["already"]
    report.suppressed += judged.left["suppressed"]
    report.left_before += judged.left["left_before"]


def _reader_row(shared: _Shared, index: bytes, sealed: bytes, row: ListedReader) -> dict[str, object]:
    """A new reader, as their first row says."""
    wish, countries = row.wish, row.wish.filter.countries
    return {
        "address_index": index,
        "address_sealed": sealed,
        "language": wish.language,
        "schedule_id": shared.schedule(wish.cadence),
        "country": wish.country or (next(iter(countries)) if len(countries) == 1 else None),
    }


def _subscription_row(shared: _Shared, one: _Wanted, subscriber_id: int) -> dict[str, object]:
    """A new subscription: it begins now, so that they hear of what comes after."""
    row, of_trial = one.row, one.trial_id is not None
    return {
        "subscriber_id": subscriber_id,
        "trial_id": one.trial_id,
        "condition_id": one.condition_id,
        "wants": row.wish.of_trial if of_trial else row.wish.of_condition,
        "filter_id": None if of_trial else shared.filter(row.wish.filter),
        "news_since": news_since(shared.now),
        "consent_site": row.wish.site,
        "consent_how": row.how,
        "consent_text_id": shared.text(row.agreed.text),
        "consent_health": row.agreed.health,
        "consent_asked_at": row.asked_at,
        "confirmed_at": shared.now,
    }


def _lines_of(path: Path, on_progress: OnProgress) -> Iterator[str]:
    """The lines of a file, of which only one is held at a time; what is no UTF-8 shows as a sign of its own."""
    try:
        with path.open("rb") as file:
            read = 0
            while line := file.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    raise InvalidList("A line is longer than a million bytes: this is no list as CSV.")
                text = line.decode("utf-8", "replace")
                yield text if read else text.removeprefix("\ufeff")
                read += len(line)
                on_progress(read)
    except OSError as error:
        raise InvalidList(f"The list cannot be read: {error.strerror}.") from None
