"""Hands mails from threads to the one event loop of a process, made at first use and so never inherited by a fork."""

import asyncio
import os
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from notifier.config import MailServer
from notifier.domain.deliveries import Composed, Verdict
from notifier.emails.smtp import Relay, Timeouts

T = TypeVar("T")


class Postman:
    """One event loop in a thread of its own with the connections to the mail server, made at first use."""

    def __init__(self, server: MailServer, *, sender: str, connections: int, timeouts: Timeouts) -> None:
        self._server = server
        self._sender = sender
        self._connections = connections
        self._timeouts = timeouts
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._relay: Relay | None = None
        self._made_in: int | None = None
        self._one_at_a_time = threading.Lock()

    def send(self, mails: Sequence[Composed], verdicts: dict[int, Verdict]) -> "Future[dict[int, Verdict]]":
        """Begin to hand mails over; ``verdicts`` fills as they are earned."""
        with self._one_at_a_time:
            relay = self._started()
            return self._post(relay.send(mails, verdicts=verdicts))

    def close(self) -> None:
        """Hang up on what is under way, end the connections, then the loop and its thread."""
        with self._one_at_a_time:
            loop, thread, relay = self._loop, self._thread, self._relay
            if loop is None or thread is None or relay is None or self._made_in != os.getpid():
                return
            self._post(_shut(loop, relay)).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
            self._loop = self._thread = self._relay = None

    def _started(self) -> Relay:
        if self._relay is None or self._made_in != os.getpid():
            self._made_in = os.getpid()
            self._loop = asyncio.new_event_loop()
            self._relay = Relay(
                self._server, sender=self._sender, connections=self._connections, timeouts=self._timeouts
            )
            self._thread = threading.Thread(target=self._loop.run_forever, name="postman", daemon=True)
            self._thread.start()
        return self._relay

    def _post(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop)


async def _shut(loop: asyncio.AbstractEventLoop, relay: Relay) -> None:
    under_way = asyncio.all_tasks() - {asyncio.current_task()}
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    await relay.close()
    # Transports let go of their sockets in the next rounds of the loop.
    for _ in range(3):
        await asyncio.sleep(0)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
