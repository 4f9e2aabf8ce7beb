"""Has worker processes send a crowd's digests, and says how long it took and what each stage cost."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cpu_stages import cpu_of
from bench.installations import REPOSITORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What a run did: seconds from waiting Matches to all marked sent, and processor time by stage."""

    sent: int
    seconds: float
    planning: float
    stages: dict[str, float]
    server_cpu: float
    peak_bytes: int
    mean_bytes: int
    large: float
    """The share of mails of 40 kB and more."""

    @property
    def rate(self) -> float:
        """Digests a second, planning and all."""
        return self.sent / self.seconds


def send_all(url: str, *, home: Path, port: int, workers: int, server: int | None = None) -> Sending:
    """Plan and send what waits in a database, by so many processes that have made no mail before.

    Raises:
        RuntimeError: something that was planned was not sent.
    """
    with ExitStack() as running:
        processes = [running.enter_context(_worker(url, home=home, port=port)) for _ in range(workers)]
        before = cpu_of(server) if server else 0.0
        began = time.perf_counter()
        planned = _ask(processes[:1], "plan")[0]
        done = _ask(processes, "deliver")
        seconds = time.perf_counter() - began
        server_cpu = (cpu_of(server) if server else 0.0) - before
    sent = sum(one["sent"] for one in done)
    if sent != planned["planned"]:
        raise RuntimeError(f"{planned['planned']} digests were planned, and {sent} sent: {done}")
    stages = Counter({"plan": planned["cpu"]})
    for one in done:
        stages.update(one["stages"])
    peak = max(one["peak_kb"] for one in done) * 1024
    return Sending(
        sent=sent,
        seconds=seconds,
        planning=planned["seconds"],
        stages=dict(stages),
        server_cpu=server_cpu,
        peak_bytes=peak,
        mean_bytes=sum(one["bytes"] for one in done) // sent,
        large=sum(one["large"] for one in done) / sent,
    )


@contextmanager
def _worker(url: str, *, home: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "bench.crowd_worker", str(home), url, str(port)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            _read(process)
            yield process
        finally:
            process.kill()


def _ask(processes: Sequence["subprocess.Popen[str]"], order: str) -> list[dict[str, Any]]:
    """What each answers; all work at once."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{order}\n")
        process.stdin.flush()
    return [_read(process) for process in processes]


def _read(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a worker of the bench ended early")
    said: dict[str, Any] = json.loads(line)
    return said
