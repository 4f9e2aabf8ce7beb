"""A mail server that accepts everything at once and keeps nothing; prints its port and runs until it is stopped."""

import asyncio

_OFFERS = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 20000000\r\n250 ENHANCEDSTATUSCODES\r\n"


async def serve() -> None:
    """Listen on a free local port."""
    server = await asyncio.start_server(_talk, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 sink\r\n")
    try:
        while line := await reader.readline():
            command = line[:4].upper()
            writer.write(_reply(command))
            if command == b"DATA":
                await writer.drain()
                await _swallow(reader)
                writer.write(b"250 2.0.0 taken\r\n")
            if command == b"QUIT":
                break
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.readline() != b".\r\n":
        pass


def _reply(command: bytes) -> bytes:
    if command == b"EHLO":
        return _OFFERS
    return {b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}.get(command, b"250 2.0.0 ok\r\n")


if __name__ == "__main__":
    asyncio.run(serve())
