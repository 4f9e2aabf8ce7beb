"""A mail server in a process of its own: writes down what it accepts before it says so, and misbehaves as told.

Arguments: its port, and a folder with ``manners.json`` (what to do, read at each mail) and ``accepted`` (what it took).
"""

import asyncio
import json
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PHASES = ("connect", "ehlo", "mail", "rcpt", "data", "message", "accepted")
"""Where something may be told to happen: before the reply to each; ``accepted`` is after a 250 has left."""
_OFFERS = ("250-sink", "250-PIPELINING", "250-8BITMIME", "250-SIZE 20000000", "250 ENHANCEDSTATUSCODES")
_REPLIES = {
    "connect": "220 sink",
    "ehlo": "\r\n".join(_OFFERS),
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go on",
    "message": "250 2.0.0 taken",
}
_KINDS = {"2": "taken", "4": "put-off", "5": "refused"}
_VERBS = {b"EHLO": "ehlo", b"HELO": "ehlo", b"MAIL": "mail", b"RCPT": "rcpt", b"DATA": "data"}
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
    recipient: str = ""

    async def run(self) -> None:
        await self.answer("connect")
        while line := await self.reader.readline():
            phase = _VERBS.get(line[:4].upper())
            if line[:4].upper() == b"QUIT":
                self.writer.write(b"221 bye\r\n")
                break
            if phase == "rcpt":
                self.recipient = _address_in(line)
            reply = await self.answer(phase) if phase else self.say("250 2.0.0 ok")
            if phase == "data" and reply.startswith("354"):
                await self.take()
            await self.writer.drain()

    async def take(self) -> None:
        """Read a message to its final dot, and keep it unless told to refuse it."""
        await self.writer.drain()
        content = await _read_message(self.reader)
        if await self.sink.misbehave("message", self) == "lose":
            raise _Gone
        reply = self.sink.reply("message", self.recipient)
        self.sink.note(_KINDS[reply[0]], self.recipient, content)
        self.say(reply)
        await self.writer.drain()
        await self.sink.misbehave("accepted", self)

    async def answer(self, phase: str) -> str:
        if await self.sink.misbehave(phase, self) == "lose":
            raise _Gone
        reply = self.sink.reply(phase, self.recipient)
        if phase == "rcpt" and not reply.startswith("2"):
            self.sink.note(_KINDS[reply[0]], self.recipient, b"")
        return self.say(reply)

    def say(self, reply: str) -> str:
        self.writer.write(f"{reply}\r\n".encode())
        return reply


@dataclass(slots=True)
class _Sink:
    folder: Path
    log: int
    manners: dict[str, Any] = field(default_factory=dict)
    seen: int = -1

    def look(self) -> dict[str, Any]:
        """The manners as they are now."""
        file = self.folder / "manners.json"
        changed = file.stat().st_mtime_ns
        if changed != self.seen:
            self.seen, self.manners = changed, json.loads(file.read_text())
        return self.manners

    def reply(self, phase: str, recipient: str) -> str:
        """What to say: ``replies`` is by phase, then by the end of the recipient's address."""
        for end, said in self.look().get("replies", {}).get(phase, {}).items():
            if recipient.endswith(end):
                return str(said)
        return _REPLIES[phase]

    async def misbehave(self, phase: str, talk: _Talk) -> Literal["lose", ""]:
        """Wait, kill, hang or drop the connection, if told to at this phase."""
        manners = self.look()
        if not talk.recipient.endswith(manners.get("only", "")):
            return ""
        await asyncio.sleep(manners.get("pause", {}).get(phase, 0))
        if manners.get("kill_at") == phase:
            self.kill(manners["group"])
        if manners.get("hang_at") == phase:
            await asyncio.sleep(3600)
        if manners.get("drop_at") == phase:
            talk.writer.transport.abort()
            return "lose"
        return ""

    def kill(self, group: int) -> None:
        """Kill a group of processes once: who comes after it is left alone."""
        (self.folder / "manners.json").write_text("{}")
        os.killpg(group, signal.SIGKILL)

    def note(self, what: str, recipient: str, content: bytes) -> None:
        """Write a line with one write call: the page cache outlives any process, this one too."""
        found = _MESSAGE_ID.search(content)
        named = found[1].decode() if found else ""
        os.write(self.log, f"{time.time():.3f} {what} {recipient} {named}\n".encode())


def _address_in(line: bytes) -> str:
    found = _ADDRESS.search(line)
    return found[1].decode() if found else ""


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    while await reader.readline() != b".\r\n":
        if reader.at_eof():
            raise _Gone
    return head


async def serve(port: int, folder: Path) -> None:
    """Listen until stopped."""
    log = os.open(folder / "accepted", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sink = _Sink(folder, log)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Talk(sink, reader, writer).run()
        except (ConnectionError, _Gone, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port, limit=1 << 22)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
