"""One connection to the mail server: a mail a round trip where the server offers PIPELINING (RFC 2920), else in steps.

A message and the envelope of the next mail go out in one write. A mail may be out once its message began to be written,
which happens only after the server's 354 for it; before that, nothing has happened.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from aiosmtplib.protocol import normalize_message_line_endings

from notifier.domain.deliveries import Answer, Composed, Verdict
from notifier.emails.replies import CLOSING, EARLY, LOST, judge_ended, judge_reply, judge_sender
from notifier.emails.reply_reader import Garbled, HungUp, Reply, ReplyReader, TalkEnded, TooSlow

IDLE_SECONDS = 20.0
"""A connection that rested longer than this is asked whether it still lives."""
ANSWER_SECONDS = 2.0
"""Whoever takes longer to say so is left for a new connection; a firewall may have dropped the old one silently."""
STALL_SECONDS = 1.0
"""A reply that takes longer holds up no mail but its own."""
SLOW_SECONDS = STALL_SECONDS / 4
"""Who takes longer over a mail than this loses little by being told of the next one after it."""
_WRITABLE = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
_GO_AHEAD = 354


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to wait for a connection, and for the replies to a command, to DATA, and to a message.

    RFC 5321 section 4.5.3.2 asks for five minutes, two and ten: who gives up sooner on the last one sends copies.
    """

    connect: float = 30.0
    command: float = 300.0
    data: float = 120.0
    message: float = 600.0


class Desk(Protocol):
    """Gives out mails and takes what became of them."""

    def next(self) -> Composed | None:
        """A mail to send, if one waits."""

    def answer(self, mail: Composed, verdict: Verdict) -> None:
        """It ended."""

    def put_back(self, mail: Composed) -> None:
        """It was not begun, and another connection should try it."""

    def broke(self, mail: Composed, error: Exception, *, may_be_out: bool) -> None:
        """An error of ours broke the work on it."""


class _Step(Enum):
    RESET = "RSET"
    SENDER = "MAIL"
    RECIPIENT = "RCPT"
    DATA = "DATA"


_ENVELOPE = (_Step.SENDER, _Step.RECIPIENT, _Step.DATA)


class _Closing(TalkEnded):
    """The server said 421 before a message."""

    def __init__(self, step: _Step, reply: Reply) -> None:
        super().__init__()
        self.step, self.reply = step, reply


class Line:
    """One connection to the mail server, secured and logged in."""

    def __init__(
        self, reader: ReplyReader, *, sender: str, pipelines: bool, timeouts: Timeouts, is_slow: bool = False
    ) -> None:
        self._reader = reader
        self._sender = f"MAIL FROM:<{sender}>\r\n".encode("ascii")
        self._pipelines = pipelines
        self._timeouts = timeouts
        self.is_slow = is_slow
        """Whether the server takes its time over a mail. Then no envelope is begun behind it: it would be left, and the
        connection with it."""
        self._count = 0
        self._must_reset = False
        self._ahead: Composed | None = None
        """Its envelope is begun, its message is not."""
        self._out: Composed | None = None
        """Its message began to be written, and no reply came yet."""
        self._behind = 0
        """How many bytes were written behind its message, at most."""
        self._refusal: Verdict | None = None
        """What the server said against the envelope that is heard now."""
        self._is_at_recipient = False
        """Whether the server took the sender of the envelope that is heard now, and is at its recipient."""
        self._used_at = asyncio.get_running_loop().time()
        self.was_asked = False
        """Whether it was asked if it lives."""
        self.is_out_of_step = False
        """Whether the server offers PIPELINING and failed at the first group of commands, as some firewalls make it."""

    @property
    def is_open(self) -> bool:
        """Whether the server has not hung up, as far as is known."""
        return self._reader.is_open

    @property
    def under_way(self) -> Sequence[Composed]:
        """The mails that were begun here and have no answer."""
        return [mail for mail in (self._out, self._ahead) if mail is not None]

    def is_stalled(self, now: float, *, seconds: float | None = None) -> bool:
        """Whether, by the loop's time, a reply has been waited for too long for others to wait, too, or for so long."""
        since = self._reader.waiting_since
        return since is not None and now - since >= (STALL_SECONDS if seconds is None else seconds)

    def hangs_at_recipient(self, now: float, *, seconds: float) -> bool:
        """Whether a mail has hung for so long though the server took its sender, and nothing of its message went out.

        So the server lives, and what hangs is whom the mail goes to.
        """
        since = self._reader.waiting_since
        is_there = self._out is None and self._ahead is not None and self._is_at_recipient
        return is_there and since is not None and now - since >= seconds

    def hurry(self) -> None:
        """Wait no longer for the reply that is awaited, as if its time was up."""
        self._reader.hurry()

    async def is_alive(self) -> bool:
        """Whether the server still answers, and in step; asks only after a rest."""
        self.was_asked = False
        if self._reader.has_more:
            self.close()
        if not self.is_open or asyncio.get_running_loop().time() - self._used_at < IDLE_SECONDS:
            return self.is_open
        self.was_asked = True
        try:
            self._reader.write(b"NOOP\r\n")
            await self._reader.read(min(ANSWER_SECONDS, self._timeouts.connect))
        except TalkEnded:
            self.close()
        return self.is_open

    async def serve(self, desk: Desk) -> None:
        """Send what the desk gives until it gives nothing more or the connection ends; each is answered or put back.

        If it is cancelled, a mail that may be out has no answer.
        """
        try:
            self._offer(desk, after=())
            while self._ahead is not None:
                await self._send(self._ahead, desk)
        except Exception as error:  # noqa: BLE001 - whatever breaks here, the answers of the others must be kept
            self.close()
            self._break(error, desk)
        except BaseException:
            self.close()
            raise
        finally:
            self._used_at = asyncio.get_running_loop().time()
            self._return_ahead(desk)

    def close(self) -> None:
        """Hang up."""
        self._reader.close()

    async def quit(self) -> None:
        """Say goodbye, without insisting."""
        try:
            self._reader.write(b"QUIT\r\n")
            await self._reader.read(1.0)
        except TalkEnded:
            pass
        finally:
            self.close()
            self._reader.abort()

    def _break(self, error: Exception, desk: Desk) -> None:
        if self._out is not None:
            desk.broke(self._out, error, may_be_out=True)
        elif self._ahead is not None:
            mail, self._ahead = self._ahead, None
            desk.broke(mail, error, may_be_out=False)

    async def _send(self, mail: Composed, desk: Desk) -> None:
        try:
            refusal = await self._hear_envelope(mail)
            wire = () if refusal else on_wire(mail)
            if refusal is None and not self.is_open:
                raise HungUp
            if refusal is None and self._reader.has_more:
                # It came before the message, so it cannot be the reply to it.
                raise Garbled
        except TalkEnded as ended:
            self._ahead = None
            self._give_up(mail, ended, desk)
            return
        self._ahead = None
        if refusal is not None:
            desk.answer(mail, refusal)
            self._offer(desk, after=())
            return
        self._out = mail
        began = asyncio.get_running_loop().time()
        self._offer(desk, after=wire)
        verdict = await self._hear_end(mail, desk)
        self.is_slow = asyncio.get_running_loop().time() - began >= SLOW_SECONDS
        self._out = None
        desk.answer(mail, verdict)
        self._go_on(desk)

    def _go_on(self, desk: Desk) -> None:
        if not self.is_open:
            self._return_ahead(desk)
        elif self._ahead is None:
            self._offer(desk, after=())

    def _offer(self, desk: Desk, *, after: Sequence[bytes]) -> None:
        """Write a message, if there is one, and behind it in the same write the envelope of the next mail."""
        is_time = not after or (self._pipelines and not self.is_slow)
        following = self._take(desk) if self.is_open and is_time else None
        if following is not None:
            self._ahead, self._count = following, self._count + 1
        commands = b"".join(self._commands(following)) if following is not None and self._pipelines else b""
        self._behind = self._reader.most_unsent_of(commands)
        if after or commands:
            self._reader.write(b"".join(after), commands)

    def _take(self, desk: Desk) -> Composed | None:
        while (mail := desk.next()) is not None:
            if is_writable(mail.recipient):
                return mail
            desk.answer(mail, Verdict(answer=Answer.NEVER, reason="the address cannot be written in SMTP"))
        return None

    @property
    def _steps(self) -> tuple[_Step, ...]:
        return (_Step.RESET, *_ENVELOPE) if self._must_reset else _ENVELOPE

    def _commands(self, mail: Composed) -> tuple[bytes, ...]:
        """One for each of the steps."""
        envelope = self._sender, b"RCPT TO:<%b>\r\n" % mail.recipient.encode("ascii"), b"DATA\r\n"
        return (b"RSET\r\n", *envelope) if self._must_reset else envelope

    async def _hear_envelope(self, mail: Composed) -> Verdict | None:
        """None if the message may be written now. The first refusal counts; those behind it are its echo."""
        self._refusal, self._is_at_recipient = None, False
        try:
            await self._hear_steps(mail)
        except Garbled:
            raise
        except TalkEnded:
            if self._refusal is None:
                raise
            # It was said before the connection ended.
            self.close()
        self._must_reset = self._refusal is not None
        return self._refusal

    async def _hear_steps(self, mail: Composed) -> None:
        # Made at once: what must be reset was decided when they were written.
        steps, commands = self._steps, () if self._pipelines else self._commands(mail)
        for number, step in enumerate(steps):
            if commands:
                self._reader.write(commands[number])
            reply = await self._reader.read(self._timeouts.data if step is _Step.DATA else self._timeouts.command)
            self._must_reset = False
            if not _fits(step, reply):
                self._refusal = self._refusal or _judge(step, reply, mail)
                if not self._pipelines:
                    break
            elif step is _Step.SENDER:
                self._is_at_recipient = True
            elif step is _Step.DATA and self._refusal is not None:
                await self._send_nothing()

    async def _send_nothing(self) -> None:
        """The server would take a message for nobody (RFC 2920 section 3.1): it gets an empty one."""
        self._reader.write(b".\r\n")
        await self._reader.read(self._timeouts.message)

    def _give_up(self, mail: Composed, ended: TalkEnded, desk: Desk) -> None:
        """The connection ended before the message: if it served others before, another one should try."""
        self.close()
        self.is_out_of_step = self._pipelines and self._count == 1 and not isinstance(ended, _Closing)
        if not isinstance(ended, TooSlow) and self._count > 1:
            desk.put_back(mail)
        elif isinstance(ended, _Closing):
            desk.answer(mail, _judge(ended.step, ended.reply, mail))
        else:
            desk.answer(mail, judge_ended(understood=not isinstance(ended, Garbled)))

    async def _hear_end(self, mail: Composed, desk: Desk) -> Verdict:
        is_last = self._ahead is None
        try:
            reply = await self._hear_reply_to_message(desk)
        except TalkEnded as ended:
            if is_last and self._reader.holds_back:
                # Closing would send the rest of it, after all.
                self._reader.abort()
                return judge_ended(understood=True)
            self.close()
            reason = "the reply to the message was not understood" if isinstance(ended, Garbled) else LOST
            return Verdict(answer=Answer.AMBIGUOUS, reason=reason)
        if reply.unsent > self._behind:
            return self._judge_early(reply, mail)
        if 300 <= reply.code < 400:
            self.close()
            return Verdict(answer=Answer.AMBIGUOUS, reason="the reply to the message was not understood")
        if reply.code == CLOSING:
            self.close()
        return judge_reply(reply.code, reply.text, recipient=mail.recipient)

    def _judge_early(self, reply: Reply, mail: Composed) -> Verdict:
        """It came before the end of the message had gone out: a refusal holds, but nobody can have taken it whole.

        The rest is thrown away with the connection: who refused may read it as commands.
        """
        self._reader.abort()
        if reply.code < 300:
            return Verdict(answer=Answer.AMBIGUOUS, reason=EARLY)
        if reply.code < 400:
            return judge_ended(understood=False)
        return judge_reply(reply.code, reply.text, recipient=mail.recipient)

    async def _hear_reply_to_message(self, desk: Desk) -> Reply:
        """Wait long, but let nobody wait behind it: an envelope that was begun can only be left with the connection."""
        quick = min(STALL_SECONDS, self._timeouts.message)
        if self._ahead is None:
            return await self._reader.read(self._timeouts.message)
        try:
            return await self._reader.read(quick)
        except TooSlow:
            self._return_ahead(desk)
        try:
            return await self._reader.read(self._timeouts.message - quick)
        finally:
            self.close()

    def _return_ahead(self, desk: Desk) -> None:
        mail, self._ahead = self._ahead, None
        if mail is not None:
            desk.put_back(mail)


def is_writable(address: str) -> bool:
    """Whether an address can stand in a command as it is."""
    return _WRITABLE.fullmatch(address) is not None


def on_wire(mail: Composed) -> Sequence[bytes]:
    """A mail's message as it goes over the wire, with its final dot; in parts, as it is long and joined later."""
    return (mail.message, b".\r\n") if mail.is_wire_form else (dot_stuffed(mail.message),)


def dot_stuffed(message: bytes) -> bytes:
    """The message as it goes over the wire (RFC 5321 section 4.5.2), with CRLF line ends only, and its final dot.

    A line end of another kind, left in, could end the message early and smuggle in another one.
    """
    ends = message.count(b"\r\n")
    if message.count(b"\n") != ends or message.count(b"\r") != ends or not message.endswith(b"\r\n"):
        message = normalize_message_line_endings(message)
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return (b"." + stuffed if stuffed.startswith(b".") else stuffed) + b".\r\n"


def _fits(step: _Step, reply: Reply) -> bool:
    """Whether a step may be followed by the next.

    Raises:
        _Closing: the server is about to hang up.
        Garbled: this cannot be the reply to this step.
    """
    if reply.code == CLOSING:
        raise _Closing(step, reply)
    if reply.code >= 400 and step is not _Step.RESET:
        return False
    expected = reply.code == _GO_AHEAD if step is _Step.DATA else 200 <= reply.code < 300
    if not expected:
        raise Garbled
    return True


def _judge(step: _Step, reply: Reply, mail: Composed) -> Verdict:
    if step is _Step.SENDER:
        return judge_sender(reply.code, reply.text)
    return judge_reply(reply.code, reply.text, recipient=mail.recipient)
