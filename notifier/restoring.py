"""Restoring: a backup was put back; who left since is gone again, and what was unfinished waits for the operator."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from notifier.domain.departures import Departed, Line, read_line, sum_up
from notifier.errors import ConfigurationError
from notifier.store import audit_store, forget_store, restore_store, stop_store, subscriber_store
from notifier.store.addresses import AddressKeys
from notifier.store.database import Database
from notifier.store.departure_log import list_days, read_texts
from notifier.store.inserting import insert_once
from notifier.store.models import Suppression
from notifier.store.portions import portions
from notifier.store.restore_store import HeldReader, Lost

MARGIN = timedelta(minutes=10)
"""How much the clocks of two machines, and the moment a backup was taken at, may be apart."""
GONE = "restored"
"""Why subscriptions end that their readers had ended before a backup was put back."""
READERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was found and, unless it only was looked at, done; counts.

    ``left`` readers had ended everything, ``moved`` and ``handed_over`` are among them; ``subscriptions`` ended in all.
    ``elsewhere`` are mailboxes in the log that the backup does not know. ``mails`` were unfinished, or were due since:
    ``waiting`` of them, where none was being made yet.
    """

    lines: int = 0
    unreadable: int = 0
    elsewhere: int = 0
    left: int = 0
    moved: int = 0
    handed_over: int = 0
    erased: int = 0
    suppressed: int = 0
    subscriptions: int = 0
    mails: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided: so many mails, and, where they are not sent again, so much news of theirs that is not told."""

    mails: int
    news: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The lines of the log since a moment, summed up."""

    departed: Departed
    lines: int
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Going:
    """What becomes of one mailbox in the backup."""

    reader: int | None
    address_index: bytes = field(repr=False)
    erase: bool = False
    subscriptions: tuple[int, ...] = ()
    is_all: bool = False
    suppress: bool = False


def read_log(folders: Sequence[Path], *, at: datetime) -> Log:
    """What these folders say of who left since a backup was taken, a little before it included.

    Raises:
        ConfigurationError: there is no log in one of them, not a single file, or it cannot be read.
    """
    lines: list[Line] = []
    unreadable = 0
    for text in _texts(folders, since=at - MARGIN):
        line = read_line(text)
        if line is None:
            unreadable += 1
        elif line.at >= at - MARGIN:
            lines.append(line)
    return Log(departed=sum_up(lines), lines=len(lines), unreadable=unreadable)


def look_over(database: Database, log: Log, *, keys: AddressKeys, at: datetime, now: datetime) -> Restored:
    """What `restore` would do, with nothing written; ``mails`` and ``waiting`` are what they would be at most."""
    going = list(_find_going(database, log.departed, keys=keys))
    gone = {one.reader for one in going if one.erase or one.is_all}
    with database.reading() as session:
        owners = restore_store.list_owners_of_unfinished(session, made_by=now)
        mails = sum(owner not in gone for owner in owners)
        lost = _lost(at=at, since=_since(session, at=at) or now, now=now)
        waiting = set(restore_store.list_waiting(session, lost)) - gone
    return _report(log, going, keys=keys, mails=mails + len(waiting), waiting=len(waiting))


def restore(database: Database, log: Log, *, keys: AddressKeys, at: datetime, now: datetime) -> Restored:
    """Stop all sending, hold what was unfinished, and have those gone who left since; doing it twice is fine.

    What breaks off is finished by doing it again; until then nothing can be resumed.
    """
    with database.writing() as session:
        since = _stop(session, at=at, now=now)
        restore_store.raise_ids(session, now=now)
    _hold_unfinished(database, made_by=since)
    going = list(_find_going(database, log.departed, keys=keys))
    for one in going:
        with database.writing() as session:
            _let_go(session, one, now=now)
    _withdraw_asked(database, log.departed, keys=keys)
    waiting = _hold_waiting(database, _lost(at=at, since=since, now=now))
    with database.writing() as session:
        mails = restore_store.count_undecided(session)
        audit_store.add(session, what="backup restored", by="operator", now=now)
        stop_store.turn(session, why=stop_store.RESTORING, into=stop_store.RESTORED)
    return _report(log, going, keys=keys, mails=mails, waiting=waiting)


def send_again(database: Database, *, now: datetime) -> Decided:
    """Have go out, once sending is resumed, what was unfinished: nobody misses it, and it may arrive twice."""
    decided = 0
    for ids in _list_undecided(database):
        with database.writing() as session:
            restore_store.send_again(session, ids, now=now)
        decided += len(ids)
    return Decided(mails=decided)


def leave_alone(database: Database, *, at: datetime, now: datetime) -> Decided:
    """Have nothing go out that was unfinished or waited then: the next news of the same studies tells it."""
    with database.reading() as session:
        found_by = _lost(at=at, since=_since(session, at=at) or now, now=now).found_by
    mails = news = 0
    for ids in _list_undecided(database):
        for some in portions(ids, READERS):
            with database.writing() as session:
                news += restore_store.leave_alone(session, some, found_by=found_by, now=now)
        mails += len(ids)
    return Decided(mails=mails, news=news)


def _texts(folders: Sequence[Path], *, since: datetime) -> Iterator[str]:
    for folder in folders:
        try:
            # An empty folder is made by whoever looks for one, on a new disk too: it does not say that nobody left.
            if not list_days(folder):
                raise ConfigurationError(
                    f"There is no log of who left in {folder}. Name its folder with --log; if nobody left: --no-log."
                )
            yield from read_texts(folder, since=since)
        except OSError as error:
            raise ConfigurationError(f"The log of who left in {folder} cannot be read: {error.strerror}.") from None


def _stop(session: Session, *, at: datetime, now: datetime) -> datetime:
    """Stop all sending for a backup, unless it is; since when it is."""
    stop_store.turn(session, why=stop_store.RESTORED, into=stop_store.RESTORING)
    since = _since(session, at=at)
    if since is not None:
        return since
    stop_store.end_restoring(session, now=now)
    stop_store.add(session, why=stop_store.RESTORING, note=f"taken at {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC", now=now)
    return now


def _since(session: Session, *, at: datetime) -> datetime | None:
    """Since when all sending is stopped for this backup; a stop from before it was put back with it, for another."""
    why = (stop_store.RESTORING, stop_store.RESTORED)
    since = (one.stopped_at for one in stop_store.list_open(session) if one.why in why and one.stopped_at >= at)
    return min(since, default=None)


def _lost(*, at: datetime, since: datetime, now: datetime) -> Lost:
    """What came after the stop was not in the backup, even if it was taken a minute before."""
    return Lost(at=at, found_by=min(at + MARGIN, since), made_by=since, now=now)


def _hold_unfinished(database: Database, *, made_by: datetime) -> None:
    after = 0
    while True:
        # Looking through all mails may take long, so it is not for a writing transaction.
        with database.reading() as session:
            ids = restore_store.list_unfinished(session, after=after, made_by=made_by)
        if not ids:
            return
        with database.writing() as session:
            restore_store.hold(session, ids)
        after = ids[-1]


def _hold_waiting(database: Database, lost: Lost) -> int:
    with database.reading() as session:
        readers = restore_store.list_waiting(session, lost)
    held = 0
    for some in portions(readers, READERS):
        with database.writing() as session:
            held += restore_store.hold_waiting(session, some, lost)
    return held


def _withdraw_asked(database: Database, departed: Departed, *, keys: AddressKeys) -> None:
    """Have nobody asked to confirm what they asked for before they left."""
    with database.reading() as session:
        asked = restore_store.list_asked(session)
    for index, first in asked.items():
        left = departed.last_left(keys.departed(index))
        if left is not None and first <= left:
            with database.writing() as session:
                restore_store.cancel_asked(session, index, asked_by=left, reason=GONE)


def _list_undecided(database: Database) -> Iterator[Sequence[int]]:
    after = 0
    while True:
        with database.reading() as session:
            ids = restore_store.list_undecided(session, after=after)
        if not ids:
            return
        yield ids
        after = ids[-1]


def _find_going(database: Database, departed: Departed, *, keys: AddressKeys) -> Iterator[_Going]:
    """Whoever left by the log and is here in the backup: readers, then those for whom something was only asked."""
    readers = set()
    after = 0
    while True:
        with database.reading() as session:
            found = restore_store.list_readers(session, after=after)
        if not found:
            break
        after = found[-1].id
        for reader in found:
            readers.add(reader.address_index)
            going = _going_of(reader, departed, keys=keys)
            if going is not None:
                yield going
    with database.reading() as session:
        asked = restore_store.list_asked(session)
    for index, first in asked.items():
        erased_at = departed.erased.get(keys.departed(index))
        if index not in readers and erased_at is not None and first <= erased_at:
            yield _Going(reader=None, address_index=index, erase=True)


def _going_of(reader: HeldReader, departed: Departed, *, keys: AddressKeys) -> _Going | None:
    """What the log says of a reader; only of what they had confirmed before they left."""
    who = keys.departed(reader.address_index)
    left, erased = departed.last_left(who), departed.erased.get(who)
    ended = departed.ended.get(who, {})
    over = []
    for id_, confirmed in reader.confirmed.items():
        single = ended.get(keys.departed(reader.address_index, subscription_id=id_)) if ended else None
        if any(moment is not None and confirmed <= moment for moment in (left, single)):
            over.append(id_)
    is_all = len(over) == len(reader.confirmed)
    erase = erased is not None and is_all
    if not (over or erase or who in departed.suppressed):
        return None
    return _Going(
        reader=reader.id,
        address_index=reader.address_index,
        erase=erase,
        subscriptions=tuple(over),
        is_all=is_all and bool(over) and left is not None,
        suppress=who in departed.suppressed,
    )


def _let_go(session: Session, going: _Going, *, now: datetime) -> None:
    if going.suppress:
        row = {"address_index": going.address_index, "reason": GONE, "created_at": now}
        insert_once(session, Suppression, [row])
    if going.erase:
        requests, reader = forget_store.lock_mailbox(session, going.address_index, subscriber_id=going.reader)
        forget_store.erase_requests(session, requests)
        if reader is not None and not reader.is_erased:
            forget_store.erase(session, reader, now=now)
        audit_store.add(session, what="erased", by="operator", now=now)
        return
    assert going.reader is not None
    for one in [None] if going.is_all else going.subscriptions:
        subscriber_store.end_subscriptions(
            session, subscriber_id=going.reader, subscription_id=one, reason=GONE, now=now
        )
    if not subscriber_store.count_open(session, going.reader):
        restore_store.cancel_held(session, going.reader, reason=GONE)


def _report(log: Log, going: Iterable[_Going], *, keys: AddressKeys, mails: int, waiting: int) -> Restored:
    departed, found = log.departed, list(going)
    named = {*departed.left, *departed.handed_over, *departed.moved, *departed.erased, *departed.ended}
    here = [keys.departed(one.address_index) for one in found]
    whole = [who for who, one in zip(here, found, strict=True) if one.is_all and not one.erase]
    return Restored(
        lines=log.lines,
        unreadable=log.unreadable,
        elsewhere=len(named - set(here)),
        left=len(whole),
        moved=sum(who in departed.moved for who in whole),
        handed_over=sum(who in departed.handed_over for who in whole),
        erased=sum(one.erase for one in found),
        suppressed=sum(one.suppress for one in found),
        subscriptions=sum(len(one.subscriptions) for one in found if not one.erase),
        mails=mails,
        waiting=waiting,
    )
