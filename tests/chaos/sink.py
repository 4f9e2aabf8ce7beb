"""A mail server in a process of its own: writes down what it accepts before it says so, and misbehaves as told.

Arguments: its port, and a folder with ``manners.json`` (what to do, read at each command), ``accepted`` (what it took)
and ``heard`` (its refusals, and the steps of securing and logging in).

Manners: ``replies`` by phase and end of the recipient's address; ``pause`` by phase; ``hang_at``, ``drop_at`` and
``kill_at`` a phase, for the recipients ``only`` ends with, and of connections ``each`` second, say. From ``hold_after``
mails on everything waits at the phase ``hold_at`` for other manners. ``offers`` is what EHLO answers; a ``lenient``
server says 354 though nobody is to get the message; STARTTLS goes by ``certificate``, a file; who does not give the
``password``, if there is one, may not send.
"""

import asyncio
import base64
import json
import os
import re
import signal
import ssl
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PHASES = ("connect", "ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data", "message", "kept", "accepted", "quit")
"""Where something may be told to happen: before the reply to each; ``message`` is before a message is kept, ``kept``
between that and its 250, ``accepted`` after that has left."""
OFFERS = ("PIPELINING", "8BITMIME", "SIZE 20000000", "ENHANCEDSTATUSCODES")
_REPLIES = {
    "connect": "220 sink",
    "helo": "250 sink",
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go on",
    "message": "250 2.0.0 taken",
    "quit": "221 2.0.0 bye",
}
HOLDS_FOR = 0.02
"""Seconds after which whoever is held looks again."""
NOTHING = "000"
"""What is written down in place of a reply that never came."""
OUT_OF_ORDER = "503 5.5.1 nothing was begun"
_KINDS = {"2": "taken", "4": "put-off", "5": "refused"}
_VERBS = {b"EHLO": "ehlo", b"HELO": "helo", b"MAIL": "mail", b"RCPT": "rcpt", b"DATA": "data", b"QUIT": "quit"}
_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(rb"<([^>]*)>")


class _Gone(Exception):
    """The connection was dropped on purpose."""


@dataclass(slots=True)
class _Talk:
    """One connection."""

    sink: "_Sink"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int = 0
    recipient: str = ""
    begun: bool = False
    """Whether the step before was not refused."""
    is_known: bool = False

    async def run(self) -> None:
        await self.answer("connect")
        while line := await self.reader.readline():
            await self.obey(line)
            await self.writer.drain()

    async def obey(self, line: bytes) -> None:
        verb = line[:4].upper()
        phase = _VERBS.get(verb)
        if verb == b"STAR":
            await self.hang_or_drop("starttls")
            await self.secure()
        elif verb == b"AUTH":
            await self.hang_or_drop("auth")
            self.log_in(line)
        elif phase is None:
            self.say("250 2.0.0 ok")
        else:
            await self.go_on(phase, line)

    async def go_on(self, phase: str, line: bytes) -> None:
        if phase == "mail":
            self.recipient = ""
        if phase == "rcpt":
            self.recipient = _address_in(line)
        reply = await self.answer(phase)
        if phase == "quit" or reply.startswith("421"):
            raise _Gone
        if phase == "data" and reply.startswith("354"):
            await self.take()

    async def take(self) -> None:
        """Read a message to its final dot, and keep it unless told to refuse it."""
        await self.writer.drain()
        content = await _read_message(self.reader)
        if not self.begun:
            self.say("554 5.5.1 for nobody")
            return
        await self.hang_or_drop("message")
        reply = self.sink.reply("message", self.recipient)
        self.sink.note(_KINDS[reply[0]], self.recipient, content)
        await self.hang_or_drop("kept")
        self.say(reply)
        await self.writer.drain()
        if reply.startswith("421"):
            raise _Gone
        await self.sink.misbehave("accepted", self)

    async def hang_or_drop(self, phase: str) -> None:
        if await self.sink.misbehave(phase, self) == "lose":
            raise _Gone

    async def answer(self, phase: str) -> str:
        await self.hang_or_drop(phase)
        reply = self.choose(phase)
        if phase in ("mail", "rcpt"):
            self.begun = reply[0] == "2"
        if reply[0] in "45" and reply != OUT_OF_ORDER:
            self.sink.hear(phase, reply)
            if phase in ("rcpt", "data"):
                self.sink.note(_KINDS[reply[0]], self.recipient, b"")
        return self.say(reply)

    def choose(self, phase: str) -> str:
        if phase in ("rcpt", "data") and not self.begun and not self.sink.manners.get("lenient"):
            return OUT_OF_ORDER
        if phase == "mail" and not self.is_known and self.sink.manners.get("password"):
            return "530 5.7.0 authentication required"
        return self.sink.reply(phase, self.recipient)

    async def secure(self) -> None:
        certificate = self.sink.look().get("certificate")
        if certificate is None:
            self.say("454 4.7.0 no TLS here")
            return
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        self.say("220 2.0.0 go on")
        await self.writer.drain()
        self.sink.hear("starttls", "220")
        await self.writer.start_tls(context)
        self.sink.hear("secured", "220")

    def log_in(self, line: bytes) -> None:
        """AUTH PLAIN with an initial response (RFC 4616)."""
        given = base64.b64decode(line.split()[-1]).split(b"\0")[-1].decode()
        self.is_known = given == self.sink.look().get("password")
        reply = "235 2.7.0 welcome" if self.is_known else "535 5.7.8 these credentials are not known"
        self.sink.hear("auth", reply)
        self.say(reply)

    def say(self, reply: str) -> str:
        self.writer.write(f"{reply}\r\n".encode())
        return reply


@dataclass(slots=True)
class _Sink:
    folder: Path
    log: int
    heard: int
    connections: int = 0
    manners: dict[str, Any] = field(default_factory=dict)
    seen: int = -1
    taken: int = 0

    def look(self) -> dict[str, Any]:
        """The manners as they are now."""
        file = self.folder / "manners.json"
        changed = file.stat().st_mtime_ns
        if changed != self.seen:
            self.seen, self.manners = changed, json.loads(file.read_text())
        return self.manners

    def reply(self, phase: str, recipient: str) -> str:
        """What to say."""
        for end, said in self.look().get("replies", {}).get(phase, {}).items():
            if recipient.endswith(end):
                return str(said)
        if phase == "ehlo":
            return "\r\n".join(("250-sink", *(f"250-{one}" for one in self.manners.get("offers", OFFERS)), "250 HELP"))
        return _REPLIES[phase]

    async def misbehave(self, phase: str, talk: _Talk) -> Literal["lose", ""]:
        """Wait, kill, hang or drop the connection, if told to at this phase."""
        manners = self.look()
        if not talk.recipient.endswith(manners.get("only", "")) or talk.number % manners.get("each", 1):
            return ""
        while self.holds(phase):  # noqa: ASYNC110 - nothing tells when a file is written
            await asyncio.sleep(HOLDS_FOR)
        await asyncio.sleep(manners.get("pause", {}).get(phase, 0))
        if manners.get("kill_at") == phase:
            self.kill(manners["group"])
        if manners.get("hang_at") == phase:
            self.hear(phase, NOTHING)
            await asyncio.sleep(3600)
        if manners.get("drop_at") == phase:
            talk.writer.transport.abort()
            return "lose"
        return ""

    def holds(self, phase: str) -> bool:
        """Whether what is at this phase is to wait."""
        return phase == self.look().get("hold_at") and self.taken >= self.manners["hold_after"]

    def kill(self, group: int) -> None:
        """Kill a group of processes once: who comes after it is left alone."""
        (self.folder / "manners.json").write_text("{}")
        os.killpg(group, signal.SIGKILL)

    def hear(self, phase: str, reply: str) -> None:
        """Write down a refusal, a silence, or a step of securing and logging in."""
        os.write(self.heard, f"{phase} {reply[:3]}\n".encode())

    def note(self, what: str, recipient: str, content: bytes) -> None:
        """Write a line with one write call: the page cache outlives any process, this one too."""
        self.taken += what == "taken"
        found = _MESSAGE_ID.search(content)
        named = found[1].decode() if found else ""
        os.write(self.log, f"{time.time():.3f} {what} {recipient} {named}\n".encode())


def _address_in(line: bytes) -> str:
    found = _ADDRESS.search(line)
    return found[1].decode() if found else ""


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readline()
    if head == b".\r\n":
        return b""
    head += await reader.readuntil(b"\r\n\r\n")
    while await reader.readline() != b".\r\n":
        if reader.at_eof():
            raise _Gone
    return head


async def serve(port: int, folder: Path) -> None:
    """Listen until stopped."""
    log = os.open(folder / "accepted", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    heard = os.open(folder / "heard", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sink = _Sink(folder, log, heard)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sink.connections += 1
        try:
            await _Talk(sink, reader, writer, sink.connections).run()
        except (OSError, _Gone, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port, limit=1 << 22)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
