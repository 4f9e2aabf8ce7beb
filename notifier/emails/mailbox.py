"""The embedded mailbox: an SMTP server that keeps every mail it accepts as a file, and what reads those files."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default
from itertools import islice
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST_MAIL = 20_000_000
STARTS_WITHIN = 60.0
"""Seconds; a port that is taken is told at once, and a machine that is busy needs longer than the usual five."""
SHOWN = 200
_HEAD = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLine:
    """One mail in the list."""

    name: str
    subject: str
    sender: str
    recipient: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMail:
    """One mail, opened; ``raw`` is what the server accepted, byte for byte."""

    line: MailLine
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    raw: bytes


class Mailbox:
    """A folder of mails, one ``.eml`` file each, named so that names say nothing."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def keep(self, content: bytes) -> str:
        """Keep one mail; its name. It is on the file system under its name whole or not at all."""
        name = uuid.uuid4().hex
        draft = self.folder / f"{name}.new"
        draft.write_bytes(content)
        draft.replace(self._file(name))
        return name

    def list_mails(self, *, limit: int = SHOWN) -> list[MailLine]:
        """The newest mails, newest first."""
        files = sorted(self._files(), key=lambda found: found[0], reverse=True)
        return [line for _, file in islice(files, limit) if (line := _line_of(file)) is not None]

    def count_mails(self) -> int:
        """How many mails are kept."""
        return sum(1 for _ in self._files())

    def find_mail(self, name: str) -> KeptMail | None:
        """The mail of this name, if it is kept."""
        file = self._file(name)
        line = _line_of(file) if name.isalnum() and name.isascii() else None
        if line is None:
            return None
        raw = file.read_bytes()
        message = message_from_bytes(raw, policy=default)
        assert isinstance(message, EmailMessage)
        return KeptMail(
            line=line,
            headers=tuple((key, str(value)) for key, value in message.items()),
            text=_part(message, "plain"),
            html=_part(message, "html"),
            raw=raw,
        )

    def delete_all(self) -> None:
        """Remove every mail."""
        for _, file in self._files():
            file.unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.eml"

    def _files(self) -> Iterator[tuple[int, Path]]:
        for file in self.folder.glob("*.eml"):
            try:
                yield file.stat().st_mtime_ns, file
            except FileNotFoundError:
                # Deleted by somebody else since it was listed.
                continue


class _Keeper:
    """What aiosmtpd asks for every mail it took."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.original_content or b""
        try:
            self._mailbox.keep(content)
        except OSError:
            return "452 The mail cannot be kept: is the disk full?"
        return "250 Kept"


@contextmanager
def serve_mailbox(mailbox: Mailbox, *, host: str, port: int) -> Iterator[None]:
    """Accept mail for anybody on a local port, in a thread of its own, for as long as the block runs.

    Raises:
        OSError: the port cannot be listened on.
    """
    controller = Controller(
        _Keeper(mailbox),
        hostname=host,
        port=port,
        ready_timeout=STARTS_WITHIN,
        data_size_limit=LARGEST_MAIL,
        ident="notifier mailbox",
        server_hostname="mailbox.localhost",
    )
    controller.start()
    try:
        yield
    finally:
        controller.stop()


def _line_of(file: Path) -> MailLine | None:
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
        received = file.stat().st_mtime
    except FileNotFoundError:
        return None
    headers = BytesHeaderParser(policy=default).parsebytes(head)
    return MailLine(
        name=file.stem,
        subject=str(headers["Subject"] or "(no subject)"),
        sender=str(headers["From"] or ""),
        recipient=str(headers["To"] or ""),
        received_at=datetime.fromtimestamp(received, UTC),
    )


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except LookupError:
        # A character set that Python does not know.
        payload = part.get_payload(decode=True)
        return payload.decode("ascii", "replace") if isinstance(payload, bytes) else None
