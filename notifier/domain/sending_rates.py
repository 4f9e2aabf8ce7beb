"""How fast mails may follow each other: rates as operators write them, and whose turn it is when.

Turns are given by the generic cell rate algorithm (ITU-T I.371, Annex A): one moment says until when a rate is used up.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from notifier.domain.deliveries import NotBefore
from notifier.domain.traffic import Standing

USED = 0.92
"""The share of a rate that is used in the long run. The rest is for what comes in a bunch: no second has more."""
BUNCH = 0.06
"""The part of a second (or minute) whose mails may go at once; with USED: 0.92 * 1.06 < 1."""
BUNCH_FIRST = 0.08
"""The same for mails somebody waits for: while others use up theirs, some of these still go. 0.92 * 1.08 < 1."""
QUEUE_STRETCH = 1.01
"""Turns lie a little further apart than mails may, so that a few that come late do not put off all behind them."""
LATE = timedelta(seconds=10)
"""Whoever comes later than that has lost their turn, or after an outage all would come at once."""
SKEW = timedelta(minutes=1)
"""By how much the clocks of workers may differ."""

TURN_AT_DESTINATION = "waits for its turn: the rate of its destination"
TURN_AT_RELAY = "waits for its turn: the rate of the mail server"
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
_RATE = re.compile(r"([1-9]\d{0,6})\s*/\s*([smh])")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many mails in a second, minute or hour, at most."""

    count: int
    unit: timedelta

    @property
    def apart(self) -> timedelta:
        """How far apart mails are in the long run."""
        return self.unit / (USED * self.count)

    def used_until(self, standing: Standing, *, now: datetime) -> datetime:
        """Until when it is used up: now, if it is not."""
        return max(standing.next_at or now, now)

    def earliest(self, standing: Standing, *, first: bool, now: datetime) -> datetime:
        """When the next mail may go."""
        return self.used_until(standing, now=now) - self.unit * (BUNCH_FIRST if first else BUNCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The rates that are set: of the mail server, of each destination, and of some by their name."""

    relay: Rate | None = None
    each: Rate | None = None
    named: Mapping[str, Rate] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.relay or self.each or self.named)

    def of(self, domain: str) -> Rate | None:
        """The rate of a destination."""
        return self.named.get(domain, self.each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A mail that would go now: ``first`` if somebody waits for it; ``turn`` is the one it was given and came for."""

    delivery_id: int
    first: bool
    turn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a mail must pass: the destination's rate or the mail server's, under its key."""

    key: bytes
    rate: Rate
    turn: str


def read_rate(text: str) -> Rate | None:
    """Read a rate such as 50/s, 3000/m or 10000/h; None where nothing is set.

    Raises:
        ValueError: it is none; the message says how one looks.
    """
    if not text.strip():
        return None
    found = _RATE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError("a rate looks like 50/s, 3000/m or 10000/h: mails a second, minute or hour, at least 1.")
    return Rate(count=int(found[1]), unit=_UNITS[found[2]])


def read_named_rates(text: str) -> dict[str, Rate]:
    """Read rates of mail domains, as in ``example.org=20/s, example.com=300/m``.

    Raises:
        ValueError: a part is no domain with a rate, or a domain comes twice.
    """
    named: dict[str, Rate] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        domain, _, written = part.lower().partition("=")
        rate = read_rate(written)
        if rate is None or not _DOMAIN.fullmatch(domain.strip()) or domain.strip() in named:
            raise ValueError(
                "it looks like example.org=20/s,example.com=300/m, each mail domain once, in ASCII letters."
            )
        named[domain.strip()] = rate
    return named


class Turns:
    """Gives turns to some mails, one after the other; ``standings`` by key are replaced as their rates are used."""

    def __init__(self, standings: dict[bytes, Standing], *, now: datetime) -> None:
        self._standings = standings
        self._now = now
        self._again: Counter[bytes] = Counter()
        for key, standing in standings.items():
            if standing.seen_at > now + SKEW:
                # A clock was set back: what it said would keep mails here until that time comes again.
                standings[key] = replace(standing, next_at=None, queued_until=None, seen_at=now)

    def take(self, mail: Candidate, lines: Sequence[Line]) -> NotBefore | None:
        """Let a mail go now (None), or say when to come again; ``lines`` are its destination's and the mail server's.

        Where others wait already it joins the end of their queue, and of the next one only when it has passed the
        first, so that a destination's queue never keeps the mail server's rate from others. Who was given a turn, or
        is first, joins none.
        """
        passed = self._passed(mail, lines)
        for line in lines:
            if line not in passed and self._is_queued(line):
                return self._join(line)
        for line in lines:
            earliest = line.rate.earliest(self._standings[line.key], first=mail.first, now=self._now)
            if earliest > self._now:
                return self._come_again(line, mail, earliest) if line in passed else self._join(line)
        for line in lines:
            self._use(line)
        return None

    @staticmethod
    def _passed(mail: Candidate, lines: Sequence[Line]) -> Sequence[Line]:
        if mail.first or mail.turn == TURN_AT_RELAY:
            return lines
        return [line for line in lines if line.turn == mail.turn]

    def _is_queued(self, line: Line) -> bool:
        until = self._standings[line.key].queued_until
        return until is not None and until > self._now

    def _join(self, line: Line) -> NotBefore:
        standing = self._standings[line.key]
        free = line.rate.earliest(standing, first=False, now=self._now)
        turn = max(standing.queued_until or self._now, free, self._now) + line.rate.apart * QUEUE_STRETCH
        self._standings[line.key] = replace(standing, queued_until=turn, seen_at=self._now)
        return NotBefore(until=turn, reason=line.turn)

    def _come_again(self, line: Line, mail: Candidate, earliest: datetime) -> NotBefore:
        """It is this one's turn, but others came late; they go one after the other."""
        until = earliest + line.rate.apart * self._again[line.key]
        self._again[line.key] += 1
        return NotBefore(until=until, reason=mail.turn or line.turn)

    def _use(self, line: Line) -> None:
        standing = self._standings[line.key]
        used = line.rate.used_until(standing, now=self._now)
        self._standings[line.key] = replace(standing, next_at=used + line.rate.apart, seen_at=self._now)
