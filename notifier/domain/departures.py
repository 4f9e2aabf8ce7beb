"""Departures: that somebody ended what they followed, as a line of a log that says so under keyed hashes alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

ENDED = "ended"
"""One subscription."""
LEFT = "left"
"""Everything."""
HANDED_OVER = "handed_over"
"""Everything, as somebody else took it over."""
MOVED = "moved"
"""Their mails go to another mailbox now."""
ERASED = "erased"
SUPPRESSED = "suppressed"
"""No mail may go to it."""
KINDS = (ENDED, LEFT, HANDED_OVER, MOVED, ERASED, SUPPRESSED)

# Found anywhere in a line: one that was torn by a crash has the next one at its end.
_LINE = re.compile(rf"(\d{{4}}-\d\d-\d\dT[\d:.]+Z) ({'|'.join(KINDS)}) ([0-9a-f]{{32}}) ([0-9a-f]{{32}}|-)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """That somebody left, by the index of their mailbox; with the subscription that ended, or the mailbox instead."""

    kind: str
    at: datetime
    address_index: bytes = field(repr=False)
    subscription_id: int | None = None
    to_index: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the log: who is a keyed hash, and so is which subscription, or which other mailbox."""

    at: datetime
    kind: str
    who: str
    what: str | None = None

    def __str__(self) -> str:
        moment = self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return f"{moment} {self.kind} {self.who} {self.what or '-'}"


def read_line(text: str) -> Line | None:
    """A line of the log, None if it is not whole."""
    found = _LINE.search(text.strip())
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found[1])
    except ValueError:
        return None
    return Line(at=at, kind=found[2], who=found[3], what=None if found[4] == "-" else found[4])


@dataclass(frozen=True, slots=True)
class Departed:
    """What a log says in all, by mailbox: when they left last, by each kind, and when which subscription ended."""

    left: dict[str, datetime] = field(default_factory=dict)
    handed_over: dict[str, datetime] = field(default_factory=dict)
    moved: dict[str, datetime] = field(default_factory=dict)
    erased: dict[str, datetime] = field(default_factory=dict)
    suppressed: dict[str, datetime] = field(default_factory=dict)
    ended: dict[str, dict[str, datetime]] = field(default_factory=dict)

    def last_left(self, who: str) -> datetime | None:
        """When somebody last ended everything, in whichever way; None if they did not."""
        moments = [kind[who] for kind in (self.left, self.handed_over, self.moved, self.erased) if who in kind]
        return max(moments, default=None)


def sum_up(lines: Iterable[Line]) -> Departed:
    """What these lines come to.

    Whoever moved back to a mailbox has not left it by moving, but another one who moves there brings nobody back; and
    whoever moved and then had everything erased had it erased for the former mailbox, too.
    """
    departed, former = Departed(), dict[str, set[str]]()
    for line in sorted(lines, key=lambda line: line.at):
        if line.kind == ENDED and line.what:
            departed.ended.setdefault(line.who, {})[line.what] = line.at
        elif line.kind == MOVED and line.what:
            departed.moved[line.who] = line.at
            if line.what in former.get(line.who, ()):
                departed.moved.pop(line.what, None)
            former.setdefault(line.what, set()).update({line.who, *former.get(line.who, ())} - {line.what})
        elif line.kind == ERASED:
            departed.erased.update(dict.fromkeys({line.who, *former.get(line.who, ())}, line.at))
        elif line.kind in (LEFT, HANDED_OVER, SUPPRESSED):
            getattr(departed, line.kind)[line.who] = line.at
    return departed
