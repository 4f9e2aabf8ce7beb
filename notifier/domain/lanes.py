"""Mails that wait to go out: those somebody waits for first, and no mail domain before all others."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from notifier.domain.deliveries import Composed, Verdict

KNOWN_SECONDS = 600.0
"""A domain that answered so lately is known to; where there is little room it comes before those that did not."""
MOST_DOMAINS = 4096
"""So many are remembered before those are forgotten that answered long ago."""


def domain_of(mail: Composed) -> str:
    """The domain a mail goes to."""
    return mail.recipient.rpartition("@")[2].lower()


@dataclass(slots=True)
class Lanes:
    """Mails in two lanes; in the second one, a domain that has enough under way lets the others pass."""

    first: deque[Composed] = field(default_factory=deque)
    rest: dict[str, deque[Composed]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.first) + sum(map(len, self.rest.values()))

    def __bool__(self) -> bool:
        return bool(self.first or self.rest)

    def add(self, mail: Composed, *, first: bool) -> None:
        """Behind the others of its lane."""
        (self.first if first else self.rest.setdefault(domain_of(mail), deque())).append(mail)

    def put_back(self, mail: Composed, *, first: bool) -> None:
        """Before the others of its lane."""
        if first:
            self.first.appendleft(mail)
            return
        domain = domain_of(mail)
        mails = self.rest.pop(domain, deque())
        mails.appendleft(mail)
        self.rest = {domain: mails, **self.rest}

    def next(
        self, busy: Counter[str], *, cap: int, but: Collection[str] = (), known: Collection[str] = ()
    ) -> Composed | None:
        """The next one of both lanes, in the second ``but`` some domains, ``known`` ones first.

        ``busy`` is how many are under way to each; where others wait, one gets no more than ``cap``.
        """
        return (
            self.next_first()
            or self.next_of(domain for domain in known if busy[domain] < cap and domain not in but)
            or self.next_of(domain for domain in self.rest if busy[domain] < cap and domain not in but)
            or self.next_of(domain for domain in self.rest if domain not in but)
        )

    def take(self, shares: "Shares", *, places: int, kept: int) -> list[Composed]:
        """Fill places, the last ``kept`` ones only with what somebody waits for, the others by their ``shares``."""
        taken = list[Composed]()
        moving = [domain for domain in self.rest if shares.moves(domain)] if shares.are_few else []
        while len(taken) < places and (mail := self._next(shares, moving, last=places - len(taken) <= kept)):
            shares.count(domain_of(mail))
            taken.append(mail)
        return taken

    def _next(self, shares: "Shares", moving: Collection[str], *, last: bool) -> Composed | None:
        mail = self.next_first()
        if mail is not None or last:
            return mail
        before = self.next_of(domain for domain in moving if domain in self.rest and shares.may(domain))
        return before or self.next_of(filter(shares.may, self.rest)) or self.next_of(filter(shares.moves, self.rest))

    def next_first(self) -> Composed | None:
        """The next one that somebody waits for."""
        return self.first.popleft() if self.first else None

    def ids(self) -> set[int]:
        """The Deliveries they are."""
        return {mail.delivery_id for mails in (self.first, *self.rest.values()) for mail in mails}

    def count(self, *, but: Collection[str] = ()) -> int:
        """How many there are, in the second lane without some domains."""
        return len(self) - sum(len(self.rest.get(domain, ())) for domain in but)

    def drain(self) -> Iterator[Composed]:
        """All of them, taken out."""
        while (mail := self.next_first() or self.next_of(self.rest)) is not None:
            yield mail

    def next_of(self, domains: Iterable[str]) -> Composed | None:
        """The next one of the second lane to the first of these domains, which must all be waiting."""
        domain = next(iter(domains), None)
        if domain is None:
            return None
        mails = self.rest[domain]
        mail = mails.popleft()
        if not mails:
            del self.rest[domain]
        return mail


class Shares:
    """How many of the places each domain gets, by what is ``busy`` already, and whether its mails end: it ``moves``.

    One that moves gets up to ``cap`` while others wait, and more where nothing else does. One that did not show it gets
    one place; those it gets beyond that, all such domains ``share``. So a few that take their time leave room. Where
    such domains hold as many as the cap by one place each, perhaps because many are dead, those that move come first.
    All that are not known to answer get no more than those places that are for ``unknown`` ones.
    """

    def __init__(
        self,
        busy: Counter[str],
        *,
        cap: int,
        shared: int,
        moves: Callable[[str], bool],
        unknown: int,
        knows: Callable[[str], bool],
    ) -> None:
        self._busy = busy.copy()
        self._cap = cap
        self.moves = cache(moves)
        still = {domain: count for domain, count in busy.items() if count > 0 and not self.moves(domain)}
        self._left = shared - sum(count - 1 for count in still.values())
        self.are_few = sum(still.values()) >= cap
        self._knows = cache(knows)
        self._left_unknown = unknown - sum(count for domain, count in still.items() if not self._knows(domain))

    def count(self, domain: str) -> None:
        """A domain got a place."""
        self._busy[domain] += 1
        if self._busy[domain] > 1 and not self.moves(domain):
            self._left -= 1
        if not self._knows(domain):
            self._left_unknown -= 1

    def may(self, domain: str) -> bool:
        """Whether a domain gets a place while others wait."""
        held = self._busy[domain]
        if self._left_unknown <= 0 and not self._knows(domain):
            return False
        return not held or (held < self._cap and (self._left > 0 or self.moves(domain)))


@dataclass(slots=True)
class Answered:
    """When servers answered last for mails to each domain, by a steady clock in seconds."""

    _last: float = -KNOWN_SECONDS
    _at: dict[str, float] = field(default_factory=dict)

    def note(self, domain: str, now: float) -> None:
        """One answered for a domain."""
        self._at[domain] = self._last = now
        if len(self._at) > MOST_DOMAINS:
            # Half of them, so that this is seldom.
            self._at = dict(sorted(self._at.items(), key=lambda one: one[1])[MOST_DOMAINS // 2 :])

    def shows_life(self, domain: str, verdict: Verdict, now: float) -> bool:
        """Whether a mail that ended shows that its domain lives: one that answers may let a single mail hang."""
        if verdict.reply is not None:
            self.note(domain, now)
        return self.knows(domain, now)

    def knows(self, domain: str, now: float) -> bool:
        """Whether one answered lately for a domain."""
        return now - self._at.get(domain, -KNOWN_SECONDS) < KNOWN_SECONDS

    def is_any(self, now: float) -> bool:
        """Whether one answered lately for any."""
        return now - self._last < KNOWN_SECONDS

    def of(self, domains: Iterable[str], now: float) -> set[str]:
        """Those of these domains for which one answered lately."""
        return {one for one in domains if self.knows(one, now)}
