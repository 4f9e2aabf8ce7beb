"""Mails that hang, letters that come while many go out, and destinations that must not take all places."""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy.orm import Session

from notifier.domain.deliveries import OUR_SIDE, Answer, Claimed, Composed, Composing, NotBefore, Verdicts
from notifier.domain.lanes import Lanes
from notifier.domain.traffic import HeldBack
from notifier.store.database import Database
from tests.deliverers import delivering
from tests.delivery_rows import (
    add_confirmation,
    compose_simply,
    expect_digests,
    states_in,
)
from tests.scripted_smtp import HANG, Script, scripted
from tests.topologies import wait_until

pytestmark = pytest.mark.rules


def _now() -> datetime:
    return datetime.now(UTC)


def _wait_for(script: Script, *, sent: int) -> None:
    wait_until(lambda: len(script.accepted) >= sent, what=f"{sent} mails", every=0.02)


def test_a_letter_goes_out_while_a_run_waits_for_a_mail_that_hangs(database: Database) -> None:
    expect_digests(database, "ada", "bob")
    with scripted(Script({"RCPT:ada": HANG})) as script, delivering(database, script.server) as deliverer:
        run = threading.Thread(target=deliverer.deliver_due, kwargs={"now": _now})
        run.start()
        _wait_for(script, sent=1)
        with database.writing() as session:
            add_confirmation(session, "cyd", now=_now())
        _wait_for(script, sent=2)
        deliverer.close()
        run.join(60)

    assert script.recipients == ["bob", "cyd"]


def test_letters_pass_the_digests_that_wait(database: Database) -> None:
    expect_digests(database, *[f"reader{number}" for number in range(300)])
    calls = count(1)

    def compose(session: Session, claimed: Sequence[Claimed], now: datetime) -> Sequence[Composing]:
        if next(calls) == 2:
            with database.writing() as writing:
                add_confirmation(writing, "cyd", now=_now())
        return compose_simply(session, claimed, now)

    with (
        scripted(Script(piece=4)) as script,
        delivering(database, script.server, composer=compose, chunk=300, group=8) as deliverer,
    ):
        deliverer.deliver_due(now=_now)

    assert script.recipients.index("cyd") < 299


def test_refusals_of_what_we_are_end_the_run_and_blame_no_mailbox(database: Database) -> None:
    names = [f"reader{number}" for number in range(40)]
    expect_digests(database, *names)
    refusals = {f"RCPT:{name}": "554 5.7.1 Relay access denied" for name in names}
    with scripted(Script(refusals)) as script, delivering(database, script.server, group=8) as deliverer:
        delivered = deliverer.deliver_due(now=_now)

    assert (delivered.deferred, delivered.stopped) == (40, OUR_SIDE)
    assert sum(line.startswith("RCPT") for line in script.heard) < 30


class _Resting:
    """Traffic that lets ada rest, and remembers what it was told."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        self.noted: list[Answer] = []

    def rest_unmade(self, _session: Session, _claimed: Sequence[Claimed], *, now: datetime) -> HeldBack:
        return HeldBack()

    def hold_back(self, _session: Session, mails: Sequence[Composed], *, now: datetime) -> HeldBack:
        rest = NotBefore(until=self.until, reason="it rests")
        return HeldBack(rests={mail.delivery_id: rest for mail in mails if mail.recipient.startswith("ada")})

    def note(self, _session: Session, mails: Sequence[Composed], verdicts: Verdicts, *, now: datetime) -> None:
        self.noted += [verdicts[mail.delivery_id].answer for mail in mails]

    def look_again(self, *, now: datetime) -> float | None:
        return None


def test_a_destination_that_rests_gets_nothing_and_the_others_do(database: Database) -> None:
    expect_digests(database, "ada", "bob")
    resting = _Resting(_now() + timedelta(hours=1))
    with scripted(Script()) as script, delivering(database, script.server, traffic=resting) as deliverer:
        assert deliverer.deliver_due(now=_now).sent == 1

    assert (states_in(database), resting.noted) == ({"sent": 1, "deferred": 1}, [Answer.ACCEPTED])


def _mail(number: int, domain: str) -> Composed:
    return Composed(
        delivery_id=number, recipient=f"r@{domain}", message=b"", message_id="", dated_at=_now(), language="en"
    )


def test_a_domain_with_enough_under_way_lets_others_pass() -> None:
    lanes, busy = Lanes(), Counter({"slow.example": 2})
    for number, domain in enumerate(["slow.example", "slow.example", "b.example"]):
        lanes.add(_mail(number, domain), first=False)
    lanes.add(_mail(9, "slow.example"), first=True)

    order = [mail.delivery_id for _ in range(4) if (mail := lanes.next(busy, cap=2))]

    assert order == [9, 2, 0, 1]
    assert not len(lanes)
