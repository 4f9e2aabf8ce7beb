"""What a mail server's answers mean, and that no address stays in what is kept of them."""

import aiosmtplib
import pytest

from notifier.domain.deliveries import Answer
from notifier.emails.replies import JUDGES, LONGEST_REPLY, judge_error, judge_reply, mask_reply


def _all_kinds(kind: type[BaseException]) -> set[type[BaseException]]:
    return {kind}.union(*(_all_kinds(child) for child in kind.__subclasses__()))


def test_every_error_of_the_library_is_sorted() -> None:
    assert _all_kinds(aiosmtplib.SMTPException) == set(JUDGES)


@pytest.mark.parametrize(
    ("code", "text", "answer"),
    [
        (250, "2.0.0 Ok: queued as 4F2", Answer.ACCEPTED),
        (250, "", Answer.ACCEPTED),
        (421, "4.3.2 Service shutting down", Answer.LATER),
        (450, "4.2.0 Greylisted", Answer.LATER),
        (451, "Temporary local problem", Answer.LATER),
        (452, "4.3.1 Insufficient system storage", Answer.LATER),
        (550, "5.1.1 User unknown", Answer.NEVER),
        (550, "No such user", Answer.NEVER),
        (551, "User not local", Answer.NEVER),
        (552, "5.3.4 Message too big", Answer.NEVER),
        (554, "5.7.1 Rejected as spam", Answer.NEVER),
        (550, "4.7.1 Come back later", Answer.LATER),
        (450, "5.1.1 User unknown", Answer.NEVER),
        (552, "5.2.2 Mailbox full", Answer.LATER),
        (552, "Mailbox full", Answer.LATER),
        (550, "Greylisted, try again later", Answer.LATER),
        (554, "5.7.1 <ada@example.org>: Relay access denied", Answer.LATER),
        (530, "5.7.0 Must issue a STARTTLS command first", Answer.LATER),
        (535, "5.7.8 Authentication credentials invalid", Answer.LATER),
        (550, "5.1.8 Sender address rejected: domain not found", Answer.LATER),
        (421, "4.7.0 Try again later, closing connection", Answer.LATER),
        (450, "4.2.1 The user you are trying to contact is receiving mail too quickly", Answer.LATER),
        (451, "4.7.1 Greylisting in action, please come back later", Answer.LATER),
        (451, "4.7.500 Server busy", Answer.LATER),
        (452, "4.5.3 Too many recipients", Answer.LATER),
        (500, "5.5.2 Syntax error", Answer.LATER),
        (501, "5.1.3 Bad recipient address syntax", Answer.NEVER),
        (502, "5.5.1 Command not implemented", Answer.LATER),
        (503, "5.5.1 Bad sequence of commands", Answer.LATER),
        (504, "5.5.2 Helo command rejected: need fully-qualified hostname", Answer.LATER),
        (550, "5.7.1 <this.host>: Helo command rejected: Host not found", Answer.LATER),
        (552, "Requested mail action aborted: exceeded storage allocation", Answer.LATER),
        (552, "Message size exceeds fixed limit", Answer.NEVER),
        (554, "no valid recipients", Answer.NEVER),
        (521, "5.2.1 This host takes no mail", Answer.NEVER),
        (534, "5.7.9 Stronger authentication needed", Answer.LATER),
        (550, "5.2.1 The account is disabled", Answer.NEVER),
        (550, "5.4.1 Recipient address rejected: Access denied", Answer.NEVER),
        (550, "5.4.5 Daily user sending limit exceeded", Answer.LATER),
        (550, "5.7.26 Unauthenticated mail is not accepted", Answer.LATER),
        (550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain", Answer.LATER),
        (550, "5.7.60 Client does not have permissions to send as this sender", Answer.LATER),
        (550, "5.7.606 Access denied, banned sending IP", Answer.LATER),
        (550, "5.7.509 Access denied, the sending domain may not", Answer.LATER),
        (550, "5.7.515 Access denied, no such level of authentication", Answer.LATER),
        (550, "5.7.1 Rejected by the DMARC policy of example.org", Answer.LATER),
        (550, "SPF check failed", Answer.LATER),
        (550, "5.7.1 Suspicious, due to the very low reputation of the sending domain", Answer.LATER),
        (553, "sorry, that domain is not in my list of allowed rcpthosts", Answer.LATER),
        (553, "5.7.1 Sender address rejected: not owned by user us", Answer.LATER),
        (554, "5.7.1 Service unavailable; Client host blocked using a list", Answer.LATER),
        (550, "Sender verify failed", Answer.LATER),
        (550, "relay not permitted", Answer.LATER),
        (553, "5.3.0 we do not relay", Answer.LATER),
        (554, "5.3.2 Not accepting messages", Answer.LATER),
        (555, "5.5.4 Unsupported option", Answer.LATER),
        (556, "5.1.10 Recipient address has null MX", Answer.NEVER),
    ],
)
def test_a_reply_is_sorted(code: int, text: str, answer: Answer) -> None:
    assert judge_reply(code, text).answer is answer


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (aiosmtplib.SMTPRecipientRefused(550, "5.1.1 unknown", "ada@example.org"), Answer.NEVER),
        (aiosmtplib.SMTPRecipientsRefused([aiosmtplib.SMTPRecipientRefused(450, "wait", "a@b.c")]), Answer.LATER),
        (aiosmtplib.SMTPDataError(452, "4.3.1 full"), Answer.LATER),
        (aiosmtplib.SMTPSenderRefused(550, "no", "me@example.org"), Answer.OURS),
        (aiosmtplib.SMTPSenderRefused(421, "closing", "me@example.org"), Answer.OURS),
        (aiosmtplib.SMTPAuthenticationError(535, "no"), Answer.OURS),
        (aiosmtplib.SMTPConnectError("refused"), Answer.OURS),
        (aiosmtplib.SMTPServerDisconnected("gone"), Answer.LATER),
        (aiosmtplib.SMTPReadTimeoutError("slow"), Answer.LATER),
        (aiosmtplib.SMTPResponseException(-1, "Malformed SMTP response line: ada@example.org"), Answer.LATER),
        (aiosmtplib.SMTPNotSupported("SMTPUTF8"), Answer.NEVER),
        (aiosmtplib.SMTPException("STARTTLS extension not supported"), Answer.OURS),
    ],
)
def test_an_error_is_sorted_and_names_nobody(error: aiosmtplib.SMTPException, answer: Answer) -> None:
    verdict = judge_error(error, recipient="ada@example.org")

    assert verdict.answer is answer
    assert "@" not in f"{verdict.reason} {verdict.reply}"


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 <Ada.Byron@example.org>: Recipient address rejected",
        "550 ada.byron@EXAMPLE.org unknown; see https://example.org/?to=ada.byron%40example.org",
        "550 user ADA.BYRON is unknown here",
        "550 SRS0=x=y=example.org=ada.byron=40example.org@relay.example bounced",
        '550 "ada.byron"@example.org no',
    ],
)
def test_a_reply_is_kept_without_the_address(text: str) -> None:
    masked = mask_reply(text, recipient="ada.byron@example.org").lower()

    assert masked.startswith("550 ")
    assert "ada" not in masked
    assert "@" not in masked


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("550 mailbox Jo.Roe unknown", "550 mailbox ••• unknown"),
        ("550 jo.roe+list is unknown at Mail.Sägewerk.CO.UK", "550 ••• is unknown at •••"),
        ("550 xn--sgewerk-5wa.co.uk does not know you", "550 ••• does not know you"),
        ("550 mx1.mail.sägewerk.co.uk says no", "550 mx1.••• says no"),
        ("550 see mx.elsewhere.co.uk, joroe, jo.roey", "550 see mx.elsewhere.co.uk, joroe, jo.roey"),
    ],
)
def test_a_reply_is_kept_without_either_part_of_the_address(text: str, kept: str) -> None:
    assert mask_reply(text, recipient="Jo.Roe+list@mail.xn--sgewerk-5wa.co.uk") == kept


def test_a_reply_is_kept_short_and_in_one_line() -> None:
    masked = mask_reply("550 first line\nsecond line " + "x" * 300)

    assert masked.startswith("550 first line second line x")
    assert len(masked) == LONGEST_REPLY


def test_a_reply_that_is_neither_utf_8_nor_printable_can_be_kept() -> None:
    reply = b"550 Empf\xe4nger \x00<ada@exam\x07ple.org>\x1b unbekannt".decode("utf-8", "surrogateescape")

    masked = mask_reply(reply, recipient="ada@example.org")

    assert masked.encode() == "550 Empf?nger <•••> unbekannt".encode()
