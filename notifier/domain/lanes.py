"""Mails that wait to go out: those somebody waits for first, and no mail domain before all others."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
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

    def next(self, busy: Counter[str], *, cap: int, but: Collection[str] = ()) -> Composed | None:
        """The next one of both lanes, in the second ``but`` some domains; ``busy``: how many are under way to each."""
        return (
            self.next_first()
            or self.next_of(domain for domain in self.rest if busy[domain] < cap and domain not in but)
            or self.next_of(domain for domain in self.rest if domain not in but)
        )

    def take(
        self, busy: Counter[str], *, places: int, kept: int, cap: int, moves: Callable[[str], bool]
    ) -> list[Composed]:
        """Fill places, the last ``kept`` ones only with what somebody waits for.

        A domain gets more than ``cap`` only where nothing else waits, and its mails end: it ``moves``.
        """
        busy, taken = busy.copy(), list[Composed]()
        while len(taken) < places and (
            mail := self._next(busy, last=places - len(taken) <= kept, cap=cap, moves=moves)
        ):
            busy[domain_of(mail)] += 1
            taken.append(mail)
        return taken

    def _next(self, busy: Counter[str], *, last: bool, cap: int, moves: Callable[[str], bool]) -> Composed | None:
        mail = self.next_first()
        if mail is not None or last:
            return mail
        spread = self.next_of(domain for domain in self.rest if busy[domain] < cap)
        return spread or self.next_of(domain for domain in self.rest if not busy[domain] or moves(domain))

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
