"""Rows in which the mail server refuses, with every code at every phase; what is our side's fault blames no mailbox."""

import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import select, update

from notifier.store.models import Delivery
from tests.chaos.crowd import domain_of
from tests.chaos.rows import EMBEDDED, SERVERS, Row
from tests.chaos.stage import Stage

LATER = (
    "421 4.3.2 closing", "450 4.2.1 busy", "451 4.3.0 out of order", "452 4.3.1 no room", "455 no such parameter now",
    "421 good night", "450 greylisted", "451 error in here", "452 too much", "552 exceeded storage allocation",
    "552 5.2.2 full", "550 4.7.1 not yet",
)  # fmt: skip
OURS = (
    "500 5.5.2 what", "500 unrecognised", "502 5.5.1 unknown", "503 5.5.1 bad sequence", "503 out of order",
    "504 5.5.2 Helo command rejected: need fully-qualified hostname", "504 no such parameter",
    "530 5.7.0 authentication required", "534 5.7.9 too weak", "535 5.7.8 who are you", "538 5.7.11 encrypt first",
    "550 5.7.1 relaying denied", "555 5.5.4 no such parameter",
)  # fmt: skip
NEVER = (
    "501 5.1.3 bad address", "521 5.1.10 no mail here", "521 host takes no mail", "550 5.1.1 unknown", "550 no",
    "551 5.1.6 moved", "551 elsewhere", "552 5.3.4 too big", "553 5.1.3 no such name", "554 5.7.1 spam", "554 no",
    "556 5.1.10 takes no mail", "556 takes no mail",
)  # fmt: skip
REPLIES = LATER + OURS + NEVER
"""What a mail server may say that is about one mail: to come later, of which some mean us, or never again."""
WELL = 7
"""Domains whose mails it takes."""
EACH_WITHIN = 60.0
"""Seconds in which the next reply is heard."""


def refuse_mails(stage: Stage, phase: str) -> None:
    """Some readers' domains make one reply each, others take mails; in the end all do, for those who still come."""
    stage.crowd.domains = len(REPLIES) + WELL
    stage.ready(stage.crowd.domains * stage.pick(12, 2))
    by_domain = {f"@{domain_of(number)}": reply for number, reply in enumerate(REPLIES)}
    said = {address: by_domain[end] for address in stage.crowd.readers if (end := _end_of(address)) in by_domain}
    stage.sink.behave(replies={phase: by_domain})
    stage.crowd.insist(stage.service.url)
    moved, before = time.monotonic(), -1
    while (unheard := _unheard(stage, said)) and time.monotonic() - moved < EACH_WITHIN:
        if len(unheard) != before:
            moved, before = time.monotonic(), len(unheard)
        _bring_the_untried(stage)
        time.sleep(0.25)
    stage.sink.behave()
    stage.drain()
    states = list_states(stage)
    wrong = Counter(
        f"{reply[:9]} {states[address].state}"
        for address, reply in said.items()
        if states[address].state != ("failed" if reply in NEVER else "sent")
    )
    failed = sum(row.state == "failed" for row in states.values())
    stage.say(f"{len(REPLIES)} replies, {failed} mails refused for good, {len(said) - failed} taken later")
    stage.expect(not wrong, f"judged wrongly: {dict(wrong)}")
    stage.expect(not unheard, f"not heard in time: {sorted(unheard)}")
    expect_no_copies(stage)


def refuse_us(stage: Stage, phase: str) -> None:
    """The whole server refuses, with one code after the other, before any reader was named."""
    stage.ready(stage.pick(300, 60))
    codes = sorted({reply[:3] for reply in REPLIES})[:: stage.pick(1, 4)]
    phases = ("ehlo", "helo") if phase == "ehlo" else (phase,)
    stage.sink.behave(replies={one: {"": f"{codes[0]} no"} for one in phases})
    stage.crowd.insist(stage.service.url)
    silent = []
    for code in codes:
        stage.sink.behave(replies={one: {"": f"{code} no"} for one in phases})
        if not _wait_to_hear(stage, phase, code):
            silent.append(code)
    taken = stage.sink.count()
    stage.sink.behave()
    stage.drain()
    stage.say(f"{len(codes)} codes; {expect_our_fault(stage)}")
    stage.expect(not silent, f"never heard {silent}")
    stage.expect(not taken, f"{taken} mails went out all the same")
    expect_no_copies(stage)


def know_no_ehlo(stage: Stage) -> None:
    """A server of the old kind: it knows HELO, and none of the extensions."""
    stage.ready(stage.pick(300, 60))
    stage.sink.behave(replies={"ehlo": {"": "502 5.5.1 unknown"}})
    stage.crowd.insist(stage.service.url)
    stage.say(f"all out after {stage.drain():.1f} s, with HELO")
    expect_no_copies(stage)


def list_states(stage: Stage) -> dict[str, Delivery]:
    """The mail of each reader, by address; there is one."""
    addresses = {reader: address for address, reader in stage.crowd.readers.items()}
    with stage.installation.database.reading() as session:
        mails = session.scalars(select(Delivery).where(Delivery.subscriber_id.in_(addresses))).all()
        session.expunge_all()
    return {addresses[mail.subscriber_id]: mail for mail in mails if mail.subscriber_id is not None}


def expect_our_fault(stage: Stage) -> str:
    """Nobody's mailbox may be blamed for what was our side's matter, and the operator must have been told."""
    mails = list_states(stage).values()
    blamed = sum(mail.state != "sent" or mail.attempts != 1 for mail in mails)
    told = (stage.folder / f"{stage.service.worker}.log").read_text().count("delivery.stopped")
    stage.expect(not blamed, f"{blamed} of {len(mails)} mails counted a try, or were not sent")
    stage.expect(told > 0, "the operator was not told")
    return f"told {told} times"


def expect_no_copies(stage: Stage) -> None:
    """Nothing was in doubt."""
    figures = stage.count()
    stage.expect(figures.copies == figures.ambiguous == 0, f"{figures.ambiguous} mails were in doubt")


def _bring_the_untried(stage: Stage) -> None:
    """Have those due that were turned away together with others; who was refused waits, as in life."""
    now = datetime.now(UTC)
    untried = update(Delivery).where(Delivery.state == "deferred", Delivery.attempts == 0)
    with stage.installation.database.writing() as session:
        session.execute(untried.values(not_before=now))


def _end_of(address: str) -> str:
    return address[address.index("@") :]


def _unheard(stage: Stage, said: dict[str, str]) -> set[str]:
    """The replies that nobody heard yet, or, where they are for good, that not all heard; a domain may rest before."""
    refused = {one.recipient for one in stage.sink.list_all() if one.what != "taken"}
    heard = {said[address] for address in refused}
    return {
        reply for address, reply in said.items() if address not in refused and (reply in NEVER or reply not in heard)
    }


def _wait_to_hear(stage: Stage, phase: str, code: str) -> bool:
    before, until = stage.sink.count_heard(phase, code), time.monotonic() + EACH_WITHIN
    while stage.sink.count_heard(phase, code) == before:
        if time.monotonic() > until:
            return False
        stage.hasten()
        time.sleep(0.1)
    return True


ROWS = [
    Row(name="refused at connect", go=partial(refuse_us, phase="connect"), engines=EMBEDDED),
    Row(name="refused at EHLO", go=partial(refuse_us, phase="ehlo"), engines=SERVERS),
    Row(name="refused at MAIL", go=partial(refuse_us, phase="mail")),
    Row(name="EHLO unknown", go=know_no_ehlo, engines=EMBEDDED),
    Row(name="refused at RCPT", go=partial(refuse_mails, phase="rcpt")),
    Row(name="refused at DATA", go=partial(refuse_mails, phase="data"), engines=SERVERS),
    Row(name="refused after the dot", go=partial(refuse_mails, phase="message")),
]
