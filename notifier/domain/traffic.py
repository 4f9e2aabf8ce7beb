"""When a destination rests: it takes no mail at all for now, so its mails wait, and after that a few go first.

A destination is a mail domain. Enhanced codes: RFC 3463 section 3.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zlib import crc32

from notifier.domain.deliveries import JITTER, LATER_WAITS, Answer, NotBefore, Verdict, wait_before_retry

REFUSALS = 3
"""So many refusals in a row mean that the destination takes nothing, rather than not these mails."""
PROBES = 3
"""So many mails go first after a rest; the others wait until one of them was taken."""
PROBING = timedelta(minutes=1)
"""How long the others wait for that."""
SPREAD = timedelta(minutes=5)
"""Over how long the mails of a destination come back after its rest."""
FORGOTTEN = timedelta(days=1)
"""Refusals so long ago are no longer in a row with the next one."""
LONGEST = LATER_WAITS * (1 + JITTER)
RESTING = "its destination takes no mail for now"
GIVEN_UP = "given up after four days: its destination took no mail"

_CODES = re.compile(r"(4\d\d)[ -]+(?:4\.(\d{1,3})\.(\d{1,3})(?!\S))?")
_HOST_SUBJECTS = frozenset({"3", "4", "7"})
"""The mail system, the network, security or policy; not the mailbox (2) or the message (5, 6)."""
_BAD_HOST = ("1", "2")
_CLOSING = "421"
_EACH_MAIL_TWICE = re.compile(r"gr[ea]y-?list", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a destination stands: refusals and rests in a row, until when it rests, and the two ends of its rate.

    ``next_at`` is when its rate is used up until, ``queued_until`` the last turn given to a mail that waits for one.
    """

    seen_at: datetime
    tries: int = 0
    rests_until: datetime | None = None
    reason: str | None = None
    next_at: datetime | None = None
    queued_until: datetime | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Whether it took nothing when it was last asked."""
        return self.tries >= REFUSALS

    def rests(self, now: datetime) -> bool:
        """Whether nothing may go there now; a rest longer than there are means that a clock was set back."""
        return self.is_in_doubt and self.rests_until is not None and now < self.rests_until <= now + LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """Mails that may not go out, by Delivery id: until when some rest and why, the new states of others that ended."""

    rests: Mapping[int, NotBefore] = field(default_factory=dict)
    states: Mapping[int, str] = field(default_factory=dict)

    def __contains__(self, delivery_id: int) -> bool:
        return delivery_id in self.rests or delivery_id in self.states


def is_about_host(verdict: Verdict) -> bool:
    """Whether a mail was refused for now because of its destination, whatever the mailbox.

    4.3.x, 4.4.x, 4.7.x, 4.1.2 and a bare 421 are; 4.2.x is the mailbox's own matter. Greylisting is not: it wants every
    mail to be sent twice, and a rest would only put off the first time.
    """
    found = _CODES.match(verdict.reply or "")
    if verdict.answer is not Answer.LATER or found is None or _EACH_MAIL_TWICE.search(verdict.reply or ""):
        return False
    code, subject, detail = found.groups()
    if subject is None:
        return bool(code == _CLOSING)
    return subject in _HOST_SUBJECTS or (subject, detail) == _BAD_HOST


def after_refusal(standing: Standing, *, key: bytes, reason: str | None, now: datetime) -> Standing:
    """How a destination stands after a refusal: from the third on it rests 5, 15, 30, 60 minutes, then hourly."""
    last = max(standing.seen_at, standing.rests_until or standing.seen_at)
    tries = 1 if now - last > FORGOTTEN else standing.tries + 1
    new = replace(standing, tries=tries, rests_until=None, reason=reason and reason[:200], seen_at=now)
    return replace(new, rests_until=now + _rest(key, rests_of(new))) if new.is_in_doubt else new


def after_acceptance(standing: Standing, *, now: datetime) -> Standing:
    """How a destination stands that took a mail: whatever was before is over."""
    return replace(standing, tries=0, rests_until=None, reason=None, seen_at=now)


def while_probed(standing: Standing, *, now: datetime) -> Standing:
    """How a destination stands to which a few mails go after a rest: the others wait a minute for their answer."""
    return replace(standing, rests_until=now + PROBING, seen_at=now)


def is_given_up(standing: Standing, *, key: bytes) -> bool:
    """Whether the rests of a destination in a row come to four days; as with mails, the waits count, not the clock."""
    waits = rests_of(standing)
    return waits > 0 and wait_before_retry(delivery_id=_number(key), attempts=waits) is None


def rests_of(standing: Standing) -> int:
    """How often in a row it rested."""
    return max(0, standing.tries - REFUSALS + 1)


def after_rest(standing: Standing, *, delivery_id: int) -> NotBefore:
    """When a mail comes back whose destination rests: a different moment for each, the same during one rest.

    After the next rest others come first: what is refused for its own sake would keep them all back.
    """
    assert standing.rests_until is not None
    share = crc32(f"rest:{rests_of(standing)}:{delivery_id}".encode()) / 2**32
    return NotBefore(until=standing.rests_until + SPREAD * share, reason=RESTING)


def _rest(key: bytes, rests: int) -> timedelta:
    """As long as a mail waits that was put off as often; a destination is never given up, so it goes on hourly."""
    wait = wait_before_retry(delivery_id=_number(key), attempts=rests)
    return LATER_WAITS * (1 + JITTER * crc32(key + rests.to_bytes(4)) / 2**32) if wait is None else wait


def _number(key: bytes) -> int:
    return int.from_bytes(key[:6], "big")
