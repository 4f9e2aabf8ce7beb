"""A Redis server on one port that a row may kill, freeze, fill or empty, and start again."""

import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field

from redis import Redis

from tests.servers import free_port, redis_on


@dataclass(slots=True)
class Broker:
    """It keeps nothing on disk, so that a killed one forgets everything."""

    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        """Where Celery finds it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process is None:
            self.process = self._running.enter_context(redis_on(self.port))

    def kill(self) -> None:
        """Kill it at once."""
        if self.process is not None:
            self.process.kill()
            self._running.close()
            self.process = None

    def freeze(self) -> None:
        """Keep its connections open and answer nobody."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def empty(self) -> None:
        """Forget everything."""
        with Redis(port=self.port) as client:
            client.flushall()

    def allow(self, megabytes: int) -> None:
        """Refuse what needs more memory than this; 0 for no limit."""
        with Redis(port=self.port) as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", f"{megabytes}mb" if megabytes else "0")
