"""A request that comes many times at once under one Idempotency-Key."""

import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from notifier.domain.scopes import ALL
from notifier.keying import make_key
from notifier.web.app import create_app
from tests.studies import make_study
from tests.world import World

with warnings.catch_warnings():
    # Starlette prefers another client by now; this one is what the rest of the tests use.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


def test_what_comes_many_times_at_once_is_begun_once(either_world: World) -> None:
    either_world.ingest(make_study(1))
    key = make_key(either_world.installation.database, name="a", scopes=ALL, days=None, now=either_world.now)
    # Each of two processes has an application of its own.
    programs = [TestClient(create_app(either_world.installation, now=lambda: either_world.now)) for _ in range(2)]
    for program in programs:
        # Validators are made at the first request, which is not what is looked at here.
        program.post("/api/v1/subscriptions", json={}, headers={"X-API-Key": key})
    asked = {"email": "reader@example.org", "trial": "NCT90000001"}

    def ask(number: int) -> int:
        headers = {"X-API-Key": key, "Idempotency-Key": "once"}
        return programs[number % 2].post("/api/v1/subscriptions", json=asked, headers=headers).status_code

    with ThreadPoolExecutor(20) as threads:
        answers = Counter(threads.map(ask, range(20)))

    assert answers.keys() <= {202, 409}
    assert answers[202] >= 1
    assert either_world.counts()["deliveries_waiting"] == 1
