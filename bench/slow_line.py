"""A line to a local port on which every byte takes some time, as over a distance: bench.slow_line PORT SECONDS.

It passes on as much as comes; only later. Prints its own port and runs until it is stopped.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bench.installations import REPOSITORY, stop

CHUNK = 1 << 16
_END = b""


@contextmanager
def slow_line(port: int, *, round_trip: float) -> Iterator[int]:
    """The port of a line to another one, in a process of its own; a round trip takes so many seconds longer on it."""
    command = [sys.executable, "-m", "bench.slow_line", str(port), str(round_trip / 2)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            stop(process)


async def _serve(port: int, delay: float) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=CHUNK)
        await asyncio.gather(_carry(reader, far_writer, delay), _carry(far_reader, writer, delay))

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=CHUNK)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """One direction: what comes in leaves so many seconds later, in its order."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    leaving = asyncio.create_task(_let_out(under_way, writer))
    clock = asyncio.get_running_loop().time
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            under_way.put_nowait((clock() + delay, data))
    under_way.put_nowait((clock() + delay, _END))
    await leaving


async def _let_out(under_way: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
    clock = asyncio.get_running_loop().time
    with suppress(ConnectionError):
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(0.0, due - clock()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
