"""Mails that wait to go out: those somebody waits for first, and no mail domain before all others."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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

    def next(self, busy: Counter[str], *, cap: int) -> Composed | None:
        """The next one of both lanes; ``busy`` says how many are under way to each domain."""
        return self.next_first() or self.next_spread(busy, cap=cap) or self.next_of(self.rest)

    def next_first(self) -> Composed | None:
        """The next one that somebody waits for."""
        return self.first.popleft() if self.first else None

    def next_spread(self, busy: Counter[str], *, cap: int) -> Composed | None:
        """The next one of the second lane to a domain that has less than ``cap`` under way."""
        return self.next_of(domain for domain in self.rest if busy[domain] < cap)

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
