"""A mail server that offers PIPELINING and misbehaves in one way, by command, and writes its replies as told."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from notifier.config import MailServer

HANG = "hang"
DROP = "drop"
HELLO = "250-here\r\n250-PIPELINING\r\n250 8BITMIME"


@dataclass
class Script:
    """``replies`` by ``RCPT:ada``, and ``DATA:ada``, ``MESSAGE:ada`` for what follows it; what is missing is well.

    A reply is text, several lines perhaps, or HANG, or DROP, or begins with ``after 1.5 ``, in seconds, or with
    ``when told ``, which is when ``may_answer`` is set. ``MESSAGE:`` is
    replied to after the dot; ``PART:``, with ``read_bytes`` of the message read, before the rest. ``AHEAD:`` asks for
    the next envelope before that last reply.
    """

    replies: dict[str, str] = field(default_factory=dict)
    hello: str = HELLO
    piece: int = 0
    """Replies are written so many bytes at a time; 0 for whole."""
    mails_per_connection: int | None = None
    most_connections: int | None = None
    """At once; who comes then is told so and hung up on."""
    read_bytes: int = 0
    may_answer: threading.Event = field(default_factory=threading.Event)
    drops_groups: bool = False
    """Hangs up on who sends more than one command at once, whatever it offers."""
    port: int = 0
    connections: int = 0
    open_connections: int = 0
    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    @property
    def server(self) -> MailServer:
        """How to reach it."""
        return MailServer(host="127.0.0.1", port=self.port, tls="none")

    @property
    def recipients(self) -> list[str]:
        """Who got a mail, in order."""
        return [name for name, _ in self.accepted]


@dataclass
class _Talk:
    script: Script
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    name: str = ""
    open_ones: list[str] = field(default_factory=list)
    in_mail: bool = False
    taken: int = 0

    async def go(self) -> None:
        self.script.connections += 1
        if self.script.open_connections == self.script.most_connections:
            await self.say("421 4.7.0 too many connections")
            return
        self.script.open_connections += 1
        try:
            await self.listen()
        finally:
            self.script.open_connections -= 1

    async def listen(self) -> None:
        await self.say("220 here")
        while line := (await self.reader.readline()).decode().rstrip("\r\n"):
            self.script.heard.append(line)
            await self.obey(line)

    async def obey(self, line: str) -> None:
        verb = line[:4].upper()
        if verb == "EHLO":
            await self.say(self.script.hello)
        elif verb == "MAIL":
            await self.begin(line)
        elif verb == "RCPT":
            self.name = line[len("RCPT TO:<") :].partition("@")[0]
            reply = self.script.replies.get(f"RCPT:{self.name}")
            if not self.in_mail:
                reply = "503 5.5.1 no MAIL"
            elif reply is None:
                self.open_ones.append(self.name)
            await self.say(reply or "250 2.1.5 ok")
        elif verb == "DATA":
            await self.take_data()
        elif verb == "RSET":
            self.in_mail, self.open_ones = False, []
            await self.say("250 2.0.0 ok")
        else:
            await self.say(self.script.replies.get(verb, "221 bye" if verb == "QUIT" else "250 ok"))

    async def begin(self, line: str) -> None:
        if self.script.drops_groups and self.reader._buffer:  # type: ignore[attr-defined]
            raise ConnectionError
        if self.taken == self.script.mails_per_connection:
            await self.say("421 4.7.0 enough for now")
            raise ConnectionError
        if self.in_mail:
            await self.say("503 5.5.1 nested MAIL")
            return
        reply = self.script.replies.get("MAIL")
        self.in_mail = reply is None or reply.startswith("250")
        await self.say(reply or "250 2.1.0 ok")

    async def take_data(self) -> None:
        reply = self.script.replies.get(f"DATA:{self.name}")
        if reply is None and not self.open_ones:
            reply = "554 5.5.1 no valid recipients"
        await self.say(reply or "354 go")
        if reply is not None and not reply.startswith("354"):
            return
        if self.script.read_bytes and f"PART:{self.name}" in self.script.replies:
            await self.reader.readexactly(self.script.read_bytes)
            await self.say(self.script.replies[f"PART:{self.name}"])
        message = bytearray()
        while not message.endswith(b"\r\n.\r\n") and message != b".\r\n":
            message += await self.reader.readexactly(1) if len(message) < 3 else await self.reader.readuntil()
        names, self.open_ones, self.in_mail = self.open_ones, [], False
        reply = self.script.replies.get(f"MESSAGE:{self.name}", "250 2.0.0 queued" if names else "554 5.5.1 nobody")
        if reply.startswith(("250", "after ", "when told ")) or reply in (HANG, DROP):
            self.script.accepted += [(name, bytes(message[: -len(b".\r\n")])) for name in names]
            self.taken += 1
        ahead = await self.reader.readuntil(b"DATA\r\n") if f"AHEAD:{self.name}" in self.script.replies else b""
        await self.say(reply)
        for line in ahead.decode().splitlines():
            await self.obey(line)

    async def hang(self) -> None:
        """For minutes, or until the client has hung up."""
        for _ in range(10_000):
            if self.reader._eof:  # type: ignore[attr-defined]
                break
            await asyncio.sleep(0.02)
        raise ConnectionError

    async def say(self, reply: str) -> None:
        if reply == DROP:
            assert isinstance(self.writer.transport, asyncio.Transport)
            self.writer.transport.abort()
            raise ConnectionError
        if reply == HANG:
            await self.hang()
        if reply.startswith("after "):
            _, seconds, reply = reply.split(" ", 2)
            await asyncio.sleep(float(seconds))
        if reply.startswith("when told "):
            reply = reply.removeprefix("when told ")
            await asyncio.to_thread(self.script.may_answer.wait, 100)
        data = reply.encode() + b"\r\n"
        piece = self.script.piece or len(data)
        for start in range(0, len(data), piece):
            self.writer.write(data[start : start + piece])
            await self.writer.drain()
            if self.script.piece:
                await asyncio.sleep(0.001)


@contextmanager
def scripted(script: Script) -> Iterator[Script]:
    """A server that goes by the script, on a free port, in a thread of its own."""
    loop = asyncio.new_event_loop()
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await _Talk(script, reader, writer).go()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def end(server: asyncio.Server) -> None:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0.01)

    server = loop.run_until_complete(asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 24))
    script.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield script
    finally:
        asyncio.run_coroutine_threadsafe(end(server), loop).result(5)
        _stop(loop, thread)


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
