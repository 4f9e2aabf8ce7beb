"""Counts in this process's own memory: the library's, but without looking through all of them at every request."""

import threading
import time

from limits.storage import MemoryStorage

TIDY_SECONDS = 60.0
MOST_KEYS = 200_000
"""At some 300 bytes each. Beyond them those go that would go soonest."""


class OwnCounts(MemoryStorage):
    """The library looks through all it holds a moment after each count; with 40,000 networks that is half a CPU.

    Nothing is counted longer for it: what has run out is not read, wherever it still lies.
    """

    def __init__(self, *, most: int = MOST_KEYS) -> None:
        super().__init__()
        self.timer.cancel()
        self.timer = _Never(0, lambda: None)
        self._most = most
        self._tidied_at = time.time()

    def tidy(self) -> None:
        """Let go of what has run out, once a minute; to be called by whoever has the turn to count."""
        now = time.time()
        if now < self._tidied_at + TIDY_SECONDS and len(self.expirations) <= self._most:
            return
        self._tidied_at = now
        ends = sorted((end, key) for key, end in self.expirations.items())
        too_many = len(ends) - self._most * 9 // 10 if len(ends) > self._most else 0
        for place, (end, key) in enumerate(ends):
            if end > now and place >= too_many:
                break
            self.clear(key)


class _Never(threading.Timer):
    """A timer that the library takes for running, so that it starts no other."""

    def is_alive(self) -> bool:
        return True
