"""What a mail server's answer means: sent, later, never, or our own fault; by enhanced code, then code, then text.

Replies are kept without addresses. Codes: RFC 5321 section 4.2, RFC 3463, and the registry of enhanced codes.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from ssl import SSLCertVerificationError

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPConnectTimeoutError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupported,
    SMTPReadTimeoutError,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from notifier.domain.blame import LOGIN_REFUSED, SENDER_REFUSED, TAKES_NONE, UNREACHABLE, UNSAFE
from notifier.domain.deliveries import OUR_SIDE, Answer, Verdict

LONGEST_REPLY = 200
CLOSING = 421
"""The server is about to hang up, whatever it was asked (RFC 5321 section 3.8)."""
LOST = "the connection was lost after the message had gone out"
EARLY = "the mail server said it took the message before all of it had gone out"

_MARK = "•••"
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:]*(?:@|%40|=40)[^\s<>()\[\]\",;]*", re.IGNORECASE)
_SHORTEST_PART = 3
_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3}\.\d{1,3})(?!\S)")
_OUR_CODES = frozenset({500, 502, 503, 504, 530, 534, 535, 538, 555})
"""About the talk and who leads it, not about whom a mail goes to: what a command or its parameters may be, and logging
in. A wrong address is 501."""
_OUR_DETAILS = re.compile(
    # The sender's address; sending too much; our authentication; SPF, DKIM, DMARC and names of ours in the DNS.
    r"1\.[78]|4\.5|7\.(?:8|9|11|2[0-7])"
    # What Exchange says to who may not relay, not send as this sender, not from this network, or cannot show who it is.
    r"|7\.(?:5[47]|6[04]|50[1-3689]|51[15]|6[0-4]\d|70[58]|750)"
)
_OUR_TEXT = re.compile(
    r"relay(?:ing)?\b.{0,20}\b(?:denied|not permitted|prohibited|not allowed)"
    r"|(?:unable|not permitted|do not) (?:to )?relay|auth\w* (?:is )?required|not authenticated"
    r"|sender (?:address )?(?:rejected|denied|verify failed)|send as\b"
    r"|not owned by|blocked using|(?:block|black|deny)list|\b(?:bad|poor|low) reputation"
    r"|\b(?:SPF|DKIM|DMARC)\b|\ballowed rcpthosts"
    r"|(?:sending|message|hourly|daily) (?:quota|limit)|rate limit|reverse (?:dns|hostname)|PTR record"
    r"|\b(?:helo|ehlo) command rejected",
    re.IGNORECASE,
)
_CLOSED_SYSTEM = "3.2"
_FULL_MAILBOX = "2.2"
_PASSING_TEXT = re.compile(
    r"gr[ea]ylist|try (?:again|later)|over ?quota|mailbox (?:is )?full|exceed\w* (?:storage|quota)|temporar",
    re.IGNORECASE,
)


def judge_reply(code: int, text: str, *, recipient: str = "") -> Verdict:
    """What a reply to RCPT, DATA or the message itself means.

    It concerns this mail alone, whatever it says: one recipient's server must not keep everybody's mail here.
    """
    reply = mask_reply(f"{code} {text}", recipient=recipient)
    if 200 <= code < 300:
        return Verdict(answer=Answer.ACCEPTED, reply=reply)
    answer, reason = _judge_refusal(code, text)
    return Verdict(answer=answer, reason=reason, reply=reply)


def judge_sender(code: int, text: str) -> Verdict:
    """What a refusal of our sender address means: never a mailbox's fault."""
    reply = mask_reply(f"{code} {text}")
    if code < 500:
        return Verdict(answer=Answer.OURS, reason=TAKES_NONE, reply=reply)
    return Verdict(answer=Answer.OURS, reason=SENDER_REFUSED, reply=reply)


def judge_ended(*, understood: bool) -> Verdict:
    """What it means that a connection ended before the message had gone out."""
    if not understood:
        return Verdict(answer=Answer.LATER, reason="the mail server's answer was not understood")
    return Verdict(answer=Answer.LATER, reason="the connection was lost or too slow before the message went out")


def judge_error(error: SMTPException, *, recipient: str = "") -> Verdict:
    """What an error before the end of the message means."""
    judge = next(JUDGES[kind] for kind in type(error).__mro__ if kind in JUDGES)
    return judge(error, recipient)


def judge_connecting(error: Exception) -> Verdict:
    """What a failed connection means; always our side's matter, never a mailbox's."""
    if type(error) is SMTPException and "STARTTLS" in str(error):
        return Verdict(answer=Answer.OURS, reason=f"{UNSAFE}: it offers no STARTTLS")
    if isinstance(error, SMTPException):
        verdict = judge_error(error)
        reason = verdict.reason if verdict.answer is Answer.OURS else UNREACHABLE
        return replace(verdict, answer=Answer.OURS, reason=reason)
    what = type(error).__name__
    if isinstance(error, SSLCertVerificationError):
        what = f"its certificate: {error.verify_message.rstrip('.')}"
    return Verdict(answer=Answer.OURS, reason=f"{UNSAFE}: {what}"[:LONGEST_REPLY])


def mask_reply(text: str, *, recipient: str = "") -> str:
    """A reply in one line, at most 200 characters, without any address and without either part of the recipient's."""
    # A server may write what is neither UTF-8 nor printable; no database takes every such character.
    line = " ".join((text if text.isascii() else text.encode("utf-8", "replace").decode()).split())
    if not line.isprintable():
        line = "".join(character for character in line if character.isprintable())
    masked = _ADDRESS.sub(_MARK, line) if "@" in line or "%40" in line or "=40" in line else line
    local_part, _, domain = recipient.rpartition("@")
    folded = masked.casefold()
    # Looked for first, as a pattern for each recipient is dear and hardly any reply repeats them.
    parts = [one for one in _local_parts(local_part) if one.casefold() in folded]
    parts += [one for one, folded_one in _domain_parts(domain) if folded_one in folded]
    for part in sorted(parts, key=len, reverse=True):
        masked = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", _MARK, masked, flags=re.IGNORECASE)
    return masked[:LONGEST_REPLY]


def _local_parts(local_part: str) -> list[str]:
    """What of it a reply may repeat by itself: it, and without its tag."""
    untagged, plus, _ = local_part.partition("+")
    return [one for one in ((local_part, untagged) if plus else (local_part,)) if len(one) >= _SHORTEST_PART]


@lru_cache(maxsize=2048)
def _domain_parts(domain: str) -> list[tuple[str, str]]:
    """What of it a reply may repeat by itself, as it is and without case: of mail.example.org also example.org.

    Never co.uk.
    """
    labels = domain.split(".")
    domains = {".".join(labels[at:]) for at in range(len(labels) - 1) if not at or len(labels[at]) > _SHORTEST_PART}
    return [(one, one.casefold()) for one in domains | {_as_shown(one) for one in domains} if one]


def _as_shown(domain: str) -> str:
    """A domain as people write it, where it is not of ASCII letters."""
    try:
        return domain.encode().decode("idna")
    except UnicodeError:
        return domain


def _judge_refusal(code: int, text: str) -> tuple[Answer, str]:
    enhanced = _ENHANCED.match(text)
    kind, detail = enhanced.groups() if enhanced else ("", "")
    if code in _OUR_CODES or _OUR_DETAILS.fullmatch(detail) or _OUR_TEXT.search(text):
        return Answer.LATER, OUR_SIDE
    if detail == _FULL_MAILBOX:
        return Answer.LATER, "the mailbox is full"
    if detail == _CLOSED_SYSTEM:
        return Answer.LATER, "not accepted yet"
    if kind in ("4", "5"):
        return (Answer.LATER, "not accepted yet") if kind == "4" else (Answer.NEVER, "refused")
    if 500 <= code < 600 and not _PASSING_TEXT.search(text):
        return Answer.NEVER, "refused"
    return Answer.LATER, "not accepted yet"


def _by_code(error: SMTPException, recipient: str) -> Verdict:
    assert isinstance(error, SMTPResponseException)
    if not 400 <= error.code < 600:
        return judge_ended(understood=False)
    return judge_reply(error.code, error.message, recipient=recipient)


def _by_first_recipient(error: SMTPException, recipient: str) -> Verdict:
    assert isinstance(error, SMTPRecipientsRefused)
    return _by_code(error.recipients[0], recipient)


def _never(_error: SMTPException, _recipient: str) -> Verdict:
    return Verdict(answer=Answer.NEVER, reason="the mail server cannot take this kind of address")


def _later(_error: SMTPException, _recipient: str) -> Verdict:
    return judge_ended(understood=True)


def _unreachable(error: SMTPException, recipient: str) -> Verdict:
    return Verdict(answer=Answer.OURS, reason=UNREACHABLE, reply=_said(error, recipient))


def _our_setup(error: SMTPException, recipient: str) -> Verdict:
    return Verdict(
        answer=Answer.OURS,
        reason=LOGIN_REFUSED,
        reply=_said(error, recipient),
    )


def _our_sender(error: SMTPException, _recipient: str) -> Verdict:
    assert isinstance(error, SMTPSenderRefused)
    return judge_sender(error.code, error.message)


def _said(error: SMTPException, recipient: str) -> str | None:
    if not isinstance(error, SMTPResponseException):
        return None
    return mask_reply(f"{error.code} {error.message}", recipient=recipient)


JUDGES: dict[type[BaseException], Callable[[SMTPException, str], Verdict]] = {
    SMTPException: _our_setup,
    SMTPAuthenticationError: _our_setup,
    SMTPHeloError: _our_setup,
    SMTPSenderRefused: _our_sender,
    SMTPConnectError: _unreachable,
    SMTPConnectTimeoutError: _unreachable,
    SMTPConnectResponseError: _unreachable,
    SMTPServerDisconnected: _later,
    SMTPTimeoutError: _later,
    SMTPReadTimeoutError: _later,
    SMTPNotSupported: _never,
    SMTPResponseException: _by_code,
    SMTPRecipientRefused: _by_code,
    SMTPDataError: _by_code,
    SMTPRecipientsRefused: _by_first_recipient,
}
"""Every error of aiosmtplib; a test sees to it that none is missing."""
