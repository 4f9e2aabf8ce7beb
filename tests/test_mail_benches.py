"""The measurements of mails run, small: a crowd, other ways to the mailbox, and how long an urgent change takes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from bench import crowd_profile, mail_latency, service_speed, way_speed, worker_memory
from bench.databases import settings_on
from bench.installations import MONDAY
from bench.mail_crowd import Crowd, gather
from bench.mail_sinks import find_program
from notifier.installation import open_installation
from tests.servers import ServerMissing

slow = pytest.mark.slow


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=140)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    home = tmp_path_factory.mktemp("crowd")
    installation = open_installation(settings_on(f"sqlite:///{home / 'c.db'}", home=home, smtp_port=1), now=MONDAY)
    made = gather(installation, readers=300, now=MONDAY)
    installation.close()
    return made


@contextmanager
def _servers_or_skip() -> Iterator[None]:
    try:
        yield
    except ServerMissing as missing:
        pytest.skip(str(missing))


def test_a_third_of_a_crowds_subscriptions_is_filtered(crowd: Crowd) -> None:
    assert 0.28 < crowd.filtered / crowd.subscriptions < 0.38


def test_a_crowds_digests_tell_several_studies(crowd: Crowd) -> None:
    assert 5 < crowd.matches / crowd.readers < 12


def test_what_a_digest_costs_is_told_by_stage(console: Console) -> None:
    profile = crowd_profile.run(console, size=20)

    assert {"plan", "claim", "read", "compose", "admit", "send", "mark", "other"} == set(profile.stages.seconds)
    assert profile.sent == 20
    assert profile.sizes.mean > 40_000
    assert profile.cards > 20


@slow
def test_a_workers_memory_is_measured(console: Console) -> None:
    found = worker_memory.run(console, least=10, most=20)

    assert all(sending.peak_bytes > 10_000_000 for sending in found.values())


@slow
@pytest.mark.timeout(600)
def test_other_ways_to_the_mailbox_are_measured(console: Console) -> None:
    if find_program("smtp-source") is None:
        pytest.skip("no smtp-source here: install the package postfix")
    with _servers_or_skip():
        found = way_speed.run(console, size=12, repeat=1)

    assert set(found) == {"straight", "Postfix", "10 ms"}
    assert all(rounds.share > 0 for rounds in found.values())


@slow
@pytest.mark.timeout(600)
def test_latency_of_an_urgent_change_is_measured(console: Console) -> None:
    with _servers_or_skip():
        found = mail_latency.run(console, size=50, samples=2, engine="sqlite")

    assert len(found.idle) == 2
    assert found.lost == 0


@slow
@pytest.mark.timeout(600)
def test_the_service_is_measured_beside_a_command(console: Console) -> None:
    with _servers_or_skip():
        found = service_speed.run(console, size=400, engine="sqlite")

    assert set(found) == {"tick", "up"}
    assert all(pace.rate > 0 for paces in found.values() for pace in paces)
