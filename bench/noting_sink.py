"""A mail server in a thread that takes everything, keeps nothing, and notes when each mailbox got its first mail."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_OFFERS = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
_LARGEST = 1 << 24


@dataclass(slots=True)
class Arrivals:
    """When mails came, by ``time.monotonic``; ``count`` of all, also of those to the same mailbox."""

    port: int = 0
    count: int = 0
    at: dict[str, float] = field(default_factory=dict)

    def note(self, recipient: str) -> None:
        """One mail was taken."""
        self.count += 1
        self.at.setdefault(recipient, time.monotonic())


@contextmanager
def noting_sink() -> Iterator[Arrivals]:
    """Run it on a free port."""
    arrivals, loop = Arrivals(), asyncio.new_event_loop()
    server = loop.run_until_complete(_start(arrivals))
    arrivals.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="noting-sink", daemon=True)
    thread.start()
    try:
        yield arrivals
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_end_talks())
        loop.close()


async def _start(arrivals: Arrivals) -> asyncio.Server:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Talk(reader, writer, arrivals).go()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(talk, "127.0.0.1", 0, limit=_LARGEST)


async def _end_talks() -> None:
    talks = asyncio.all_tasks() - {asyncio.current_task()}
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


@dataclass(slots=True)
class _Talk:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    arrivals: Arrivals
    recipient: str = ""

    async def go(self) -> None:
        """Answer command after command, until QUIT."""
        self.writer.write(b"220 sink\r\n")
        while line := await self.reader.readline():
            command = line[:4].upper()
            self.writer.write(self._reply(command))
            if command == b"QUIT":
                return
            if command == b"RCPT":
                self.recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            if command == b"DATA":
                await self.reader.readuntil(b"\r\n.\r\n")
                self.arrivals.note(self.recipient)
                self.writer.write(b"250 2.0.0 taken\r\n")

    def _reply(self, command: bytes) -> bytes:
        if command == b"EHLO":
            return _OFFERS
        return {b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}.get(command, b"250 2.0.0 ok\r\n")
