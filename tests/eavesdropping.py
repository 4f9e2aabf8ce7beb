"""Overhears everything that a Redis server is told, and reads what it keeps."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis


@dataclass(slots=True)
class Overheard:
    """What a server was told, and what it kept."""

    told: list[bytes] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    url: str = ""

    @property
    def everything(self) -> bytes:
        """All of it."""
        return b"\n".join([*self.told, *self.kept])

    def dump(self) -> None:
        """Read what is kept now, keys and values."""
        client = redis.Redis.from_url(self.url)
        for key in client.scan_iter():
            self.kept += [key, client.dump(key) or b""]
        client.close()


@contextmanager
def overhear(url: str) -> Iterator[Overheard]:
    """Overhear a server for as long as the block runs."""
    overheard = Overheard(url=url)
    client = redis.Redis.from_url(url, socket_timeout=None)
    monitor = client.monitor()  # type: ignore[no-untyped-call]  # it ships no type
    monitor.__enter__()
    ended = threading.Event()

    def listen() -> None:
        while not ended.is_set():
            try:
                overheard.told.append(str(monitor.next_command()).encode("utf-8", "surrogateescape"))
            except (redis.RedisError, ValueError, AttributeError):
                return

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield overheard
    finally:
        ended.set()
        client.close()
