"""A trial's state as it is stored: the reduced, masked record, packed small, from which facts are read."""

import hashlib
import zlib

import msgspec

from notifier.domain.masking import mask_record
from notifier.domain.trials import FACTS_VERSION, TrialFacts
from notifier.errors import InvalidRecord
from notifier.registries import ctgov
from notifier.registries.record_shapes import Json

_FAST = 3
"""zlib's level: 6 would save a tenth of the space for twice the time."""
_UNREADABLE = (
    zlib.error, msgspec.MsgspecError, InvalidRecord, ValueError, TypeError, KeyError, AttributeError, RecursionError,
)  # fmt: skip


def pack_state(record: Json) -> tuple[bytes, bytes]:
    """A reduced, masked record as (digest, body): the same content gives the same digest."""
    text = msgspec.json.encode(record, order="deterministic")
    return hashlib.sha256(text).digest(), zlib.compress(text, _FAST)


def unpack_state(body: bytes, *, facts_version: int) -> Json:
    """The record of a state; one stored under an older version is masked once more by today's rules."""
    record: Json = msgspec.json.decode(zlib.decompress(body))
    return record if facts_version >= FACTS_VERSION else mask_record(record)


def facts_of_state(body: bytes, *, facts_version: int) -> TrialFacts:
    """The facts of a state, as we read them today."""
    return ctgov.read_facts(unpack_state(body, facts_version=facts_version))


def try_state(body: bytes, *, facts_version: int) -> tuple[Json, TrialFacts] | None:
    """The record of a state and its facts; None where it cannot be read, through a bug of ours or a damaged disk."""
    try:
        record = unpack_state(body, facts_version=facts_version)
        return record, ctgov.read_facts(record)
    except _UNREADABLE:
        return None
