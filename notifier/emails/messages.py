"""Turns a rendered mail into the bytes of one message, the same bytes each time, as RFC 5322 and RFC 2045 have them.

The parts are joined by hand: EmailMessage takes a hundred times longer and folds long links into encoded words.
"""

import re
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr, getaddresses
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from urllib.parse import urlsplit

from notifier.emails.templates import QuotedMail, RenderedMail

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_IN_A_DOMAIN = re.compile(r"[^a-z0-9.-]")
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9.-]+")
_LINK = re.compile(r"[!-;=?-~]+")
_PART = "Content-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_LONGEST_LINE = 76
KEPT_SUBJECTS = 1_024


def build_message(  # noqa: PLR0913 - each is one header
    *,
    mail: QuotedMail | RenderedMail,
    sender: str,
    recipient: str,
    message_id: str,
    date: datetime,
    list_id: str,
    list_unsubscribe: str | None,
) -> bytes:
    """The message with CRLF line ends, seven bits wide, no line beginning with a dot: as it goes through SMTP's DATA.

    ``list_unsubscribe`` is the https link that ends all mails on a bare POST (RFC 8058); None for a mail that belongs
    to no subscription. Equal arguments give equal bytes, so that a mail tried again is the same mail.

    Raises:
        ValueError: a header value holds a line end or control character, an address is not ASCII or not an address, or
            the date has no time zone. The message does not repeat the value.
    """
    boundary = "=_" + sha256(message_id.encode()).hexdigest()[:32]
    sent = mail.as_sent() if isinstance(mail, RenderedMail) else mail
    head = (
        f"From: {_sender(sender)}\r\n"
        f"To: {_recipient(recipient)}\r\n"
        f"Subject: {_subject(sent.subject)}\r\n"
        f"Date: {_date(_aware(date))}\r\n"
        f"Message-ID: {_plain('Message-ID', message_id)}\r\n"
        f"List-Id: {_plain('List-Id', list_id)}\r\n"
        f"{_list_headers(list_unsubscribe)}"
        "Auto-Submitted: auto-generated\r\n"
        "X-Auto-Response-Suppress: All\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'
    )
    delimiter = f"\r\n--{boundary}"
    opened = (f"{delimiter}\r\n{_PART.format(subtype)}" for subtype in ("plain", "html"))
    text, html = (one.encode("ascii") for one in opened)
    return b"".join((head.encode("ascii"), text, sent.text, html, sent.html, f"{delimiter}--\r\n".encode("ascii")))


def message_id_for(delivery_id: int, *, domain: str, seed: str) -> str:
    """The Message-ID of a delivery: the same each time it is tried, and not to be guessed without the seed."""
    secret = digest(seed.encode(), f"message-id:{delivery_id}".encode(), "sha256")
    return f"<{secret[:20].hex()}@{domain}>"


def list_id_for(base_url: str) -> str:
    """The List-Id (RFC 2919) of everything an installation sends; it names the service and never a condition."""
    host = (urlsplit(base_url).hostname or "localhost").lower()
    return f"trial updates <updates.{_NOT_IN_A_DOMAIN.sub('-', host)}>"


def _list_headers(list_unsubscribe: str | None) -> str:
    if list_unsubscribe is None:
        return ""
    # Old vacation programs heed only Precedence. Not on a confirmation: filters may put bulk mail aside.
    return (
        f"List-Unsubscribe: <{_link(list_unsubscribe)}>\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        "Precedence: bulk\r\n"
    )


@lru_cache(maxsize=KEPT_SUBJECTS)
def _subject(value: str) -> str:
    return _words("Subject", value)


@lru_cache(maxsize=8)
def _sender(value: str) -> str:
    return _address(value)


def _recipient(value: str) -> str:
    """An address as it was read when it was stored needs no closer look."""
    return value if _PLAIN_ADDRESS.fullmatch(value) else _address(value)


@lru_cache(maxsize=64)
def _date(value: datetime) -> str:
    return format_datetime(value)


def _plain(name: str, value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError(f"{name} holds a line end or control character")
    if not value.isascii():
        raise ValueError(f"{name} holds characters outside ASCII")
    return value


def _link(url: str) -> str:
    if not _LINK.fullmatch(url):
        raise ValueError("List-Unsubscribe is not a link in ASCII")
    return url


def _words(name: str, value: str) -> str:
    """Free text as header words, encoded where RFC 2047 asks for it."""
    if _CONTROL.search(value):
        raise ValueError(f"{name} holds a line end or control character")
    charset = "us-ascii" if value.isascii() else "utf-8"
    return Header(value, charset, maxlinelen=_LONGEST_LINE, header_name=name).encode(linesep="\r\n")


def _address(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("an address holds a line end or control character")
    addresses = getaddresses([value])
    name, address = addresses[0] if len(addresses) == 1 else ("", "")
    if not address.isascii() or not re.fullmatch(r"[^\s<>]+@[^\s<>@]+", address):
        raise ValueError("an address is not one, or not in ASCII")
    if name.isascii():
        return formataddr((name, address))
    return f"{_words('From', name)} <{address}>"


def _aware(date: datetime) -> datetime:
    if date.tzinfo is None:
        raise ValueError("the date has no time zone")
    return date
