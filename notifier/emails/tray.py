"""Where the event loop lays down what became of mails, and the thread that handed them over takes it up."""

import threading
import time
from collections import deque

from notifier.domain.deliveries import Verdict, Verdicts


class Tray:
    """Verdicts by Delivery id; one thread puts, another one waits and takes."""

    def __init__(self) -> None:
        self._verdicts: deque[tuple[int, Verdict]] = deque()
        self._wanted = 1
        self._enough = threading.Event()

    def put(self, delivery_id: int, verdict: Verdict) -> None:
        """Lay one down; wakes whoever waits only when there are as many as they want."""
        self._verdicts.append((delivery_id, verdict))
        if len(self._verdicts) >= self._wanted:
            self._enough.set()

    def put_all(self, verdicts: Verdicts) -> None:
        """Lay them down again."""
        for delivery_id, verdict in verdicts.items():
            self.put(delivery_id, verdict)

    def wait(self, wanted: int, *, seconds: float, pause: float) -> None:
        """Until there are so many, or there are some and none came for a ``pause``, but no longer than that."""
        until = time.monotonic() + seconds
        self._wanted = wanted
        self._enough.clear()
        while (before := len(self._verdicts)) < wanted and (left := until - time.monotonic()) > 0:
            if self._enough.wait(min(pause, left)) or 0 < before == len(self._verdicts):
                return

    def take(self) -> dict[int, Verdict]:
        """All that there are."""
        return dict(self._verdicts.popleft() for _ in range(len(self._verdicts)))
