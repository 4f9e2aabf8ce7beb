"""Consent: the words that somebody agrees to before we keep anything about them, by version and language."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentText:
    """The words as they were shown; ``health`` is the separate sentence on health data, None where there was none."""

    version: str
    language: str
    terms: str
    health: str | None

    @property
    def digest(self) -> bytes:
        """What tells one wording from every other."""
        parts = (self.version, self.language, self.terms, self.health or "")
        return hashlib.sha256("\x1f".join(parts).encode()).digest()

    @property
    def seal(self) -> str:
        """The same, short: what a form carries to say which words stood next to its boxes."""
        return self.digest.hex()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """That somebody agreed to these words, and, separately, to the sentence on health data."""

    text: ConsentText
    health: bool
