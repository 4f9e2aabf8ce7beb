"""Several domains that take their time at once, which together must leave places and connections to the others."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from notifier.delivering import Composer
from notifier.domain.deliveries import Answer, Composed, Verdict
from notifier.domain.lanes import KNOWN_SECONDS, Answered, Lanes, Shares
from notifier.emails import pipelining, smtp
from notifier.store.database import Database
from notifier.store.models import Delivery
from tests.deliverers import make_deliverer
from tests.delivery_rows import compose_in_domains, expect_digests
from tests.scripted_smtp import HANG, Script, scripted

pytestmark = pytest.mark.rules
NOW = datetime(2026, 11, 23, tzinfo=UTC)


BY_FIRST_LETTER = compose_in_domains(lambda name: name[0])


def _send_until(database: Database, script: Script, composer: Composer, ended: Callable[[], bool]) -> None:
    """Send what is due until it is so, or for a minute."""
    deliverer = make_deliverer(database, script.server, composer=composer)
    run = threading.Thread(target=deliverer.deliver_due, kwargs={"now": lambda: datetime.now(UTC)})
    run.start()
    latest = time.monotonic() + 60
    while not ended() and time.monotonic() < latest:
        time.sleep(0.02)
    deliverer.close()
    run.join(60)


@pytest.mark.slow
def test_three_domains_that_hang_leave_room_for_a_fourth(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 0.1)
    slow = [f"{domain}{number}" for domain in "xyz" for number in range(20)]
    expect_digests(database, *slow, *(f"a{number}" for number in range(40)))
    with scripted(Script({f"RCPT:{name}": HANG for name in slow})) as script:
        _send_until(database, script, BY_FIRST_LETTER, lambda: len(script.accepted) >= 40)

    assert sorted(script.recipients) == sorted(f"a{number}" for number in range(40))


@pytest.mark.slow
def test_very_many_dead_domains_make_way_for_one_that_lives(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 0.1)
    monkeypatch.setattr(smtp, "GIVE_WAY_SECONDS", 2.0)
    dead = [f"x{number}" for number in range(60)]
    expect_digests(database, *dead, *(f"a{number}" for number in range(100)))
    with scripted(Script({f"RCPT:{name}": HANG for name in dead})) as script:
        _send_until(
            database,
            script,
            compose_in_domains(lambda name: name if name in dead else "a"),
            lambda: len(script.accepted) >= 100,
        )

    assert sorted(script.recipients) == sorted(f"a{number}" for number in range(100))


@pytest.mark.slow
def test_very_many_domains_that_hang_after_the_message_leave_room_for_those_known_to_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 0.1)
    hung = [f"x{number}" for number in range(60)]
    lively = [f"a{number}" for number in range(300)]
    expect_digests(database, *lively[:40], *hung, *lively[40:])
    with scripted(Script({f"MESSAGE:{name}": HANG for name in hung})) as script:
        composer = compose_in_domains(lambda name: name if name in hung else "a")
        _send_until(database, script, composer, lambda: len({*script.recipients} - {*hung}) >= 300)

    assert {*script.recipients} >= {*lively}


@pytest.mark.slow
def test_a_mail_server_that_freezes_costs_no_mail_a_try(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 0.1)
    monkeypatch.setattr(smtp, "GIVE_WAY_SECONDS", 0.2)
    expect_digests(database, *(f"x{number}" for number in range(60)))
    with scripted(Script({"MAIL": HANG})) as script:
        until = time.monotonic() + 1.5
        _send_until(database, script, compose_in_domains(lambda name: name), lambda: time.monotonic() > until)

    with database.reading() as session:
        assert set(session.scalars(select(Delivery.attempts))) == {0}


def test_a_mail_that_hangs_speaks_against_no_domain_that_answers_others() -> None:
    answered, hung = Answered(), Verdict(answer=Answer.LATER, reason="no reply")
    taken = Verdict(answer=Answer.ACCEPTED, reply="250 ok")

    assert not answered.shows_life("dead.example", hung, 0.0)
    assert answered.shows_life("lives.example", taken, 0.0)
    assert answered.shows_life("lives.example", hung, 5.0)
    assert not answered.shows_life("lives.example", hung, KNOWN_SECONDS)


def _fill(lanes: Lanes, *, moves: str, busy: Counter[str], knows: str = "", **domains: int) -> Counter[str]:
    """How many places each domain gets, of 28, four more being kept for letters; those in ``moves`` do.

    Where some are known to answer, those in ``knows`` are.
    """
    for domain, count in domains.items():
        for number in range(count):
            mail = Composed(
                delivery_id=number, recipient=f"r@{domain}", message=b"", message_id="", dated_at=NOW, language="en"
            )
            lanes.add(mail, first=False)
    shares = Shares(
        busy, cap=16, shared=8, moves=moves.__contains__, unknown=20 if knows else 32, knows=knows.__contains__
    )
    taken = lanes.take(shares, places=32 - busy.total(), kept=4)
    return Counter(mail.recipient.partition("@")[2] for mail in taken)


def test_domains_that_do_not_move_get_a_place_each_and_share_a_quarter() -> None:
    assert _fill(Lanes(), moves="c", busy=Counter(), a=20, b=20, c=10) == Counter(a=9, b=1, c=10)


def test_what_such_domains_hold_already_counts() -> None:
    assert _fill(Lanes(), moves="c", busy=Counter(a=6, b=4), a=20, b=20, c=40) == Counter(c=18)


def test_where_domains_that_do_not_move_hold_half_those_that_do_come_first() -> None:
    dead = Counter({f"x{number}": 1 for number in range(18)})
    assert _fill(Lanes(), moves="c", busy=dead, a=4, b=4, c=40) == Counter(c=10)


def test_a_domain_that_moves_gets_half_while_others_wait_and_all_where_none_does() -> None:
    assert _fill(Lanes(), moves="bc", busy=Counter(), b=40, c=4) == Counter(b=24, c=4)
    assert _fill(Lanes(), moves="bc", busy=Counter(), b=40, c=40) == Counter(b=16, c=12)


def test_the_last_places_are_for_domains_that_are_known_to_answer() -> None:
    dead = Counter({f"x{number}": 1 for number in range(18)})
    assert _fill(Lanes(), moves="", knows="k", busy=dead, a=4, b=4, c=4, k=9) == Counter(a=2, k=8)
