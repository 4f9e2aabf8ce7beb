"""Runs what ours is compared with: Postfix's own load generator, the naive pipeline, and django-post-office."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import select

from bench.installations import REPOSITORY
from bench.mail_sinks import find_program
from notifier.emails.templates import render_digest
from notifier.rounds import Service
from notifier.store.models import Subscriber

SESSIONS = 8
LOCK = REPOSITORY / "requirements-bench.lock"
SENDER = "updates@updates.example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many mails, in how long, with how much processor time of the sender, and how large they are on average."""

    sent: int
    seconds: float
    cpu: float
    mean_bytes: int

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.sent / self.seconds


def smtp_source(port: int, *, mails: int, size: int) -> Pace | None:
    """Postfix's load generator, which makes nothing: its mails are one line over and over. None where it is missing."""
    program = find_program("smtp-source")
    if program is None:
        return None
    command = [program, "-d", "-s", str(SESSIONS), "-l", str(size), "-m", str(mails), "-f", SENDER]
    began, cpu = time.perf_counter(), _cpu_of_ended()
    subprocess.run([*command, "-t", "reader@example.org", f"127.0.0.1:{port}"], check=True)
    seconds = time.perf_counter() - began
    return Pace(sent=mails, seconds=seconds, cpu=_cpu_of_ended() - cpu, mean_bytes=size)


def naive(samples: Path, port: int, *, mean_bytes: int) -> Pace:
    """The naive pipeline with mails like ours."""
    command = [sys.executable, "-m", "bench.rival_naive", str(samples), str(port)]
    return _pace(_run(command), mean_bytes=mean_bytes)


def post_office(python: Path, samples: Path, port: int, *, home: Path, mean_bytes: int) -> Pace:
    """django-post-office with the bodies of ours, in an environment of its own."""
    home.mkdir(parents=True)
    command = [str(python), str(REPOSITORY / "bench" / "rival_post_office.py"), str(samples), str(port), str(home)]
    return _pace(_run(command), mean_bytes=mean_bytes)


def make_environment(folder: Path) -> Path:
    """The Python of a virtual environment with what the lock of the bench names; made once, then kept."""
    python = folder / "bin" / "python"
    marker = folder / "lock"
    if marker.exists() and marker.read_bytes() == LOCK.read_bytes():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    install = ["-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes", "-r", str(LOCK)]
    subprocess.run([str(python), *install], check=True)
    marker.write_bytes(LOCK.read_bytes())
    return python


def write_samples(service: Service, *, to: Path, count: int) -> int:
    """The digests of some readers for whom news waits, as values and as bodies, one a line; how many there are."""
    database, written = service.installation.database, 0
    with database.reading() as session, to.open("w", encoding="utf-8") as file:
        for reader in session.scalars(select(Subscriber.id).order_by(Subscriber.id).limit(count)).all():
            digest = service.composer.compose_digest(session, reader)
            if digest is None:
                continue
            mail = render_digest(digest)
            sample = {
                "from": SENDER,
                "to": f"reader.{reader}@mail1.example.org",
                "subject": mail.subject,
                "text": mail.text,
                "html": mail.html,
                "unsubscribe": digest.one_click_url,
                "digest": msgspec.to_builtins(digest),
            }
            file.write(json.dumps(sample) + "\n")
            written += 1
    return written


def _cpu_of_ended() -> float:
    """Seconds of processor time of the processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(command: Sequence[str]) -> dict[str, float]:
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def _pace(said: dict[str, float], *, mean_bytes: int) -> Pace:
    return Pace(
        sent=int(said["sent"]),
        seconds=said["seconds"],
        cpu=said["cpu"],
        mean_bytes=int(said.get("bytes", mean_bytes)),
    )
