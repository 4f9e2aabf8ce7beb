"""Looks for signs that must not be somewhere, however they are written there: plain, encoded, or as raw bytes."""

import quopri
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from html import unescape
from urllib.parse import unquote_to_bytes

from bs4 import BeautifulSoup

_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_SOFT_BREAKS = re.compile(rb"=\r?\n")
_LINE_ENDS = re.compile(rb"[\r\n]+")
_LINK = re.compile(r"https?://\S+")
_POINTING = re.compile(r'\s(?:href|src|srcset|action|formaction|content|cite|poster|data-(?:url|src|href))="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Finding:
    """A sign that was found, in which form, where, with what stands around it."""

    sign: str
    form: str
    place: str
    around: str


def find(signs: Iterable[str], content: bytes | str, *, place: str) -> list[Finding]:
    """Every sign that the content holds in any form; signs are of ASCII letters alone, eight or more."""
    raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    readings = dict(_readings(raw))
    return [
        Finding(sign, form, place, _around(readings[form], at, len(needle)))
        for sign in signs
        for form, needle in _needles(sign)
        if (at := readings[form].find(needle)) >= 0
    ]


def links_of(page: str) -> list[str]:
    """Every address that a page leads to, by whatever means."""
    return [unescape(one) for one in _POINTING.findall(page)] + _LINK.findall(page)


def without_fields(page: str) -> str:
    """A page without what stands in its form's fields: what somebody typed is shown to them again."""
    soup = BeautifulSoup(page, "html.parser")
    for field in soup.select("input, select, textarea"):
        field.decompose()
    return str(soup)


def headers_of(mail: EmailMessage) -> str:
    """All headers of a mail but the one that says to whom it goes."""
    return "\n".join(f"{name}: {value}" for name, value in mail.items() if name.lower() != "to")


def parts_of(mail: EmailMessage) -> Iterator[str]:
    """The texts of a mail."""
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            yield str(part.get_content())


def _readings(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The content as one has to read it to find a sign of each form."""
    lowered = raw.lower()
    yield "plain", lowered
    yield "hex", lowered
    yield "percent", unquote_to_bytes(unquote_to_bytes(raw)).lower()
    yield "quoted-printable", quopri.decodestring(_SOFT_BREAKS.sub(b"", raw)).lower()
    yield "base64", raw.translate(_URL_SAFE)
    yield "base64 over lines", _LINE_ENDS.sub(b"", raw.translate(_URL_SAFE))
    yield "utf-16", raw.replace(b"\0", b"").lower()


@cache
def _needles(sign: str) -> tuple[tuple[str, bytes], ...]:
    plain = sign.lower().encode()
    found = [(form, plain) for form in ("plain", "percent", "quoted-printable", "utf-16")]
    for written in (sign, sign.lower(), sign.upper(), sign.capitalize()):
        found.append(("hex", written.encode().hex().encode()))
        for one in _in_base64(written.encode()):
            found += [("base64", one), ("base64 over lines", one)]
    return tuple(dict.fromkeys(found))


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """What stays the same of it whatever stands before and after."""
    for shift in range(3):
        bits = (shift * 8, (shift + len(plain)) * 8)
        yield b64encode(b"\0" * shift + plain)[-(-bits[0] // 6) : bits[1] // 6]


def _around(content: bytes, at: int, length: int) -> str:
    return content[max(0, at - 120) : at + length + 60].decode("utf-8", "replace")
