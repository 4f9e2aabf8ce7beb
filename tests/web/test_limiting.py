"""How often things may be asked for: counted together by all processes, and never in the way for long."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import redis
from fastapi import Request
from limits.storage import RedisStorage

from notifier.store.addresses import read_address
from notifier.web import limiting
from notifier.web.limiting import (
    AROUND,
    LINK_MAILS,
    PAUSE,
    RULES,
    UNPROVEN,
    Limits,
    TooOften,
    mailbox_of,
    network_of,
    networks_around,
)
from tests.servers import free_port, redis_on, redis_process

SECRET = "a made-up secret that is long enough for anybody"
FEW = RULES[UNPROVEN, "network"].amount


def used_up(limits: Limits, who: str = "203.0.113.7") -> int:
    """How many of ten may go on."""
    return sum(limits.seconds_to_wait(UNPROVEN, "network", who) == 0 for _ in range(10))


def asked_from(host: str) -> Request:
    return cast(Request, SimpleNamespace(client=SimpleNamespace(host=host)))


def test_only_so_many_go_on_and_the_wait_is_told() -> None:
    limits = Limits(url="memory://", secret=SECRET)

    assert used_up(limits) == FEW
    with pytest.raises(TooOften) as refused:
        limits.check(UNPROVEN, "network", "203.0.113.7")
    assert refused.value.status_code == 429
    assert 1 <= int((refused.value.headers or {})["retry-after"]) <= 3_600


def test_others_are_not_kept_waiting() -> None:
    limits = Limits(url="memory://", secret=SECRET)
    used_up(limits)

    assert used_up(limits, "203.0.113.8") == FEW
    assert limits.seconds_to_wait(LINK_MAILS, "network", "203.0.113.7") == 0


def test_a_name_is_first_only_once() -> None:
    limits = Limits(url="memory://", secret=SECRET)

    assert [limits.is_first("one", seconds=60), limits.is_first("one", seconds=60)] == [True, False]
    assert limits.is_first("other", seconds=60)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", "testclient"),
    ],
)
def test_a_network_is_an_address_or_what_a_customer_gets(host: str, network: str) -> None:
    assert network_of(asked_from(host)) == network


def test_networks_that_belong_together_are_counted_together_too() -> None:
    limits = Limits(url="memory://", secret=SECRET)
    forms, went_on = FEW * AROUND + 40, 0

    for one in range(forms):
        try:
            limits.check_network(UNPROVEN, asked_from(f"2001:db8:1:{one:x}::1"))
            went_on += 1
        except TooOften:
            pass

    assert went_on == FEW * AROUND
    assert networks_around(asked_from("2001:db8:1:2:aaaa::1")) == "2001:db8:1::/48"
    assert networks_around(asked_from("::ffff:203.0.113.7")) is None


@pytest.fixture
def quick_turns() -> Iterator[None]:
    """Threads that take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_turns")
def test_threads_that_come_at_the_same_moment_are_counted_rightly() -> None:
    limits = Limits(url="memory://", secret=SECRET)

    def ask(number: int) -> tuple[bool, bool]:
        name = str(number // 8)
        return limits.is_first(name, seconds=60), limits.seconds_to_wait(UNPROVEN, "network", name) == 0

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8 * 250)))

    assert sum(first for first, _ in found) == 250
    assert sum(goes_on for _, goes_on in found) == 250 * FEW


@pytest.mark.parametrize(
    "twin", ["ada.byron@example.org", "AdaByron+studies@Example.org", "a.d.a.byron+x+y@example.org"]
)
def test_tags_and_dots_are_counted_as_one_mailbox(twin: str) -> None:
    assert mailbox_of(read_address(twin)) == "adabyron@example.org"


def test_two_names_of_one_mail_provider_are_counted_as_one_mailbox() -> None:
    one, other = read_address("ada.byron@googlemail.com"), read_address("adabyron+x@gmail.com")

    assert mailbox_of(one) == mailbox_of(other)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis lives, but the machine may be too busy for it to answer as soon as in production."""
    monkeypatch.setattr(limiting, "LONGEST_WAIT", 60.0)


@pytest.mark.redis
@pytest.mark.usefixtures("patient")
def test_two_processes_count_together(redis_url: str) -> None:
    one, other = Limits(url=redis_url, secret=SECRET), Limits(url=redis_url, secret=SECRET)

    assert used_up(one, "shared.canary@example.org") + used_up(other, "shared.canary@example.org") == FEW


@pytest.mark.redis
@pytest.mark.usefixtures("patient")
def test_nothing_readable_stands_in_redis(redis_url: str) -> None:
    limits = Limits(url=redis_url, secret=SECRET)
    used_up(limits, "canary@example.org")
    limits.is_first("canary@example.org", seconds=60)

    with redis.Redis.from_url(redis_url) as opened:
        keys = b" ".join(cast(list[bytes], opened.keys("*")))

    assert keys.count(b"notifier") >= 2
    assert b"canary" not in keys
    assert b"example" not in keys


@pytest.mark.redis
@pytest.mark.parametrize("trouble", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_without_redis_a_process_counts_for_itself_and_nobody_waits(
    trouble: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = RedisStorage.acquire_sliding_window_entry

    def note(storage: RedisStorage, key: str, *rest: int) -> bool:
        asked.append(key)
        return ask(storage, key, *rest)

    monkeypatch.setattr(RedisStorage, "acquire_sliding_window_entry", note)
    with redis_process() as (url, server):
        limits = Limits(url=url, secret=SECRET, clock=lambda: 0.0)
        assert limits.seconds_to_wait(UNPROVEN, "network", "203.0.113.9") == 0
        os.kill(server.pid, trouble)

        assert used_up(limits) == FEW
        # One waited as long as Redis may take, and nobody after that.
        assert len(asked) <= 2
        assert limiting.LONGEST_WAIT < 1.0


@pytest.mark.redis
@pytest.mark.usefixtures("patient")
def test_redis_is_asked_again_after_a_pause(tmp_path: Path) -> None:
    seconds, port = 0.0, free_port()
    limits = Limits(url=f"redis://127.0.0.1:{port}/0", secret=SECRET, clock=lambda: seconds)
    kept = ("--dir", str(tmp_path), "--appendonly", "yes")
    with redis_on(port, *kept) as server:
        used_up(limits)
        server.kill()
        server.wait()
        assert used_up(limits) == FEW
    with redis_on(port, *kept):
        assert used_up(limits, "203.0.113.9") == FEW

        seconds = PAUSE + 1
        assert used_up(limits, "203.0.113.9") == FEW
        assert used_up(limits) == 0


def test_no_redis_at_all_is_no_error() -> None:
    limits = Limits(url="redis://127.0.0.1:9/0", secret=SECRET)

    assert used_up(limits) == FEW


def test_operators_read_the_limits_that_hold(repository: Path) -> None:
    rows = re.findall(
        r"\| (\w+) \| ([\d,]+) an? (\w+) \|$", (repository / "docs" / "operating.md").read_text(), re.MULTILINE
    )

    told = sorted((by, int(amount.replace(",", "")), unit) for by, amount, unit in rows)

    assert told == sorted((by, rule.amount, rule.GRANULARITY.name) for (_, by), rule in RULES.items())
