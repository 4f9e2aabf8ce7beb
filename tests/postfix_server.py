"""Starts a real Postfix in a folder of its own: as a relay that queues, or as a server that judges recipients."""

import json
import os
import shutil
import smtplib
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import START_SECONDS, ServerMissing, free_port

_PROGRAMS = "/usr/sbin:/usr/lib/postfix/sbin"
_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postfix:
    """A Postfix that runs: its port, and the folder of its configuration, queue and log."""

    port: int
    home: Path

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.home / "postfix.log").read_text()

    @property
    def master(self) -> int:
        """The id of its first process."""
        return int((self.home / "queue" / "pid" / "master.pid").read_text())

    def queue(self) -> Counter[tuple[str, str]]:
        """How many mails wait, by queue and domain of the recipient."""
        return Counter((one["queue_name"], _domain(to)) for one in self.queued() for to in one["recipients"])

    def queued(self) -> list[dict[str, Any]]:
        """Every mail that waits, as its own program lists it."""
        said = _postfix(self.home, "postqueue", "-j")
        return [json.loads(line) for line in said.splitlines()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How it treats mail: the next server by domain, all others' next, and rules for recipients by domain.

    A rule is what may stand in Postfix's access tables, such as ``450 4.2.1 later`` or ``sleep 3``.
    """

    next_port: int
    next_ports: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def postfix_server(judgement: Judgement) -> Iterator[Postfix]:
    """Run a Postfix with a queue of its own.

    Raises:
        ServerMissing: it is not on this machine, or may not be started here.
    """
    if shutil.which("postfix", path=_PROGRAMS) is None:
        raise ServerMissing("no Postfix here: install the package postfix")
    if os.geteuid() != 0:
        raise ServerMissing("Postfix can only be started by root")
    with tempfile.TemporaryDirectory(prefix="notifier-postfix-") as name:
        server = Postfix(port=free_port(), home=Path(name))
        _configure(server, judgement)
        _postfix(server.home, "postfix", "start")
        try:
            _wait_until_it_answers(server)
            yield server
        finally:
            _postfix(server.home, "postfix", "stop")


def _configure(server: Postfix, judgement: Judgement) -> None:
    home = server.home
    # Its programs run as a user of their own, who must get through to the queue.
    home.chmod(0o755)
    for folder in ("config", "queue", "data"):
        (home / folder).mkdir(mode=0o755)
    shutil.chown(home / "data", "postfix")
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": home / "queue",
        "data_directory": home / "data",
        "command_directory": "/usr/sbin",
        "daemon_directory": "/usr/lib/postfix/sbin",
        "maillog_file": home / "postfix.log",
        "maillog_file_prefixes": home,
        "myhostname": "relay.updates.example.org",
        "mydestination": "",
        "alias_maps": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "smtp_dns_support_level": "disabled",
        "smtp_host_lookup": "native",
        "default_transport": f"smtp:[127.0.0.1]:{judgement.next_port}",
        "transport_maps": _table({one: f"smtp:[127.0.0.1]:{port}" for one, port in judgement.next_ports.items()}),
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtpd_recipient_restrictions": f"{_rules(judgement)}permit_mynetworks, reject",
        # By default it would wait for each client longer the more recipients were refused.
        "smtpd_error_sleep_time": "0",
        "smtpd_soft_error_limit": "1000",
        "smtpd_hard_error_limit": "1000",
    }
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (home / "config" / "main.cf").write_text(lines)
    (home / "config" / "master.cf").write_text(_SERVICES.format(port=server.port))


def _rules(judgement: Judgement) -> str:
    return f"check_recipient_access {_table(judgement.rules)}, " if judgement.rules else ""


def _table(rules: Mapping[str, str]) -> str:
    """A lookup table that stands in the configuration itself."""
    return "inline:{" + ", ".join(f"{{ {key} = {value} }}" for key, value in rules.items()) + "}" if rules else ""


def _postfix(home: Path, program: str, *options: str) -> str:
    command = [shutil.which(program, path=_PROGRAMS) or program, "-c", str(home / "config"), *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        log = home / "postfix.log"
        raise RuntimeError(f"{program} failed: {done.stderr}\n{log.read_text() if log.exists() else ''}")
    return done.stdout


def _wait_until_it_answers(server: Postfix) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):
            smtplib.SMTP("127.0.0.1", server.port, timeout=START_SECONDS).quit()
            return
        time.sleep(0.05)
    raise RuntimeError(f"Postfix did not answer in {START_SECONDS} seconds: {server.log}")


def _domain(recipient: Mapping[str, str]) -> str:
    return recipient["address"].rpartition("@")[2]
