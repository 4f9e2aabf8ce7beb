"""Rates: never more mails in a second than were set, nearly as many, in order, and nobody waits for another's queue."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.sending_rates import (
    LATE,
    TURN_AT_DESTINATION,
    TURN_AT_RELAY,
    Candidate,
    Line,
    Rate,
    Turns,
    read_named_rates,
    read_rate,
)
from notifier.domain.traffic import Standing
from notifier.store.portions import portions

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RELAY = b"relay"


@dataclass(order=True)
class Waiting:
    lane: int
    not_before: datetime
    id: int
    domain: bytes = b"a"
    reason: str | None = None


class Street:
    """Mails that wait, and a worker that looks at what is due every so often, as workers do."""

    def __init__(self, rates: dict[bytes, Rate], mails: Sequence[Waiting], *, seconds: float = 0.05) -> None:
        self.rates = rates
        self.mails = list(mails)
        self.step = timedelta(seconds=seconds)
        self.now = NOW
        self.standings = {mail.domain: Standing(seen_at=NOW) for mail in mails} | {RELAY: Standing(seen_at=NOW)}
        self.sent: list[tuple[datetime, Waiting]] = []
        self.looks = 0

    def run(self, seconds: float) -> None:
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.look()
            self.now += self.step

    def look(self) -> None:
        due = sorted(mail for mail in self.mails if mail.not_before <= self.now)
        for chunk in portions(due, 32):
            turns = Turns(self.standings, now=self.now)
            for mail in chunk:
                self.consider(mail, turns)

    def consider(self, mail: Waiting, turns: Turns) -> None:
        self.looks += 1
        turn = mail.reason if mail.not_before > self.now - LATE else None
        wait = turns.take(Candidate(delivery_id=mail.id, first=mail.lane == 0, turn=turn), self.lines(mail))
        if wait is None:
            self.mails.remove(mail)
            self.sent.append((self.now, mail))
        else:
            mail.not_before, mail.reason = wait.until, wait.reason

    def lines(self, mail: Waiting) -> list[Line]:
        named = [(mail.domain, TURN_AT_DESTINATION), (RELAY, TURN_AT_RELAY)]
        return [Line(key=key, rate=self.rates[key], turn=turn) for key, turn in named if key in self.rates]

    def moments(self, domain: bytes | None = None) -> list[float]:
        return [(at - NOW).total_seconds() for at, mail in self.sent if domain in (None, mail.domain)]


def most_in(seconds: float, moments: list[float]) -> int:
    """The most mails in any stretch of time so long."""
    return max(sum(1 for other in moments if moment <= other < moment + seconds) for moment in moments)


def crowd(count: int, *, domain: bytes = b"a", first_id: int = 0) -> list[Waiting]:
    return [Waiting(lane=1, not_before=NOW, id=first_id + number, domain=domain) for number in range(count)]


@pytest.mark.parametrize(("written", "seconds"), [("50/s", 6), ("14/s", 8), ("3/s", 20), ("120/m", 60)])
def test_no_stretch_of_time_has_more_than_its_rate_and_most_of_it_is_used(written: str, seconds: int) -> None:
    rate = read_rate(written)
    assert rate is not None
    due = int(rate.count * seconds / rate.unit.total_seconds())
    street = Street({RELAY: rate}, crowd(2 * due))

    street.run(seconds)

    assert most_in(rate.unit.total_seconds(), street.moments()) <= rate.count
    assert len(street.sent) >= 0.9 * due
    assert street.looks <= 2.3 * len(crowd(2 * due))


def test_mails_keep_their_order() -> None:
    street = Street({RELAY: Rate(count=50, unit=timedelta(seconds=1))}, crowd(150))

    street.run(4)

    assert [mail.id for _, mail in street.sent] == list(range(150))


def test_a_queue_of_one_destination_hinders_no_other() -> None:
    rates = {RELAY: Rate(count=100, unit=timedelta(seconds=1)), b"slow": Rate(count=10, unit=timedelta(seconds=1))}
    street = Street(rates, [*crowd(400, domain=b"slow"), *crowd(200, domain=b"b", first_id=400)])

    street.run(5)

    others = street.moments(b"b")
    assert len(others) == 200
    assert max(others) < 2.6
    assert most_in(1, street.moments(b"slow")) <= 10
    assert most_in(1, street.moments()) <= 100
    # They wait for the mail server like all others until those are gone, and for nobody after that.
    assert len(street.moments(b"slow")) >= 0.9 * 10 * (5 - 2.2)


def test_who_waits_for_a_mail_does_not_wait_behind_a_crowd() -> None:
    rate = Rate(count=50, unit=timedelta(seconds=1))
    street = Street({RELAY: rate}, crowd(1_000))
    street.run(1)
    for number in range(10):
        street.mails.append(Waiting(lane=0, not_before=street.now, id=5_000 + number))

    street.run(2)

    waited = [(at - NOW).total_seconds() - 1 for at, mail in street.sent if mail.lane == 0]
    assert (len(waited), max(waited) < 0.5) == (10, True)
    assert most_in(1, street.moments()) <= 50


def test_what_lost_its_turn_in_an_outage_does_not_come_all_at_once() -> None:
    street = Street({RELAY: Rate(count=50, unit=timedelta(seconds=1))}, crowd(900))
    street.run(1)
    street.now += timedelta(seconds=15)

    street.run(14)

    assert most_in(1, street.moments()) <= 50
    assert len(street.sent) >= 0.88 * 50 * 15


def test_a_clock_set_back_does_not_stop_the_mails() -> None:
    street = Street({RELAY: Rate(count=50, unit=timedelta(seconds=1))}, crowd(10))
    street.run(1)
    street.now -= timedelta(days=1)
    street.mails.extend(Waiting(lane=1, not_before=street.now, id=100 + number) for number in range(10))

    street.run(1)

    assert len(street.sent) == 20


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_rate, "fast"),
        (read_rate, "0/s"),
        (read_rate, "-5/s"),
        (read_rate, "5/day"),
        (read_named_rates, "example.org"),
        (read_named_rates, "example.org=,example.com=5/s"),
        (read_named_rates, "example.org=5/s,Example.ORG=6/s"),
        (read_named_rates, "somebody@example.org=5/s"),
    ],
)
def test_what_is_no_rate_is_refused(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match="looks like"):
        read(text)


def test_rates_are_read_as_people_write_them() -> None:
    by_unit: defaultdict[str, timedelta] = defaultdict(timedelta)
    for written in ("50/s", " 3000 / m ", "10000/H"):
        rate = read_rate(written)
        assert rate is not None
        by_unit[written.strip()[-1].lower()] = rate.unit / rate.count

    assert by_unit == {
        "s": timedelta(milliseconds=20), "m": timedelta(milliseconds=20), "h": timedelta(milliseconds=360)
    }  # fmt: skip
    assert read_rate(" ") is None
    assert list(read_named_rates("example.org=20/s, Example.com=300/m,")) == ["example.org", "example.com"]
