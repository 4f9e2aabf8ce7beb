"""Proof of work for the public form, by ALTCHA's first protocol: a phone computes for a second, and nobody is asked."""

import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from altcha.v1 import ChallengeOptions, PayloadType, create_challenge, extract_params, verify_solution
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FIELD = "proof"
LIVES = timedelta(minutes=30)
HARDEST = 50_000
"""So many hashes at most, and half as many mostly: well under a second where a phone does 50,000 a second."""

_ALGORITHM: Final = "SHA-256"
_LONGEST = 1_000
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A right answer to a challenge of ours, by the challenge's hash; ``expired``: it came too late."""

    challenge: str
    expired: bool


class Proofs:
    """Sets challenges and looks at answers. An answer to a challenge of any of the secrets is looked at."""

    def __init__(self, *, secrets: tuple[str, ...]) -> None:
        self._keys = [_derive(secret) for secret in secrets]

    def challenge(self, *, now: datetime) -> Mapping[str, object]:
        """A challenge as ALTCHA's clients read it."""
        made = create_challenge(
            ChallengeOptions(
                algorithm=_ALGORITHM,
                max_number=HARDEST,
                number=secrets.randbelow(HARDEST) + 1,
                hmac_key=self._keys[0],
                expires=now + LIVES,
            )
        )
        found: Mapping[str, object] = made.to_dict()
        return found

    def look_at(self, text: str, *, now: datetime) -> Solved | None:
        """What an answer is worth: None for one that is wrong, or that answers no challenge of ours."""
        payload = _read(text)
        # The library looks at the time itself, by another clock than ours.
        if payload is None or not any(verify_solution(payload, key, False)[0] for key in self._keys):
            return None
        expires = extract_params(payload).get("expires", [""])[0]
        expired = not expires.isdecimal() or int(expires) < now.timestamp()
        return Solved(challenge=payload["challenge"], expired=expired)


def _read(text: str) -> PayloadType | None:
    """An answer whose parts have the shapes of ours; the library trusts them to."""
    try:
        sent = json.loads(base64.b64decode(text[: _LONGEST + 1], validate=True)) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(sent, dict):
        return None
    texts = [sent.get(name) for name in ("challenge", "salt", "signature", "algorithm")]
    number = sent.get("number")
    if not all(isinstance(one, str) and one.isascii() for one in texts) or not isinstance(number, int):
        return None
    if sent["algorithm"] != _ALGORITHM or not _HEX.fullmatch(sent["challenge"]):
        return None
    return PayloadType(
        algorithm=_ALGORITHM,
        challenge=sent["challenge"],
        number=number,
        salt=sent["salt"],
        signature=sent["signature"],
    )


def _derive(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"notifier proof of work v1").derive(secret.encode())
