"""Mails that wait to go out: those somebody waits for first, and no mail domain before all others."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from notifier.domain.deliveries import Composed


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

    def next(self, busy: Counter[str], *, cap: int, but: Collection[str] = ()) -> Composed | None:
        """The next one of both lanes, in the second ``but`` some domains; ``busy``: how many are under way to each."""
        return (
            self.next_first()
            or self.next_of(domain for domain in self.rest if busy[domain] < cap and domain not in but)
            or self.next_of(domain for domain in self.rest if domain not in but)
        )

    def take(self, shares: "Shares", *, places: int, kept: int) -> list[Composed]:
        """Fill places, the last ``kept`` ones only with what somebody waits for, the others by their ``shares``."""
        taken = list[Composed]()
        while len(taken) < places and (mail := self._next(shares, last=places - len(taken) <= kept)):
            shares.count(domain_of(mail))
            taken.append(mail)
        return taken

    def _next(self, shares: "Shares", *, last: bool) -> Composed | None:
        mail = self.next_first()
        if mail is not None or last:
            return mail
        return self.next_of(filter(shares.may, self.rest)) or self.next_of(filter(shares.moves, self.rest))

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
    one place; those it gets beyond that, all such domains ``share``. So a few that take their time leave room.
    """

    def __init__(self, busy: Counter[str], *, cap: int, shared: int, moves: Callable[[str], bool]) -> None:
        self._busy = busy.copy()
        self._cap = cap
        self.moves = cache(moves)
        self._left = shared - sum(count - 1 for domain, count in busy.items() if count > 1 and not self.moves(domain))

    def count(self, domain: str) -> None:
        """A domain got a place."""
        self._busy[domain] += 1
        if self._busy[domain] > 1 and not self.moves(domain):
            self._left -= 1

    def may(self, domain: str) -> bool:
        """Whether a domain gets a place while others wait."""
        held = self._busy[domain]
        return not held or (held < self._cap and (self._left > 0 or self.moves(domain)))
