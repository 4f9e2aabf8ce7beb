"""Proof of work: a right answer counts once, in time, and nothing else does."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from altcha.v1 import solve_challenge

from notifier.web.proof_of_work import LIVES, Proofs

SECRETS = ("a made-up secret that is long enough for anybody", "another made-up secret that is long enough too")


def answer_of(given: Any, **changes: Any) -> str:
    solution = solve_challenge(given["challenge"], given["salt"], "SHA-256", given["maxNumber"])
    assert solution is not None
    answer = {name: given[name] for name in ("algorithm", "challenge", "salt", "signature")}
    return base64.b64encode(json.dumps(answer | {"number": solution.number} | changes).encode()).decode()


def test_a_right_answer_is_worth_something(now: datetime) -> None:
    proofs = Proofs(secrets=SECRETS)
    challenge = proofs.challenge(now=now)

    solved = proofs.look_at(answer_of(challenge), now=now)

    assert solved is not None
    assert (solved.challenge, solved.expired) == (challenge["challenge"], False)


def test_an_answer_comes_too_late_after_its_time(now: datetime) -> None:
    proofs = Proofs(secrets=SECRETS)
    answer = answer_of(proofs.challenge(now=now))

    late = proofs.look_at(answer, now=now + LIVES + timedelta(seconds=1))

    assert late is not None
    assert late.expired


def test_an_answer_outlives_the_rotation_of_secrets(now: datetime) -> None:
    answer = answer_of(Proofs(secrets=SECRETS[1:]).challenge(now=now))

    assert Proofs(secrets=SECRETS).look_at(answer, now=now) is not None
    assert Proofs(secrets=SECRETS[:1]).look_at(answer, now=now) is None


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"number": "1"},
        {"number": None},
        {"algorithm": "SHA-1"},
        {"salt": "00?expires=99999999999&"},
        {"salt": 7},
        {"signature": "0" * 64},
        {"challenge": "0" * 64},
        {"challenge": ["x"]},
    ],
)
def test_a_changed_answer_is_worth_nothing(now: datetime, change: dict[str, Any]) -> None:
    proofs = Proofs(secrets=SECRETS)

    assert proofs.look_at(answer_of(proofs.challenge(now=now), **change), now=now) is None


@pytest.mark.parametrize(
    "text",
    ["x", "é", "bnVsbA==", "W10=", "e30=", "NQ==", base64.b64encode(b"[" * 700).decode(), "A" * 1_001, "/w=="],
)
def test_what_is_no_answer_is_worth_nothing(now: datetime, text: str) -> None:
    assert Proofs(secrets=SECRETS).look_at(text, now=now) is None
