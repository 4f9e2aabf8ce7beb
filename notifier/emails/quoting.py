"""Quoted-printable, in which the parts of our mails are sent: what stands in many mails is encoded once."""

import re
from binascii import b2a_qp
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

_BREAK = b"=\r\n"
_LONGEST_LINE = 76
_LEADING_DOTS = re.compile(rb"^(\.+)([^\r\n]*)", re.MULTILINE)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# What one byte is encoded to, with the break before it if there is one.
_UNIT = re.compile(rb"(?:=\r\n)*(?:=[0-9A-F]{2}|[^=])")

_Gap = tuple[int, slice]


@dataclass(frozen=True, slots=True)
class Fragment:
    """Whole lines that many mails share, the last one ended as well, and what they are encoded."""

    text: str
    quoted: bytes


@dataclass(frozen=True, slots=True)
class Mould:
    """Encoded lines with gaps for texts that differ from mail to mail, but not in length.

    Each gap is a ``%b`` in them, and named by which text fills it, and with what stretch of it; ``size`` is that of the
    whole once filled, a few bytes less where a gap's text is broken before a dot.
    """

    lines: bytes
    gaps: tuple[_Gap, ...]
    size: int

    def fill(self, texts: Sequence[bytes]) -> bytes:
        """The lines with these texts in their gaps."""
        made = self.lines % tuple([texts[which][stretch] for which, stretch in self.gaps])
        return _without_dots(made) if b"\n." in made or made[:1] == b"." else made


def fragment(text: str) -> Fragment:
    """These lines, to be put into mails at the beginning of a line."""
    return Fragment(text, quoted(text))


def quoted(text: str) -> bytes:
    """A text as it is sent (RFC 2045, 6.7), its line ends those of SMTP; no line of it begins with a dot.

    SMTP doubles dots at the beginning of a line (RFC 5321, 4.5.2), and so what is written without them need not be
    looked through when it is sent.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    # The first line end decides which ones `b2a_qp` writes.
    made = b2a_qp(b"\r\n" + lines.encode(), istext=True)
    return (_without_dots(made) if b"\n." in made else made)[2:]


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


def mould(text: str, gaps: Mapping[str, int]) -> Mould:
    """These whole lines, encoded with a gap for each of these signs.

    What fills a gap must be as long as is said here and made of ASCII letters, digits and ``-._~:/`` with a letter,
    digit, ``-`` or ``_`` at its end: quoted-printable leaves these alone, and so only their number decides where a long
    line is broken.

    Args:
        text: lines with single signs in it where gaps shall be.
        gaps: by sign, how many bytes fill it; their order is that of the texts given to `Mould.fill`.
    """
    signs = re.compile(f"([{''.join(gaps)}])")
    order = {sign: at for at, sign in enumerate(gaps)}
    parts: list[bytes | _Gap] = []
    for line in _LINE.findall(text):
        parts += _cut(line, signs, gaps, order) if signs.search(line) else (quoted(line),)
    return Mould(
        lines=b"".join(part.replace(b"%", b"%%") if isinstance(part, bytes) else b"%b" for part in parts),
        gaps=tuple(part for part in parts if not isinstance(part, bytes)),
        size=sum(len(part) if isinstance(part, bytes) else part[1].stop - part[1].start for part in parts),
    )


def _without_dots(encoded: bytes) -> bytes:
    """These lines, each dot at the beginning of one encoded, and a line broken that becomes too long by that."""
    return _LEADING_DOTS.sub(_with_dots_encoded, encoded)


def _with_dots_encoded(found: re.Match[bytes]) -> bytes:
    dots, rest = len(found[1]), found[2]
    if 3 * dots + len(rest) <= _LONGEST_LINE:
        return b"=2E" * dots + rest
    return _BREAK.join([b"=2E"] * dots) + _BREAK + rest


def _cut(
    line: str, signs: re.Pattern[str], gaps: Mapping[str, int], order: Mapping[str, int]
) -> Iterator[bytes | _Gap]:
    """One encoded line: what stands between gaps, and by what these are filled."""
    units = iter(_UNIT.findall(quoted(signs.sub(lambda found: "x" * gaps[found[0]], line))))
    for piece in filter(None, signs.split(line)):
        is_gap = piece in gaps
        encoded = b"".join(islice(units, gaps[piece] if is_gap else len(piece.replace("\n", "\r\n").encode())))
        if is_gap:
            yield from _stretches(encoded, order[piece])
        else:
            yield encoded


def _stretches(encoded: bytes, which: int) -> Iterator[bytes | _Gap]:
    """A gap that is broken where lines are."""
    done = 0
    for number, run in enumerate(encoded.split(_BREAK)):
        if number:
            yield _BREAK
        if run:
            yield which, slice(done, done + len(run))
        done += len(run)
