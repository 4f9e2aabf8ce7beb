"""When destinations rest: by what they said, for how long, and until when it matters."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.domain.deliveries import GIVEN_UP_AFTER, Answer, Verdict
from notifier.domain.traffic import (
    REFUSALS,
    Standing,
    after_acceptance,
    after_refusal,
    after_rest,
    is_about_host,
    is_given_up,
    while_probed,
)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEY = b"a made-up key of"


def refused(times: int) -> Standing:
    """A destination that refused so often in a row, each time as soon as it was asked again."""
    standing, now = Standing(seen_at=NOW), NOW
    for _ in range(times):
        now = standing.rests_until or now
        standing = after_refusal(standing, key=KEY, reason="451 4.4.1 no answer", now=now)
    return standing


@pytest.mark.parametrize(
    ("reply", "about_host"),
    [
        ("451 4.4.1 no answer from host", True),
        ("451 4.3.2 system not accepting messages", True),
        ("450 4.7.1 too many messages from your network", True),
        ("450 4.1.2 host not found", True),
        ("421 try again later", True),
        ("421 4.2.1 this mailbox gets too much mail", False),
        ("452 4.2.2 mailbox full", False),
        ("450 4.1.1 mailbox unknown for now", False),
        ("450 4.7.1 Greylisted, come again in five minutes", False),
        ("450 come again", False),
        ("", False),
    ],
)
def test_what_a_refusal_says_of_the_whole_destination(reply: str, about_host: bool) -> None:
    assert is_about_host(Verdict(answer=Answer.LATER, reply=reply)) is about_host


@pytest.mark.parametrize("answer", [Answer.NEVER, Answer.OURS, Answer.AMBIGUOUS, Answer.ACCEPTED])
def test_no_other_answer_says_that_a_destination_takes_nothing(answer: Answer) -> None:
    assert not is_about_host(Verdict(answer=answer, reply="451 4.4.1 no answer from host"))


def test_two_refusals_are_no_rest_and_three_are() -> None:
    assert not refused(REFUSALS - 1).rests(NOW)
    assert refused(REFUSALS).rests(NOW)


def test_rests_grow_to_an_hour() -> None:
    waits = []
    for times in range(REFUSALS, REFUSALS + 8):
        before, after = refused(times - 1), refused(times)
        began = before.rests_until or NOW
        assert after.rests_until is not None
        waits.append((after.rests_until - began).total_seconds() / 60)

    for wait, least in zip(waits, (5, 15, 30, 60, 60, 60, 60, 60), strict=True):
        assert least <= wait <= least * 1.2
    assert len(set(waits[3:])) == 5


def test_one_acceptance_ends_it() -> None:
    standing = after_acceptance(refused(REFUSALS + 5), now=NOW)

    assert (standing.is_in_doubt, standing.rests_until, standing.tries) == (False, None, 0)


def test_refusals_of_another_day_are_not_in_a_row() -> None:
    standing = after_refusal(refused(REFUSALS - 1), key=KEY, reason=None, now=NOW + timedelta(days=2))

    assert not standing.is_in_doubt


def test_mails_come_back_one_after_the_other() -> None:
    standing = refused(REFUSALS)
    assert standing.rests_until is not None

    back = [after_rest(standing, delivery_id=number).until - standing.rests_until for number in range(200)]

    assert min(back) < timedelta(seconds=10)
    assert timedelta(minutes=4) < max(back) <= timedelta(minutes=5)
    assert len(set(back)) == 200


def test_others_come_first_after_the_next_rest() -> None:
    first = [
        min(range(200), key=lambda number: after_rest(standing, delivery_id=number).until)
        for standing in (refused(REFUSALS + rests) for rests in range(5))
    ]

    assert len(set(first)) == len(first)


def test_the_others_wait_a_minute_for_the_first_ones() -> None:
    standing = while_probed(refused(REFUSALS), now=NOW)

    assert standing.rests(NOW + timedelta(seconds=59))
    assert not standing.rests(NOW + timedelta(seconds=61))


def test_a_destination_that_takes_nothing_is_given_up_after_four_days_of_rests() -> None:
    times = next(times for times in range(1, 200) if is_given_up(refused(times), key=KEY))
    standing = refused(times)
    assert standing.rests_until is not None

    assert GIVEN_UP_AFTER < standing.rests_until - NOW < GIVEN_UP_AFTER * 1.25
    assert is_given_up(refused(times + 50), key=KEY)


def test_a_clock_set_back_by_a_day_ends_no_rest_late() -> None:
    assert not refused(REFUSALS).rests(NOW - timedelta(days=1))
