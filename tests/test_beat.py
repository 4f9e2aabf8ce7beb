"""Celery's schedule ends when it is told to, whatever it is in the midst of."""

import signal
import time
from pathlib import Path

import pytest
from redis import Redis

from tests.chaos.nursery import start
from tests.servers import redis_process
from tests.topologies import environment_of, wait_until

pytestmark = [pytest.mark.redis, pytest.mark.slow]
SETTINGS = {
    "NOTIFIER_BASE_URL": "http://127.0.0.1:8000",
    "NOTIFIER_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1/nothing",
    "NOTIFIER_SMTP_URL": "smtp://127.0.0.1:25?starttls=never",
    "NOTIFIER_SECRET_KEY": "a made-up secret that is long enough for anybody",
    "NOTIFIER_INDEX_KEY": "a made-up index key that is long enough for anybody",
    "NOTIFIER_MAIL_FROM": "Study updates <updates@updates.example.org>",
    "NOTIFIER_POSTAL_ADDRESS": "1 Made-up Road, Example",
    "NOTIFIER_API_KEY": "a made-up key for the API of this installation",
}
RINGS_WITHIN = 1.5
"""Seconds after which it has rung again, and waits for the answer."""


def test_it_ends_while_it_waits_for_its_broker(tmp_path: Path) -> None:
    with redis_process() as (url, broker), Redis.from_url(url) as queue:
        environment = environment_of({**SETTINGS, "NOTIFIER_BROKER_URL": url})
        beat = start(["beat"], folder=tmp_path, environment=environment, log=tmp_path / "log")
        try:
            wait_until(lambda: queue.llen("notifier") > 0, what="a ring")
            broker.send_signal(signal.SIGSTOP)
            time.sleep(RINGS_WITHIN)

            beat.send_signal(signal.SIGTERM)

            beat.wait(60)
        finally:
            beat.kill_group()
