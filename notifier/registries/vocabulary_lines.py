"""What readers of vocabularies share: numbered lines of text, and what they may find."""

from collections.abc import Iterator
from typing import IO, TypeAlias

from notifier.domain.concepts import Concept
from notifier.errors import InvalidVocabulary

Found: TypeAlias = Concept | str
"""A concept, or the code of a term that is passed over."""

LONGEST_LINE = 5_000_000
_BOM = b"\xef\xbb\xbf"


def numbered_lines(stream: IO[bytes], place: str) -> Iterator[tuple[int, str]]:
    """Each line with its number, without its end.

    Raises:
        InvalidVocabulary: a line is longer than any vocabulary's.
    """
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) >= LONGEST_LINE:
            raise InvalidVocabulary(f"{place} line {number}", "is longer than any line of a vocabulary")
        yield number, line.removeprefix(_BOM if number == 1 else b"").decode().rstrip("\r\n")
