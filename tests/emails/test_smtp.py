"""Handing mails over to real servers: connections kept, answers sorted, lost connections told apart by when."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from notifier.config import MailServer
from notifier.domain.blame import UNSAFE
from notifier.domain.deliveries import Answer, Composed, Verdict
from notifier.emails import pipelining
from notifier.emails.pipelining import Timeouts, dot_stuffed
from notifier.emails.smtp import Relay
from notifier.emails.tray import Tray
from tests.servers import free_port
from tests.smtp_servers import Mailbox, mailbox

SHORT = Timeouts(connect=60, command=3, message=3)
"""For a server that hangs."""
LONG = Timeouts(connect=60, command=60, data=60, message=60)
MESSAGE = b"Subject: Study updates\r\n\r\nHello\r\n.a dot\r\n"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that a busy machine brings late holds nothing up."""
    monkeypatch.setattr(pipelining, "STALL_SECONDS", 60.0)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


def _mails(*names: str, message: bytes = MESSAGE) -> list[Composed]:
    return [
        Composed(
            delivery_id=number,
            recipient=f"{name}@example.org",
            message=message,
            message_id=f"<{number}@test>",
            dated_at=datetime(2026, 3, 2, tzinfo=UTC),
            language="en",
        )
        for number, name in enumerate(names, 1)
    ]


async def _hand_over(relay: Relay, mails: Sequence[Composed], *, seconds: float = 100) -> dict[int, Verdict]:
    """Verdicts for all of these, or those that there are when the time is over."""
    tray, verdicts = Tray(), dict[int, Verdict]()
    relay.take(mails, tray)
    until = asyncio.get_running_loop().time() + seconds
    while len(verdicts) < len(mails) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.005)
        verdicts |= tray.take()
    return verdicts


def _send(
    server: MailServer, *groups: Sequence[Composed], connections: int = 1, timeouts: Timeouts = LONG
) -> list[Verdict]:
    async def send() -> list[Verdict]:
        relay = Relay(server, sender="updates@example.org", connections=connections, timeouts=timeouts)
        verdicts = [await _hand_over(relay, group) for group in groups]
        await relay.close()
        # A connection that was refused in TLS takes a moment to close; a worker's loop lives on meanwhile.
        await asyncio.sleep(0.05)
        return [group[id_] for group in verdicts for id_ in sorted(group)]

    return asyncio.run(send())


def _answers(verdicts: Sequence[Verdict]) -> list[str]:
    return [verdict.answer.value for verdict in verdicts]


def test_a_mail_arrives_as_it_was_written(box: Mailbox) -> None:
    assert _answers(_send(box.server, _mails("ada"))) == ["accepted"]
    assert box.accepted == [("ada@example.org", MESSAGE)]


def test_one_connection_serves_group_after_group(box: Mailbox) -> None:
    verdicts = _send(box.server, _mails("ada", "bob"), _mails("cyd", "dan"))

    assert _answers(verdicts) == ["accepted"] * 4
    assert box.connections == 1


def test_several_connections_share_a_group_and_one_is_kept(box: Mailbox) -> None:
    verdicts = _send(box.server, _mails(*"abcdefgh"), connections=3)

    assert _answers(verdicts) == ["accepted"] * 8
    assert box.connections == 2


@pytest.mark.parametrize(
    ("reply", "answer"),
    [("450 4.2.0 wait", "later"), ("550 5.1.1 unknown", "never"), ("554 5.7.1 Relay access denied", "later")],
)
def test_a_refused_recipient_is_sorted(box: Mailbox, reply: str, answer: str) -> None:
    box.on_rcpt["ada@example.org"] = reply

    assert _answers(_send(box.server, _mails("ada"))) == [answer]


def test_a_refused_recipient_costs_the_next_one_nothing(box: Mailbox) -> None:
    box.on_rcpt["ada@example.org"] = "550 5.1.1 unknown"
    box.on_message["bob@example.org"] = "552 5.3.4 too big"

    assert _answers(_send(box.server, _mails("ada", "bob", "cyd"))) == ["never", "never", "accepted"]
    assert box.connections == 1


def test_a_refused_sender_stops_the_group(box: Mailbox) -> None:
    box.on_mail = "550 5.1.8 we do not know you"

    verdicts = _send(box.server, _mails("ada", "bob", "cyd"))

    assert _answers(verdicts) == ["ours"] * 3
    assert [verdict.reply is None for verdict in verdicts] == [False, True, True]


def test_one_recipient_stops_nobody_else(box: Mailbox) -> None:
    box.on_rcpt["ada@example.org"] = box.on_message["bob@example.org"] = "554 5.7.1 Relay access denied"

    assert _answers(_send(box.server, _mails("ada", "bob", "cyd"))) == ["later", "later", "accepted"]


def test_a_server_that_closes_at_once_is_nobodys_fault(box: Mailbox) -> None:
    box.on_mail = "421 4.3.2 closing"

    verdicts = _send(box.server, _mails("ada", "bob"))

    assert _answers(verdicts) == ["ours", "ours"]
    assert verdicts[0].reason == "the mail server takes no mail now"


def test_a_sender_that_cannot_be_written_fails_no_mail(box: Mailbox) -> None:
    async def send() -> dict[int, Verdict]:
        relay = Relay(box.server, sender="üpdates@example.org", connections=1, timeouts=LONG)
        verdicts = await _hand_over(relay, _mails("ada", "bob"))
        await relay.close()
        return verdicts

    assert _answers(list(asyncio.run(send()).values())) == ["ours", "ours"]


def test_a_host_that_cannot_be_a_name_is_nobodys_fault() -> None:
    verdicts = _send(MailServer(host="mail..example.org", port=25, tls="none"), _mails("ada", "bob"))

    assert _answers(verdicts) == ["ours", "ours"]
    assert verdicts[0].reason == "no safe connection to the mail server: UnicodeError"


class _Odd(bytes):
    """A message that breaks us while it is made ready for the wire."""

    def count(self, *_: object) -> int:
        raise ZeroDivisionError("ada@example.org")


def test_an_error_of_ours_costs_nobody_their_verdict(box: Mailbox) -> None:
    mails = _mails("ada", "bob", "cyd")
    mails[1] = replace(mails[1], message=_Odd(MESSAGE))

    verdicts = _send(box.server, mails)

    assert _answers(verdicts) == ["accepted", "later", "ours"]
    assert verdicts[1].reason == "an error of ours while sending: ZeroDivisionError"


@pytest.mark.parametrize(("step", "known"), [("rcpt", ["ours", "ours"]), ("message", ["ours"])])
def test_only_a_mail_that_may_be_out_has_no_verdict_when_sending_is_cut_short(
    box: Mailbox, step: str, known: list[str]
) -> None:
    box.hang_at = step

    async def cut_short() -> dict[int, Verdict]:
        relay, tray = Relay(box.server, sender="updates@example.org", connections=1, timeouts=Timeouts()), Tray()
        relay.take(_mails("ada", "bob"), tray)
        for _ in range(6_000):
            await asyncio.sleep(0.01)
            if box.hanging:
                break
        await relay.close()
        return tray.take()

    earned = asyncio.run(cut_short())
    assert _answers([earned[id_] for id_ in sorted(earned)]) == known


def test_a_connection_dropped_before_the_message_means_later(box: Mailbox) -> None:
    box.drop_at = "rcpt"

    assert _answers(_send(box.server, _mails("ada"))) == ["later"]


def test_a_connection_dropped_after_the_message_is_ambiguous(box: Mailbox) -> None:
    box.drop_at = "message"

    assert _answers(_send(box.server, _mails("ada"))) == ["ambiguous"]


@pytest.mark.parametrize(("step", "answer"), [("mail", "later"), ("rcpt", "later"), ("message", "ambiguous")])
def test_a_server_that_hangs_is_left(box: Mailbox, step: str, answer: str) -> None:
    box.hang_at = step

    assert _answers(_send(box.server, _mails("ada"), timeouts=SHORT)) == [answer]


def test_a_server_that_hangs_up_now_and_then_gets_everything(box: Mailbox) -> None:
    box.mails_per_connection = 2

    assert _answers(_send(box.server, _mails(*"abcdef"))) == ["accepted"] * 6
    assert box.connections == 3


def test_no_server_is_nobodys_fault() -> None:
    verdicts = _send(MailServer(host="127.0.0.1", port=free_port(), tls="none"), _mails("ada", "bob"))

    assert _answers(verdicts) == ["ours", "ours"]
    assert verdicts[0].reason == "the mail server cannot be reached"


def test_an_address_that_smtp_cannot_write_is_refused(box: Mailbox) -> None:
    ada, bob = _mails("ada", "bob")

    verdicts = _send(box.server, [replace(ada, recipient="adä@example.org"), bob])

    assert _answers(verdicts) == ["never", "accepted"]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that this machine trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return authority


def _server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize(("password", "answer"), [("secret", "accepted"), ("guess", "ours")])
def test_a_wrong_password_is_our_fault(authority: trustme.CA, password: str, answer: str) -> None:
    with mailbox(tls=_server_context(authority), login=("name", "secret")) as box:
        verdicts = _send(replace(box.server, tls="required", username="name", password=password), _mails("ada"))

    assert _answers(verdicts) == [answer]
    assert answer == "accepted" or "NOTIFIER_SMTP_URL" in str(verdicts[0].reason)
    assert answer == "accepted" or str(verdicts[0].reply).startswith("535 ")


def test_starttls_protects_the_connection(authority: trustme.CA) -> None:
    with mailbox(tls=_server_context(authority)) as box:
        verdicts = _send(replace(box.server, tls="required"), _mails("ada", "bob"))

    assert _answers(verdicts) == ["accepted"] * 2


@pytest.mark.usefixtures("authority")
def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    with mailbox(tls=_server_context(trustme.CA())) as box:
        [refused] = _send(replace(box.server, tls="required"), _mails("ada"))
        assert refused.answer is Answer.OURS
        assert refused.reason == f"{UNSAFE}: its certificate: unable to get local issuer certificate"
        assert _answers(_send(replace(box.server, tls="offered"), _mails("ada"))) == ["accepted"]


def test_a_server_without_starttls_gets_nothing_where_it_is_required(box: Mailbox) -> None:
    [verdict] = _send(replace(box.server, tls="required"), _mails("ada"))

    assert verdict == Verdict(answer=Answer.OURS, reason=f"{UNSAFE}: it offers no STARTTLS")
    assert box.accepted == []


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (b"a\r\n.b\r\n", b"a\r\n..b\r\n.\r\n"),
        (b".a\r\n", b"..a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\n.\nMAIL FROM:<x>\r\n", b"a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n"),
        (b"a\r.\rb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
    ],
)
def test_no_message_ends_early(message: bytes, wire: bytes) -> None:
    assert dot_stuffed(message) == wire
