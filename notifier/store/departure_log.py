"""The log of who left: files outside the database, one a day, so that a backup put back brings nobody back."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from notifier.domain.departures import Departure, Line
from notifier.domain.retention import DEPARTED
from notifier.store import audit_store
from notifier.store.addresses import AddressKeys

NOT_LOGGED = "not in the log"
"""What the audit trail says of departures that could not be written to the log."""
_NOTES = "departures"
_ENDING = ".log"

log = structlog.get_logger(__name__)


def note(session: Session, departure: Departure) -> None:
    """Have the log say this when the transaction commits; nothing where there is no log."""
    session.info.setdefault(_NOTES, []).append(departure)


class DepartureLog:
    """Appends to the file of the day; safe for several processes, as a line is one write at the end of the file."""

    def __init__(self, folder: Path, keys: AddressKeys) -> None:
        self.folder = folder
        self._keys = keys

    def keep(self, session: Session) -> None:
        """Write what was noted, to disk, before the commit: whoever gets an answer stands in the log.

        Where the log cannot be written, they leave all the same, and the audit trail says so for the operator.
        """
        notes: Sequence[Departure] = session.info.pop(_NOTES, ())
        if not notes:
            return
        try:
            self.append([self.line_of(one) for one in notes])
        except OSError as error:
            log.error("departure.not_logged", error=error.strerror or type(error).__name__, count=len(notes))  # noqa: TRY400  # a path in a traceback helps nobody
            audit_store.add(session, what=NOT_LOGGED, by="service", now=notes[0].at, count=len(notes))

    def line_of(self, departure: Departure) -> Line:
        """A departure under keyed hashes."""
        what = None
        if departure.to_index is not None:
            what = self._keys.departed(departure.to_index)
        elif departure.subscription_id is not None:
            what = self._keys.departed(departure.address_index, subscription_id=departure.subscription_id)
        return Line(at=departure.at, kind=departure.kind, who=self._keys.departed(departure.address_index), what=what)

    def append(self, lines: Sequence[Line]) -> None:
        """Write lines to the file of their day, and have them on disk.

        Raises:
            OSError: that is not possible.
        """
        file = self._file_of(lines[0].at)
        is_new = not file.exists()
        if is_new:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _write_whole(descriptor, "".join(f"{line}\n" for line in lines).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _sync_folder(self.folder)
            # A machine of web processes alone has no worker that does it.
            with suppress(OSError):
                self.forget_old(now=lines[0].at)

    def check(self) -> str | None:
        """Why nothing could be appended now; None if it could."""
        probe = self.folder / f".probe-{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe.write_text("x" * 200)
            probe.unlink()
        except OSError as error:
            return error.strerror or type(error).__name__
        return None

    def forget_old(self, *, now: datetime) -> int:
        """Delete the files of days that are long over; how many."""
        oldest = (now.astimezone(UTC) - DEPARTED).date()
        gone = [file for day, file in list_days(self.folder) if day < oldest]
        for file in gone:
            file.unlink(missing_ok=True)
        return len(gone)

    def _file_of(self, at: datetime) -> Path:
        return self.folder / f"{at.astimezone(UTC).date().isoformat()}{_ENDING}"


def read_texts(folder: Path, *, since: datetime) -> Iterator[str]:
    """The lines of a folder's files from the day of a moment on, as they stand there.

    Raises:
        OSError: the folder or a file cannot be read.
    """
    first = since.astimezone(UTC).date()
    for day, file in list_days(folder):
        if day >= first:
            yield from file.read_text(errors="replace").splitlines()


def list_days(folder: Path) -> list[tuple[date, Path]]:
    """The files of the log, the oldest first; none where there is no folder."""
    found = []
    for file in folder.glob(f"*{_ENDING}"):
        try:
            found.append((date.fromisoformat(file.stem), file))
        except ValueError:
            continue
    return sorted(found)


def _write_whole(descriptor: int, content: bytes) -> None:
    """One write, so that nobody else's lines come between; what a full disk cut off is an error."""
    if os.write(descriptor, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
