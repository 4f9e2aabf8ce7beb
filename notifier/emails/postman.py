"""Hands mails from threads to the one event loop of a process, made at first use and so never inherited by a fork."""

import asyncio
import os
import threading
from collections.abc import Collection, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from notifier.config import MailServer
from notifier.domain.deliveries import Composed
from notifier.emails.pipelining import Timeouts
from notifier.emails.smtp import STOPPED, Relay
from notifier.emails.tray import Tray

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
        self.is_closed = False
        """Whether no more Verdicts will come."""

    def send(self, mails: Sequence[Composed], tray: Tray, *, first: Collection[int] = ()) -> None:
        """Begin to hand mails over, some of them ``first``; the tray fills with a Verdict for each."""
        with self._one_at_a_time:
            if self.is_closed:
                for mail in mails:
                    tray.put(mail.delivery_id, STOPPED)
                return
            relay, loop = self._started()
            loop.call_soon_threadsafe(lambda: relay.take(mails, tray, first=first))

    def abandon(self, tray: Tray) -> None:
        """Hang up on the mails under way whose Verdicts come into this tray; only those that may be out get none."""
        with self._one_at_a_time:
            if self._relay is not None and self._made_in == os.getpid():
                self._post(self._relay.abandon(tray)).result()

    def close(self) -> None:
        """Hang up on what is under way, end the connections, then the loop and its thread."""
        with self._one_at_a_time:
            loop, thread, relay = self._loop, self._thread, self._relay
            if loop is not None and thread is not None and relay is not None and self._made_in == os.getpid():
                self._post(_shut(loop, relay)).result()
                loop.call_soon_threadsafe(loop.stop)
                thread.join()
                loop.close()
            self._loop = self._thread = self._relay = None
            self.is_closed = True

    def _started(self) -> tuple[Relay, asyncio.AbstractEventLoop]:
        if self._relay is not None and self._loop is not None and self._made_in == os.getpid():
            return self._relay, self._loop
        loop = asyncio.new_event_loop()
        relay = Relay(self._server, sender=self._sender, connections=self._connections, timeouts=self._timeouts)
        thread = threading.Thread(target=loop.run_forever, name="postman", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # There is no room for another one: a loop that nobody runs would keep what it is given for ever.
            loop.close()
            raise
        self._made_in, self._loop, self._relay, self._thread = os.getpid(), loop, relay, thread
        return relay, loop

    def _post(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop)


async def _shut(loop: asyncio.AbstractEventLoop, relay: Relay) -> None:
    await relay.close()
    # Transports let go of their sockets in the next rounds of the loop.
    for _ in range(3):
        await asyncio.sleep(0)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
