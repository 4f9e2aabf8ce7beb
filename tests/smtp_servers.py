"""Real SMTP servers for tests: they accept and record, refuse, drop the connection or hang, as told."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from notifier.config import MailServer
from tests.servers import free_port

STARTS_WITHIN = 60.0
LONGER_THAN_ANY_TEST = 3600.0


@dataclass
class Mailbox:
    """What a server took, and how it behaves. Replies are by recipient; ``""`` stands for everybody."""

    port: int
    on_connect: str | None = None
    on_mail: str | None = None
    on_rcpt: dict[str, str] = field(default_factory=dict)
    on_message: dict[str, str] = field(default_factory=dict)
    drop_at: str | None = None
    """mail, rcpt, or message: after the final dot, with the mail taken."""
    hang_at: str | None = None
    hanging: int = 0
    """How often it began to."""
    mails_per_connection: int | None = None
    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0

    @property
    def server(self) -> MailServer:
        """How to reach it."""
        return MailServer(host="127.0.0.1", port=self.port, tls="none")

    @property
    def recipients(self) -> list[str]:
        """Who got a mail, sorted, copies included."""
        return sorted(recipient for recipient, _ in self.accepted)

    def messages(self) -> list[Message]:
        """The mails, parsed."""
        return [message_from_bytes(content) for _, content in self.accepted]

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, mail_options: list[str]
    ) -> str:
        await self._misbehave("mail", server)
        if self.on_mail:
            return self.on_mail
        taken = getattr(session, "mails_taken", 0)
        if taken == self.mails_per_connection:
            await _drop(server)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        await self._misbehave("rcpt", server)
        reply = self.on_rcpt.get(address) or self.on_rcpt.get("", "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        recipient = envelope.rcpt_tos[0]
        reply = self.on_message.get(recipient) or self.on_message.get("", "250 2.0.0 OK queued")
        if reply.startswith("250"):
            self.accepted.append((recipient, envelope.original_content or b""))
            vars(session)["mails_taken"] = getattr(session, "mails_taken", 0) + 1
        await self._misbehave("message", server)
        return reply

    async def _misbehave(self, step: str, server: SMTP) -> None:
        if self.drop_at == step:
            await _drop(server)
        if self.hang_at == step:
            self.hanging += 1
            await asyncio.sleep(LONGER_THAN_ANY_TEST)


async def _drop(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()
    # The loss of the connection ends this.
    await asyncio.sleep(LONGER_THAN_ANY_TEST)


def listening(box: Mailbox, **options: Any) -> Controller:
    """What lets a server that behaves as this one says listen on its port, in a thread of its own."""
    return Controller(box, hostname="127.0.0.1", port=box.port, ready_timeout=STARTS_WITHIN, **options)


@contextmanager
def mailbox(*, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> Iterator[Mailbox]:
    """A server on a free port; with ``tls`` it offers STARTTLS, with ``login`` it (over TLS) asks for them."""
    box = Mailbox(port=free_port())

    def authenticate(_server: object, _session: object, _envelope: object, _mechanism: str, data: object) -> AuthResult:
        given = (getattr(data, "login", b"").decode(), getattr(data, "password", b"").decode())
        return AuthResult(success=given == login, handled=False)

    options: dict[str, Any] = {"authenticator": authenticate, "auth_required": True} if login else {}
    controller = listening(box, tls_context=tls, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
