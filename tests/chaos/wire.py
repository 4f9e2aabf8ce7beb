"""A wire to the mail server that carries bytes badly: a few at a time, jumbled, or not to the end."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 1 << 16
LONGEST_PAUSE = 0.005

Pieces = Callable[[bytes], int]
"""How many of the bytes that wait go next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a connection fares: how replies come through, what of commands does, and after how many bytes it is cut."""

    pieces: Pieces = len
    pause: float = 0.0
    commands: Callable[[bytes], bytes | None] = bytes
    """What of a chunk from the client comes through; for None the connection is cut."""
    replies: Callable[[bytes], bytes] = bytes
    cut_after: Callable[[], int | None] = lambda: None


@dataclass(slots=True)
class Wire:
    """A port of its own, and the mail server's; the manner may be changed for the connections to come."""

    to: int
    manner: Manner = field(default_factory=Manner)
    port: int = 0
    connections: int = 0
    cuts: int = 0


@dataclass(slots=True)
class _Talk:
    wire: Wire
    manner: Manner
    left: int | None
    near: asyncio.StreamWriter
    far: asyncio.StreamWriter

    async def carry_commands(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            passed = self.manner.commands(data)
            if passed is None:
                self.cut()
            elif passed:
                await self.pass_on(self.far, passed)

    async def carry_replies(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            data = self.manner.replies(data)
            while data:
                size = self.manner.pieces(data)
                await self.pass_on(self.near, data[:size])
                data = data[size:]
                await asyncio.sleep(self.manner.pause * random.random())

    async def pass_on(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if self.left is not None and self.manner is self.wire.manner:
            writer.write(data[: self.left])
            self.left -= len(data)
            if self.left <= 0:
                self.cut()
        else:
            writer.write(data)
        await writer.drain()

    def cut(self) -> None:
        self.wire.cuts += 1
        raise ConnectionError


async def _carry(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    wire.connections += 1
    try:
        far_reader, far = await asyncio.open_connection("127.0.0.1", wire.to)
    except OSError:
        writer.close()
        return
    talk = _Talk(wire, wire.manner, wire.manner.cut_after(), writer, far)
    ways = [
        asyncio.create_task(talk.carry_commands(reader)),
        asyncio.create_task(talk.carry_replies(far_reader)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()
        far.close()


@contextmanager
def wire_to(port: int, manner: Manner | None = None) -> Iterator[Wire]:
    """A wire to a mail server, in a thread of its own."""
    loop, wire = asyncio.new_event_loop(), Wire(port, manner or Manner())
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        task.add_done_callback(talks.discard)
        with suppress(asyncio.CancelledError):
            await _carry(wire, reader, writer)

    async def end(server: asyncio.Server) -> None:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0.01)

    server = loop.run_until_complete(asyncio.start_server(talk, "127.0.0.1", 0))
    wire.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        asyncio.run_coroutine_threadsafe(end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
