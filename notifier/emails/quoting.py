"""Quoted-printable, in which the parts of our mails are sent: what stands in many mails is encoded once."""

from binascii import b2a_qp
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fragment:
    """Whole lines that many mails share, the last one ended as well, and what they are encoded."""

    text: str
    quoted: bytes


def fragment(text: str) -> Fragment:
    """These lines, to be put into mails at the beginning of a line."""
    return Fragment(text, quoted(text))


def quoted(text: str) -> bytes:
    """A text as it is sent (RFC 2045, 6.7), its line ends those of SMTP."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    # The first line end decides which ones `b2a_qp` writes.
    return b2a_qp(b"\r\n" + lines.encode(), istext=True)[2:]


def quoted_around(text: str, kept: Iterable[Fragment]) -> bytes:
    """The same as `quoted`, without encoding these fragments again, which stand in the text in this order.

    Each line is encoded for itself, and so a text of whole lines is the sum of them. A fragment that is not found
    where a line begins is encoded with the rest.
    """
    parts, done = [], 0
    for one in kept:
        opening = one.text[: one.text.find("\n") + 1]
        start = text.find(opening, done) if opening else -1
        if start < 0 or not text.startswith(one.text, start) or text[start - 1 : start] not in {"", "\n"}:
            continue
        parts += [quoted(text[done:start]), one.quoted]
        done = start + len(one.text)
    return b"".join([*parts, quoted(text[done:])])
