"""Reads the replies of a mail server, one after the other, however they arrive; RFC 5321 section 4.2."""

import asyncio
import re
from collections import deque
from typing import NamedTuple

LONGEST_LINE = 4096
"""RFC 5321 section 4.5.3.1.5 says 512; some servers write more."""
MOST_LINES = 128
RECORD_MORE = 256
"""By how much a TLS record may be longer than what it holds, up to 16 kB (RFC 8446 section 5.2)."""

_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)


class Reply(NamedTuple):
    """A reply: its code, the text of its lines, and how much of what was written lay in our buffers when it came."""

    code: int
    text: str
    unsent: int = 0


class TalkEnded(Exception):
    """Nothing more can be heard on a connection."""


class HungUp(TalkEnded):
    """The connection is gone."""


class TooSlow(TalkEnded):
    """No reply came in time."""


class Garbled(TalkEnded):
    """What came is no reply, or none to what was asked."""


class ReplyReader(asyncio.Protocol):
    """One connection: what is written to it, and the replies in their order.

    It takes the place of another protocol on a transport, between two replies.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        # TLS hands what it encrypted to a transport of its own, which keeps what cannot go out, and names it nowhere.
        below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
        self._transports: tuple[asyncio.Transport, ...] = (transport,) if below is None else (transport, below)
        self._loop = asyncio.get_running_loop()
        self._part = b""
        self._lines: list[bytes] = []
        self._code = b""
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        """Rings at the deadline or before, as most replies come long before one is needed."""
        self._end: TalkEnded | None = None
        self.holds_back = False
        """Whether something that was written has not left this machine's buffers."""
        self.waiting_since: float | None = None
        """Since when a reply is waited for, however often, by the loop's time."""
        # So that pause_writing tells at once that something could not go out. Not 0: in TLS that is reached by nothing.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether the server has not hung up, as far as is known."""
        return self._end is None and not self._transport.is_closing()

    @property
    def has_more(self) -> bool:
        """Whether something came that nobody asked for."""
        return bool(self._replies or self._lines or self._part)

    def most_unsent_of(self, part: bytes) -> int:
        """How much may lie in our buffers of a part that is short: encrypted, it is longer."""
        return len(part) + (RECORD_MORE if part and len(self._transports) > 1 else 0)

    @property
    def unsent(self) -> int:
        """How many bytes lie in our buffers."""
        return sum(transport.get_write_buffer_size() for transport in self._transports)

    def write(self, *parts: bytes) -> None:
        """Send bytes, all parts in one write; encrypted, none shares a record with another.

        Raises:
            HungUp: the connection is gone, and nothing was sent.
        """
        if not self.is_open:
            raise self._end or HungUp
        self._transport.writelines([part for part in parts if part])

    async def read(self, seconds: float) -> Reply:
        """The next reply, whole within so many seconds.

        Raises:
            HungUp: the connection is gone.
            TooSlow: it did not come in time; it may still be read.
            Garbled: what came is no reply.
        """
        if not self._replies:
            await self._wait(seconds)
        if self._replies:
            self.waiting_since = None
            return self._replies.popleft()
        raise self._end or TooSlow

    async def _wait(self, seconds: float) -> None:
        if self._end is not None:
            return
        self._waiter = self._loop.create_future()
        now = self._loop.time()
        self.waiting_since = self.waiting_since or now
        self._deadline = now + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._set_timer()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def hurry(self) -> None:
        """Have who waits for a reply wait no longer, as if the time was up."""
        self._wake()

    def _set_timer(self) -> None:
        self._stop_timer()
        self._timer = self._loop.call_at(self._deadline, self._look_at_time)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _look_at_time(self) -> None:
        self._timer = None
        if self._waiter is not None and self._loop.time() < self._deadline:
            self._set_timer()
        else:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Take what came apart into replies."""
        *lines, self._part = (self._part + data).split(b"\n")
        for line in lines:
            self._take(line.rstrip(b"\r"))
        if len(self._part) > LONGEST_LINE:
            self._give_up()
        if self._replies or self._end is not None:
            self._wake()

    def _take(self, line: bytes) -> None:
        found = _LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
        if found is None or (self._lines and found[1] != self._code) or len(self._lines) >= MOST_LINES:
            self._give_up()
            return
        self._code, mark, words = found.groups(b"")
        self._lines.append(words)
        if mark != b"-":
            said, self._lines = b"\n".join(self._lines), []
            if self._end is None:
                self._replies.append(Reply(int(self._code), said.decode("utf-8", "replace"), self.unsent))

    def _give_up(self) -> None:
        """Replies can no longer be told apart: none of those to come may count for anything."""
        self._end = self._end or Garbled()
        self._part = b""
        self._transport.close()

    def pause_writing(self) -> None:
        """Called when something could not go out at once."""
        self.holds_back = True

    def resume_writing(self) -> None:
        """Called when all that was written has gone out."""
        self.holds_back = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once, at the end."""
        self._end = self._end or HungUp()
        self._stop_timer()
        self._wake()

    def close(self) -> None:
        """Hang up."""
        self._end = self._end or HungUp()
        self._transport.close()
        self._wake()

    def abort(self) -> None:
        """Hang up without any goodbye of TLS, which would outlast a loop that ends now."""
        self._transport.abort()
