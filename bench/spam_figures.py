"""Has SpamAssassin judge real digests by its local tests, as a mail server would that asks nobody else."""

import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.digest_makers import MadeMail, make_digests
from bench.digest_stories import many_stories, open_shelf, twenty_stories

HIGHEST = 0.5
MISSING = "needs SpamAssassin; on Debian: apt-get install spamassassin"
_SCRIPT = Path(__file__).with_name("spam_scores.pl")
# As the reader's mail server would put it on top. The address is one for documentation; of IPv4 there is none that
# SpamAssassin does not call illegal.
_RECEIVED = (
    "Received: from mail.updates.example.org (mail.updates.example.org [IPv6:2001:db8::25])\r\n"
    "\tby mx.example.org (Postfix) with ESMTPS id 4XyZ12345z9\r\n"
    "\tfor <reader@example.org>; {date}\r\n"
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One mail's score, and the points of each rule it hit."""

    name: str
    score: float
    rules: dict[str, float]

    @property
    def against(self) -> float:
        """The points against it alone: what it would score without the rules in its favour."""
        return sum(points for points in self.rules.values() if points > 0)


def find_spamassassin() -> str | None:
    """The Perl that SpamAssassin runs in, None where it is not installed."""
    perl = shutil.which("perl")
    if perl is None or shutil.which("spamassassin") is None:
        return None
    return perl


def judge_mails(perl: str, mails: Sequence[MadeMail], *, home: Path) -> list[Judged]:
    """What SpamAssassin says of each mail, all judged by one process."""
    files = [home / f"{number:04}.eml" for number in range(len(mails))]
    for file, mail in zip(files, mails, strict=True):
        date = message_from_bytes(mail.message, policy=policy.default)["Date"]
        file.write_bytes(_RECEIVED.format(date=date).encode("ascii") + mail.message)
    # It reads a home folder for what it learned; an empty one makes the figures the same everywhere.
    done = subprocess.run(
        [perl, str(_SCRIPT), *map(str, files)],
        capture_output=True,
        check=True,
        text=True,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )
    return [_judged(mail.name, line) for mail, line in zip(mails, done.stdout.splitlines(), strict=True)]


def run(console: Console, folder: Path, *, count: int = 200) -> bool:
    """Judge that many digests besides the twenty of the pictures, and print; whether none scores too high."""
    perl = find_spamassassin()
    if perl is None:
        console.print(f"spam: {MISSING}")
        return False
    shelf = open_shelf(folder)
    judged: list[Judged] = []
    for stories, most in ((twenty_stories(shelf), 20), (many_stories(shelf, count=count), count)):
        with tempfile.TemporaryDirectory(prefix="notifier-bench-") as home:
            judged += judge_mails(perl, make_digests(stories, home=Path(home))[:most], home=Path(home))
    console.print(_table(judged))
    return max(each.score for each in judged) <= HIGHEST


def _judged(name: str, line: str) -> Judged:
    _file, score, *hits = line.split("\t")
    rules = dict(hit.split("=", 1) for hit in hits)
    return Judged(name, float(score), {rule: float(points) for rule, points in rules.items()})


def _table(judged: Sequence[Judged]) -> Table:
    highest = max(judged, key=lambda each: each.score)
    table = Table("SpamAssassin, local tests", "value", title=f"{len(judged)} digests of real records")
    table.add_row("highest score", f"{highest.score:.3f} ({highest.name}); allowed {HIGHEST}")
    table.add_row("highest without the rules in their favour", f"{max(each.against for each in judged):.3f}")
    hits = Counter(rule for each in judged for rule in each.rules)
    points = {rule: value for each in judged for rule, value in each.rules.items()}
    for rule, number in hits.most_common():
        table.add_row(f"  {rule} ({points[rule]:+.3f})", f"{number} mails")
    return table
