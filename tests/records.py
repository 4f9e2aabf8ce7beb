"""Registry records for tests: our own small ones, and a way to say the same in other letters."""

import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from notifier.domain.masking import mask_record
from notifier.domain.trials import TrialFacts
from notifier.registries import ctgov

FIXTURES = Path(__file__).parent / "fixtures"
OWN_RECORDS = tuple(sorted(path.name.removesuffix(".json") for path in FIXTURES.glob("NCT*.json")))

_SIGNS_TO_ESCAPE = frozenset("><[]~^_*#+-.!()")


def own_record(name: str) -> dict[str, Any]:
    """A record of `tests/fixtures`, as the registry would serve it."""
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def kept(record: dict[str, Any]) -> dict[str, Any]:
    """The record as we keep it: reduced, masked, with a fingerprint of its contacts."""
    return {**mask_record(ctgov.reduce_record(record)), ctgov.CONTACTS_FINGERPRINT: _fingerprint(record)}


def facts_of(record: dict[str, Any]) -> TrialFacts:
    """What a record says; unmasked, because masking is tested elsewhere and takes its time."""
    return ctgov.read_facts({**ctgov.reduce_record(record), ctgov.CONTACTS_FINGERPRINT: _fingerprint(record)})


def own_facts(name: str) -> TrialFacts:
    """What a record of `tests/fixtures` says."""
    return facts_of(own_record(name))


def written_differently(record: dict[str, Any], seed: int) -> dict[str, Any]:
    """The same record: lists and keys shuffled, signs escaped, sites geocoded anew, dates of upkeep moved."""
    rewritten = _rewritten(record, Random(seed), key="")
    rewritten.setdefault("derivedSection", {}).setdefault("miscInfoModule", {})["versionHolder"] = "2031-01-01"
    status = rewritten["protocolSection"].setdefault("statusModule", {})
    status["statusVerifiedDate"] = "2031-01"
    status["lastUpdatePostDateStruct"] = {"date": "2031-01-01", "type": "ACTUAL"}
    return msgspec.json.decode(msgspec.json.encode(rewritten))


def _fingerprint(record: dict[str, Any]) -> str:
    return hashlib.sha256(ctgov.contact_values(record)).hexdigest()


def _rewritten(value: Any, random: Random, key: str) -> Any:
    if isinstance(value, dict):
        names = random.sample(list(value), len(value))
        return {name: _rewritten(value[name], random, name) for name in names}
    if isinstance(value, list):
        return [_rewritten(member, random, key) for member in random.sample(value, len(value))]
    if key in {"lat", "lon"}:
        return value + random.uniform(-0.01, 0.01)
    if key in {"zip", "state"}:
        return "rewritten"
    return _escaped(value, random) if isinstance(value, str) and " " in value else value


def _escaped(text: str, random: Random) -> str:
    """Further escapes and further spaces; what is escaped already stays so."""
    written = [
        "\\" + sign if sign in _SIGNS_TO_ESCAPE and text[at - 1 : at] != "\\" and random.random() < 0.3 else sign
        for at, sign in enumerate(text)
    ]
    return "".join(written).replace(" ", "  " if random.random() < 0.5 else " ")
