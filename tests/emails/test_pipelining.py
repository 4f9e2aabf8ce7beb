"""A mail a round trip: which reply belongs to which mail, and which mail may be out, whatever the server does."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from notifier.domain.deliveries import Composed, Verdict
from notifier.emails import pipelining, smtp
from notifier.emails.pipelining import Timeouts
from notifier.emails.smtp import Relay
from notifier.emails.tray import Tray
from tests.scripted_smtp import DROP, HANG, HELLO, Script, scripted

SHORT = Timeouts(connect=60, command=3, data=3, message=3)
"""For servers that hang; where others answer, a busy machine must have time for it."""
LONG = Timeouts(connect=60, command=60, data=60, message=60)
PATIENCE = 45
"""Seconds: shorter than a server hangs."""
PLAIN = HELLO.replace("PIPELINING", "SIZE")
MESSAGE = b"Subject: Study updates\r\n\r\nHello\r\n.a dot\r\n"
HUGE = MESSAGE + (b"x" * 998 + b"\r\n") * 30_000
"""More than what lies between two programs can hold."""
STUFFED = MESSAGE.replace(b"\r\n.", b"\r\n..")


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that a busy machine brings late holds nothing up, unless that is what a test is about."""
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 60.0)


def _mail(number: int, name: str, message: bytes = MESSAGE, *, domain: str = "") -> Composed:
    return Composed(
        delivery_id=number,
        recipient=f"{name}@{domain or name}.example.org",
        message=message,
        message_id=f"<{number}@test>",
        dated_at=datetime(2026, 3, 2, tzinfo=UTC),
        language="en",
    )


def _send(
    script: Script, names: str, *, timeouts: Timeouts | None = None, first: Sequence[int] = (), **limits: int
) -> Mapping[int, Verdict]:
    return _send_mails(script, [_mail(*one) for one in enumerate(names, 1)], timeouts=timeouts, first=first, **limits)


def _send_mails(
    script: Script,
    mails: Sequence[Composed],
    *,
    timeouts: Timeouts | None = None,
    first: Sequence[int] = (),
    connections: int = 1,
    enough: int = 99,
) -> Mapping[int, Verdict]:
    given = timeouts or (SHORT if HANG in script.replies.values() else LONG)

    async def send() -> dict[int, Verdict]:
        relay = Relay(script.server, sender="updates@example.org", connections=connections, timeouts=given)
        tray, verdicts = Tray(), dict[int, Verdict]()
        relay.take(mails, tray, first=first)
        until = asyncio.get_running_loop().time() + PATIENCE
        while len(verdicts) < min(enough, len(mails)) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.005)
            verdicts |= tray.take()
        await relay.close()
        return verdicts | tray.take()

    return asyncio.run(send())


def _answers(verdicts: Mapping[int, Verdict]) -> str:
    return " ".join(verdicts[id_].answer.value for id_ in sorted(verdicts))


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize("hello", [HELLO, PLAIN])
def test_every_mail_gets_its_own_reply_however_replies_arrive(hello: str, piece: int) -> None:
    replies = {"RCPT:b": "550-5.1.1 nobody\r\n550 5.1.1 here", "MESSAGE:c": "451-4.3.0 a\r\n451 4.3.0 b"}
    with scripted(Script(replies, hello=hello, piece=piece)) as script:
        verdicts = _send(script, "abcd")

    assert _answers(verdicts) == "accepted never later accepted"
    assert verdicts[2].reply == "550 5.1.1 nobody 5.1.1 here"
    assert script.accepted == [("a", STUFFED), ("d", STUFFED)]
    assert script.connections == 1


def test_the_next_envelope_goes_out_with_the_message() -> None:
    with scripted(Script({"AHEAD:a": "yes"})) as script:
        verdicts = _send(script, "ab")

    assert _answers(verdicts) == "accepted accepted"
    assert script.connections == 1


def test_a_server_that_cannot_take_the_groups_it_offers_is_told_one_thing_after_the_other() -> None:
    with scripted(Script(drops_groups=True)) as script:
        verdicts = _send(script, "abcde")

    assert _answers(verdicts) == "later later accepted accepted accepted"
    assert script.connections == 3


def test_recipients_that_hang_speak_against_no_server_that_takes_mail_in_groups() -> None:
    replies = {"RCPT:a": HANG, "RCPT:b": HANG} | {f"MESSAGE:{name}": "after 0.2 250 2.0.0 ok" for name in "vwxyz"}
    with scripted(Script(replies)) as script, capture_logs() as told:
        verdicts = _send(script, "axyzwbv", connections=3)

    assert _answers(verdicts) == "later accepted accepted accepted accepted later accepted"
    assert told == []


def test_a_message_for_nobody_stays_empty() -> None:
    with scripted(Script({"RCPT:b": "550 5.1.1 unknown", "DATA:b": "354 go on"})) as script:
        verdicts = _send(script, "abc")

    assert _answers(verdicts) == "accepted never accepted"
    assert script.recipients == ["a", "c"]


@pytest.mark.parametrize("last", ["250 2.0.0 ok", "554 5.5.1 nobody"])
def test_whatever_is_said_of_an_empty_message_it_was_not_sent(last: str) -> None:
    replies = {"RCPT:b": "450 4.2.0 later", "DATA:b": "354 go on", "MESSAGE:b": last}
    with scripted(Script(replies)) as script:
        verdicts = _send(script, "abc")

    assert _answers(verdicts) == "accepted later accepted"


@pytest.mark.parametrize("end", [DROP, HANG, "421 4.7.0 too many errors"])
@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_refusal_counts_though_the_connection_ends_behind_it(names: str, end: str) -> None:
    with scripted(Script({"RCPT:a": "550 5.1.1 nobody", "DATA:a": end})) as script:
        verdicts = _send(script, names)

    assert {verdict.reply for verdict in verdicts.values()} == {"550 5.1.1 nobody", "250 2.0.0 queued"}


def test_a_refused_sender_is_our_fault_and_the_echo_counts_for_nothing() -> None:
    with scripted(Script({"MAIL": "550 5.7.1 not you"})) as script:
        verdicts = _send(script, "ab")

    assert _answers(verdicts) == "ours ours"
    assert "NOTIFIER_MAIL_FROM" in str(verdicts[1].reason)


@pytest.mark.parametrize("hello", [HELLO, PLAIN])
def test_a_server_that_says_421_between_mails_gets_them_on_other_connections(hello: str) -> None:
    with scripted(Script(hello=hello, mails_per_connection=2)) as script:
        verdicts = _send(script, "abcdef")

    assert _answers(verdicts) == " ".join(["accepted"] * 6)
    assert (script.recipients, script.connections) == (list("abcdef"), 3)


@pytest.mark.parametrize(
    ("replies", "answers"),
    [
        ({"RCPT:a": DROP}, "later accepted"),
        ({"DATA:a": DROP}, "later accepted"),
        ({"DATA:a": "354 go", "MESSAGE:a": DROP}, "ambiguous accepted"),
        ({"MESSAGE:a": "421 4.3.2 closing"}, "later accepted"),
        ({"MESSAGE:a": HANG}, "ambiguous accepted"),
        ({"MESSAGE:a": "354 what"}, "ambiguous accepted"),
        ({"MESSAGE:a": "hello"}, "ambiguous accepted"),
        ({"RCPT:a": HANG}, "later accepted"),
        ({"DATA:a": HANG}, "later accepted"),
        ({"DATA:a": "250 ok"}, "later accepted"),
        ({"RCPT:a": "hello"}, "later accepted"),
        ({"RCPT:a": "250-" + "x" * 100 + "\r\n251 y"}, "later accepted"),
        ({"RCPT:a": "\r\n".join(["250-x"] * 200)}, "later accepted"),
        ({"RCPT:a": "250 " + "x" * 5000}, "later accepted"),
    ],
)
@pytest.mark.parametrize("hello", [HELLO, PLAIN])
def test_only_a_mail_whose_message_began_to_go_out_is_in_doubt(
    hello: str, replies: dict[str, str], answers: str
) -> None:
    with scripted(Script(replies, hello=hello)) as script:
        verdicts = _send(script, "ab")

    assert _answers(verdicts) == answers
    assert "b" in script.recipients


def test_a_connection_lost_after_a_reply_to_the_mail_before_costs_nothing() -> None:
    with scripted(Script({"RCPT:b": DROP})) as script:
        verdicts = _send(script, "abc")

    # The first time it had served others, the second time it had not.
    assert _answers(verdicts) == "accepted later accepted"
    assert script.connections == 3


def test_a_message_that_did_not_go_out_whole_did_not_go_out() -> None:
    with scripted(Script({"PART:a": DROP}, read_bytes=1000)) as script:
        verdicts = _send_mails(script, [_mail(1, "a", b"x" * 70 * 100_000 + b"\r\n")])

    assert _answers(verdicts) == "later"


@pytest.mark.parametrize(
    ("early", "answer"),
    [
        ("250 2.0.0 queued", "ambiguous"),
        ("552 5.3.4 too big", "never"),
        ("451 4.3.0 not now", "later"),
        ("421 4.3.2 closing", "later"),
        ("354 go on", "later"),
    ],
)
@pytest.mark.parametrize("hello", [HELLO, PLAIN])
def test_before_all_of_a_mail_went_out_a_refusal_holds_and_a_yes_is_in_doubt(
    hello: str, early: str, answer: str
) -> None:
    with scripted(Script({"PART:a": early}, read_bytes=1000, hello=hello)) as script:
        verdicts = _send_mails(script, [_mail(1, "a", HUGE), _mail(2, "b")])

    assert _answers(verdicts) == f"{answer} accepted"
    assert (script.recipients, script.connections) == (["b"], 2)


def test_replies_that_nobody_asked_for_are_not_taken_for_others() -> None:
    with scripted(Script({"MESSAGE:a": "250 2.0.0 ok\r\n250 2.0.0 ok"})) as script:
        verdicts = _send(script, "abc")

    assert _answers(verdicts) == "accepted accepted accepted"
    assert script.recipients == ["a", "b", "c"]
    assert script.connections == 2


def test_a_mail_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 1.0)
    with scripted(Script({"MESSAGE:b": HANG, "RCPT:d": HANG})) as script:
        verdicts = _send(script, "abcdefgh", timeouts=LONG, connections=2, enough=6)

    assert sorted(script.recipients) == list("abcefgh")
    assert sum(verdict.answer.value == "accepted" for verdict in verdicts.values()) == 6


def test_a_slow_server_that_takes_few_connections_gets_everything_on_those(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 0.1)
    monkeypatch.setattr(smtp, "CONNECT_AGAIN_SECONDS", 0.1)
    replies = {f"MESSAGE:{name}": "after 0.4 250 2.0.0 ok" for name in "abcdefgh"}
    with scripted(Script(replies, most_connections=4)) as script:
        verdicts = _send(script, "abcdefgh", timeouts=LONG, connections=5)

    assert _answers(verdicts) == " ".join(["accepted"] * 8)


@pytest.mark.parametrize("seconds", [1.3, 0.0])
def test_a_server_that_takes_its_time_over_each_mail_keeps_its_connection(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 1.0)
    replies = {f"MESSAGE:{name}": f"after {seconds} 250 2.0.0 ok" for name in "bcdef"} | {
        "MESSAGE:a": "after 1.3 250 ok"
    }
    with scripted(Script(replies)) as script:
        verdicts = _send(script, "abcdefgh", timeouts=LONG)

    assert _answers(verdicts) == " ".join(["accepted"] * 8)
    assert script.connections <= 3


def test_what_hangs_makes_way_where_the_server_takes_no_more_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 0.1)
    monkeypatch.setattr(smtp, "CONNECT_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(smtp, "GIVE_WAY_SECONDS", 0.3)
    with scripted(Script({"RCPT:a": HANG, "RCPT:b": HANG}, most_connections=2)) as script:
        verdicts = _send(script, "abcd", timeouts=LONG, connections=5, enough=3)

    assert sorted(script.recipients) == ["c", "d"]
    # Which of them hung first is up to the machine.
    assert "later" in (verdicts[1].answer.value, verdicts[2].answer.value)


def test_mails_somebody_waits_for_have_a_connection_of_their_own() -> None:
    with scripted(Script({"RCPT:a": HANG, "RCPT:b": HANG, "RCPT:c": HANG})) as script:
        verdicts = _send(script, "abcz", timeouts=LONG, connections=3, first=[4], enough=1)

    assert verdicts[4].answer.value == "accepted"
    assert script.recipients == ["z"]


def test_a_domain_whose_mails_all_hang_leaves_connections_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 0.05)
    slow = [_mail(number, f"s{number}", domain="slow") for number in range(1, 17)]
    others = [_mail(17, "a"), _mail(18, "z")]

    async def send(script: Script) -> dict[int, Verdict]:
        relay = Relay(script.server, sender="updates@example.org", connections=3, timeouts=LONG)
        relay.take(slow, Tray())
        await asyncio.sleep(1.5)
        tray, verdicts = Tray(), dict[int, Verdict]()
        relay.take(others, tray, first=[18])
        until = asyncio.get_running_loop().time() + PATIENCE
        while len(verdicts) < 2 and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
            verdicts |= tray.take()
        await relay.close()
        return verdicts

    with scripted(Script({f"RCPT:s{number}": HANG for number in range(1, 17)})) as script:
        assert _answers(asyncio.run(send(script))) == "accepted accepted"


def test_connections_that_died_silently_cost_one_short_wait_and_not_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelining, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(pipelining, "ANSWER_SECONDS", 0.3)

    async def send(script: Script) -> list[Verdict]:
        relay, tray = Relay(script.server, sender="updates@example.org", connections=5, timeouts=Timeouts()), Tray()
        verdicts: list[Verdict] = []
        asked = 0
        for mails in ([_mail(number, "abcd"[number]) for number in range(4)], [_mail(9, "z")]):
            asked = script.heard.count("NOOP")
            relay.take(mails, tray)
            until, enough = asyncio.get_running_loop().time() + PATIENCE, len(verdicts) + len(mails)
            while len(verdicts) < enough and asyncio.get_running_loop().time() < until:
                await asyncio.sleep(0.01)
                verdicts += tray.take().values()
        await relay.close()
        assert script.heard.count("NOOP") <= asked + 1
        return verdicts

    with scripted(Script({"NOOP": HANG})) as script:
        assert [verdict.answer.value for verdict in asyncio.run(send(script))] == ["accepted"] * 5
