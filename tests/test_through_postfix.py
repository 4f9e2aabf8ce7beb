"""Through a real Postfix: one destination that defers, one that refuses and one that is slow leave the others alone."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from bench.installations import open_bench_service
from bench.records import changed_record, make_record
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import Wish
from notifier.ingesting import ingest_records
from notifier.registries.record_files import FoundRecord
from notifier.rounds import Service, deliver, make_news
from notifier.store.addresses import read_address
from notifier.store.models import Delivery, Subscriber
from notifier.subscribing import subscribe_directly
from tests.postfix_server import Judgement, Postfix, postfix_server
from tests.servers import ServerMissing, free_port
from tests.smtp_servers import mailbox
from tests.topologies import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(180)]

DEFERRING, REFUSING, SLOW, USUAL = (f"{name}.example.org" for name in ("deferring", "refusing", "slow", "usual"))
READERS = {DEFERRING: 6, REFUSING: 6, SLOW: 3, USUAL: 40}
SLOW_SECONDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one mail stands, and when it was accepted."""

    state: str
    reply: str | None
    attempts: int
    waits: timedelta
    sent_at: datetime | None


@contextmanager
def _postfix(judgement: Judgement) -> Iterator[Postfix]:
    try:
        with postfix_server(judgement) as server:
            yield server
    except ServerMissing as missing:
        pytest.skip(str(missing))


@contextmanager
def _readers_with_news(home: Path, port: int) -> Iterator[Service]:
    """Readers at each destination, all waiting for one mail, mixed."""
    before = datetime.now(UTC) - timedelta(minutes=9)
    with open_bench_service(home, smtp_port=port, now=before) as service:
        installation, record = service.installation, make_record(1)
        domains = [domain for domain, count in READERS.items() for _ in range(count)]
        _ingest(service, record, now=before)
        with installation.database.writing() as session:
            for number in sorted(range(len(domains)), key=lambda number: number * 31 % len(domains)):
                subscribe_directly(
                    session,
                    keys=installation.keys,
                    address=read_address(f"reader{number}@{domains[number]}"),
                    wish=Wish(trial="NCT80000001", cadence=Cadence(cadence="instant", hour=0)),
                    how="operator",
                    now=before + timedelta(minutes=1),
                )
        _ingest(service, changed_record(record), now=before + timedelta(minutes=2))
        make_news(installation, now=_clock())
        yield service


def _ingest(service: Service, record: dict[str, object], *, now: datetime) -> None:
    installation, found = service.installation, FoundRecord(place="made up", record=record)
    ingest_records(database=installation.database, keys=installation.keys, records=[found], now=partial(_fixed, now))


def _fixed(now: datetime) -> datetime:
    return now


def _clock() -> datetime:
    return datetime.now(UTC)


def _outcomes(service: Service) -> dict[str, list[Outcome]]:
    """By destination."""
    found: dict[str, list[Outcome]] = defaultdict(list)
    installation, now = service.installation, _clock()
    with installation.database.reading() as session:
        rows = session.execute(select(Delivery, Subscriber).join(Subscriber, Subscriber.id == Delivery.subscriber_id))
        for mail, reader in rows:
            domain = installation.keys.unseal(reader.address_sealed).rpartition("@")[2]
            one = Outcome(
                state=mail.state,
                reply=mail.reply,
                attempts=mail.attempts,
                waits=mail.not_before - now,
                sent_at=mail.sent_at,
            )
            found[domain].append(one)
    return found


def _accepted(outcomes: list[Outcome]) -> list[datetime]:
    return sorted(one.sent_at for one in outcomes if one.sent_at)


def test_server_that_judges_recipients_gives_each_mail_its_own_state(tmp_path: Path) -> None:
    rules = {DEFERRING: "450 4.2.1 try again later", REFUSING: "550 5.1.1 nobody here", SLOW: f"sleep {SLOW_SECONDS}"}

    with (
        mailbox() as box,
        _postfix(Judgement(next_port=box.port, rules=rules)) as postfix,
        _readers_with_news(tmp_path, postfix.port) as service,
    ):
        deliver(service, now=_clock)
        outcomes = _outcomes(service)

    assert {one.state for one in outcomes[DEFERRING]} == {"deferred"}
    assert all(timedelta(minutes=4) < one.waits < timedelta(minutes=7) for one in outcomes[DEFERRING] if one.attempts)
    assert {one.state for one in outcomes[REFUSING]} == {"failed"}
    assert {one.state for one in (*outcomes[SLOW], *outcomes[USUAL])} == {"sent"}
    # The next mail of a connection goes out together with the end of the one before, and so may wait behind a slow one.
    behind_slow = [at for at in _accepted(outcomes[USUAL]) if at >= _accepted(outcomes[SLOW])[0]]
    assert len(behind_slow) <= READERS[SLOW]


def test_relay_takes_all_and_shows_in_its_queue_what_a_destination_defers(tmp_path: Path) -> None:
    with mailbox() as box, mailbox() as deferring, mailbox() as refusing, mailbox() as slow:
        deferring.on_rcpt[""], refusing.on_rcpt[""] = "451 4.3.0 try again later", "550 5.1.1 nobody here"
        slow.hang_at = "rcpt"
        ports = {DEFERRING: deferring.port, REFUSING: refusing.port, SLOW: slow.port}
        with _postfix(Judgement(next_port=box.port, next_ports=ports)) as postfix:
            with _readers_with_news(tmp_path, postfix.port) as service:
                delivered = deliver(service, now=_clock)
            wait_until(lambda: postfix.queue()["deferred", DEFERRING] == READERS[DEFERRING], what="what is deferred")
            wait_until(lambda: _arrived(box.recipients, USUAL) == READERS[USUAL], what="the usual ones")
            # A bounce is a mail of its own: it comes some time after the refusal that it tells of.
            wait_until(lambda: _arrived(box.recipients, "updates.example.org") == READERS[REFUSING], what="the bounces")
            wait_until(lambda: postfix.queue()["active", SLOW] == READERS[SLOW], what="the slow ones")
            queue, bounced = postfix.queue(), _arrived(box.recipients, "updates.example.org")

    assert delivered.sent == sum(READERS.values())
    assert queue["deferred", DEFERRING] == READERS[DEFERRING]
    assert queue["active", SLOW] == READERS[SLOW]
    assert _arrived(box.recipients, USUAL) == READERS[USUAL]
    # What the destination refused comes back to our own sender, as what it is: a bounce.
    assert bounced == READERS[REFUSING]


def test_relay_that_is_away_rests_everything_and_blames_nobody(tmp_path: Path) -> None:
    with _readers_with_news(tmp_path, free_port()) as service:
        delivered = deliver(service, now=_clock)
        outcomes = _outcomes(service)

    assert delivered.sent == 0
    assert {(one.state, one.attempts) for some in outcomes.values() for one in some} <= {
        ("deferred", 0),
        ("waiting", 0),
    }


def _arrived(recipients: list[str], domain: str) -> int:
    return sum(one.endswith(f"@{domain}") for one in recipients)
