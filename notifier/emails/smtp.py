"""Hands mails over to the mail server on connections that are kept; the only place that speaks SMTP.

aiosmtplib connects, secures and logs in, and sends the envelope. The message itself is written here, because only so
is it known whether a connection broke before the message had gone out (nothing happened) or after (nobody knows).
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPServerDisconnected
from aiosmtplib.protocol import normalize_message_line_endings

from notifier.config import MailServer
from notifier.domain.deliveries import Answer, Composed, Verdict
from notifier.emails.replies import LOST, UNREACHABLE, judge_error, judge_reply

log = structlog.get_logger(__name__)

IDLE_SECONDS = 20.0
"""A connection that rested longer than this is asked whether it still lives."""
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_GO_AHEAD = 354
_CLOSING = 421


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to wait for a connection, for the reply to a command, and for the reply to a message.

    RFC 5321 section 4.5.3.2 asks for five minutes and for ten: who gives up sooner on the last one sends copies.
    """

    connect: float = 30.0
    command: float = 300.0
    message: float = 600.0


class Line:
    """One connection to the mail server."""

    def __init__(self, client: SMTP, *, sender: str, timeouts: Timeouts) -> None:
        self._client = client
        self._sender = sender
        self._timeouts = timeouts
        self._offered = 0
        self.is_writing = False
        """Whether the message in hand may have gone out."""
        self._used_at = asyncio.get_running_loop().time()

    @property
    def is_open(self) -> bool:
        """Whether the server has not hung up, as far as is known."""
        return self._client.is_connected

    async def is_alive(self) -> bool:
        """Whether the server still answers; asks only after a rest."""
        if not self.is_open or asyncio.get_running_loop().time() - self._used_at < IDLE_SECONDS:
            return self.is_open
        try:
            await self._client.noop(timeout=self._timeouts.connect)
        except SMTPException:
            self.close()
        return self.is_open

    async def hand_over(self, mail: Composed) -> Verdict | None:
        """Send one mail; None if the server had hung up after earlier mails, and a new connection should try."""
        self._offered += 1
        self.is_writing = False
        self._used_at = asyncio.get_running_loop().time()
        try:
            await self._begin()
            await self._offer(mail.recipient)
        except SMTPException as error:
            return await self._declined(error, mail.recipient)
        except _SenderUnfit:
            return Verdict(answer=Answer.OURS, reason="our sender address cannot be written: check NOTIFIER_MAIL_FROM")
        except ValueError:
            await self._reset()
            return Verdict(answer=Answer.NEVER, reason="the address cannot be written in SMTP")
        return await self._finish(mail)

    async def quit(self) -> None:
        """Say goodbye, without insisting."""
        transport = self._client.transport
        try:
            await self._client.quit(timeout=1.0)
        except (SMTPException, OSError):
            pass
        finally:
            self.close()
            if isinstance(transport, asyncio.WriteTransport):
                # TLS would say goodbye a second time, and outlast the loop that ends now.
                transport.abort()

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    async def _begin(self) -> None:
        try:
            await self._client.mail(self._sender)
        except ValueError as error:
            raise _SenderUnfit from error

    async def _offer(self, recipient: str) -> None:
        await self._client.rcpt(recipient)
        reply = await self._client.execute_command(b"DATA")
        if reply.code != _GO_AHEAD:
            raise SMTPDataError(reply.code, reply.message)

    async def _declined(self, error: SMTPException, recipient: str) -> Verdict | None:
        hung_up = isinstance(error, SMTPServerDisconnected) or getattr(error, "code", 0) == _CLOSING
        if hung_up and self._offered > 1:
            self.close()
            return None
        await self._reset()
        return judge_error(error, recipient=recipient)

    async def _finish(self, mail: Composed) -> Verdict:
        protocol = self._client.protocol
        if protocol is None or not protocol.is_connected:
            return judge_error(SMTPServerDisconnected("before the message"))
        wire = dot_stuffed(mail.message)
        self.is_writing = True
        try:
            protocol.write(wire)
            reply = await protocol.read_response(timeout=self._timeouts.message)
        except (SMTPException, OSError):
            self.close()
            return Verdict(answer=Answer.AMBIGUOUS, reason=LOST)
        if not 200 <= reply.code < 600 or 300 <= reply.code < 400:
            self.close()
            return Verdict(answer=Answer.AMBIGUOUS, reason="the reply to the message was not understood")
        if reply.code == _CLOSING:
            self.close()
        return judge_reply(reply.code, reply.message, recipient=mail.recipient)

    async def _reset(self) -> None:
        if not self.is_open:
            return
        try:
            await self._client.rset()
        except SMTPException:
            self.close()


_STOPPED = Verdict(answer=Answer.OURS, reason="asked to stop")


class _SenderUnfit(Exception):
    """Our own address cannot be written in SMTP."""


@dataclass(slots=True)
class _Batch:
    waiting: deque[Composed]
    verdicts: dict[int, Verdict]
    trouble: Verdict | None = None
    """Why a connection could not be made."""
    stopped: bool = False


class Relay:
    """The mail server and the connections to it, for one event loop."""

    def __init__(self, server: MailServer, *, sender: str, connections: int, timeouts: Timeouts) -> None:
        self._server = server
        self._sender = sender
        self._connections = connections
        self._timeouts = timeouts
        self._resting: list[Line] = []
        self._own_name: str | None = None

    async def send(
        self, mails: Sequence[Composed], *, verdicts: dict[int, Verdict] | None = None
    ) -> dict[int, Verdict]:
        """Hand mails over, several at a time; a Verdict for each.

        If no connection can be made, or the server refuses us rather than a mailbox, the rest is not tried.
        ``verdicts`` is filled as they are earned and so outlasts a cancelling: only mails that may be out have none.
        """
        batch = _Batch(waiting=deque(mails), verdicts={} if verdicts is None else verdicts)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._connections, len(mails))):
                    workers.create_task(self._work(batch))
        finally:
            trouble = batch.trouble or Verdict(answer=Answer.OURS, reason=UNREACHABLE)
            # The reply was about another mail.
            unsent = replace(trouble, reply=None)
            batch.verdicts.update({mail.delivery_id: unsent for mail in batch.waiting})
        return batch.verdicts

    async def close(self) -> None:
        """End every connection."""
        resting, self._resting = self._resting, []
        await asyncio.gather(*(line.quit() for line in resting))

    async def _work(self, batch: _Batch) -> None:
        while batch.waiting and not batch.stopped:
            try:
                line = await self._take_line()
            except asyncio.CancelledError:
                batch.trouble = batch.trouble or _STOPPED
                raise
            except Exception as error:  # noqa: BLE001 - a host name may break the library in ways of its own
                batch.trouble = _judge_connecting(error)
                return
            await self._use(line, batch)

    async def _use(self, line: Line, batch: _Batch) -> None:
        try:
            while batch.waiting and line.is_open and not batch.stopped:
                await self._send_next(line, batch)
        except BaseException:
            line.close()
            raise
        if line.is_open:
            self._resting.append(line)

    async def _send_next(self, line: Line, batch: _Batch) -> None:
        mail = batch.waiting.popleft()
        try:
            verdict = await line.hand_over(mail)
        except asyncio.CancelledError:
            batch.trouble = batch.trouble or _STOPPED
            if not line.is_writing:
                batch.waiting.appendleft(mail)
            raise
        except Exception as error:  # noqa: BLE001 - whatever breaks here, the verdicts of the others must be kept
            verdict = _judge_bug(line, error)
            batch.trouble, batch.stopped = replace(verdict, answer=Answer.OURS), True
        if verdict is None:
            batch.waiting.appendleft(mail)
            return
        batch.verdicts[mail.delivery_id] = verdict
        if verdict.answer is Answer.OURS:
            batch.trouble, batch.stopped = verdict, True

    async def _take_line(self) -> Line:
        while self._resting:
            line = self._resting.pop()
            if await line.is_alive():
                return line
        client = self._new_client()
        await client.connect(timeout=self._timeouts.connect)
        self._own_name = client.local_hostname
        return Line(client, sender=self._sender, timeouts=self._timeouts)

    def _new_client(self) -> SMTP:
        """A password never goes out in clear: with one, ``offered`` means ``required``, except on this machine itself.

        Without one, encryption that is only offered is taken without asking whose certificate it is (RFC 7435).
        """
        server = self._server
        at_home = server.host in _LOCAL_HOSTS
        required = server.tls == "required" or (server.tls == "offered" and bool(server.username) and not at_home)
        return SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            local_hostname=self._own_name,
            timeout=self._timeouts.command,
            use_tls=server.tls == "implicit",
            start_tls={"implicit": False, "none": False}.get(server.tls, True if required else None),
            validate_certs=required or server.tls == "implicit",
        )


def dot_stuffed(message: bytes) -> bytes:
    """The message as it goes over the wire (RFC 5321 section 4.5.2), with CRLF line ends only, and its final dot.

    A line end of another kind, left in, could end the message early and smuggle in another one.
    """
    ends = message.count(b"\r\n")
    if message.count(b"\n") != ends or message.count(b"\r") != ends or not message.endswith(b"\r\n"):
        message = normalize_message_line_endings(message)
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return (b"." + stuffed if stuffed.startswith(b".") else stuffed) + b".\r\n"


def _judge_bug(line: Line, error: Exception) -> Verdict:
    """What an error of ours means for the mail in hand; by its kind alone, for its words may repeat an address."""
    log.error("smtp.broke", error=type(error).__name__)
    line.close()
    answer = Answer.AMBIGUOUS if line.is_writing else Answer.LATER
    return Verdict(answer=answer, reason=f"an error of ours while sending: {type(error).__name__}")


def _judge_connecting(error: Exception) -> Verdict:
    """What a failed connection means; always our side's matter, never a mailbox's."""
    if isinstance(error, SMTPException):
        verdict = judge_error(error)
        reason = verdict.reason if verdict.answer is Answer.OURS else UNREACHABLE
        return replace(verdict, answer=Answer.OURS, reason=reason)
    return Verdict(answer=Answer.OURS, reason=f"no safe connection to the mail server: {type(error).__name__}")
