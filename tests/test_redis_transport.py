"""A Redis that dies under a worker is an error of the connection, after which Celery tries again, and no other."""

from collections.abc import Iterator

import pytest
from kombu.common import ignore_errors
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer, Producer

from notifier import queues
from notifier.config import load_settings
from tests.servers import redis_process

pytestmark = pytest.mark.redis


@pytest.fixture
def broken() -> Iterator[tuple[Connection, Message]]:
    """A connection that consumes two queues and has not acknowledged a message yet; then its Redis was killed."""
    messages: list[Message] = []
    with redis_process() as (url, server):
        options = queues.celery_options(load_settings(broker_url=url))["broker_transport_options"]
        with Connection(url, transport_options=options) as connection:
            first, second = Queue("first"), Queue("second")
            Producer(connection.default_channel).publish({}, routing_key="first", declare=[first])
            Consumer(connection.default_channel, [first], callbacks=[lambda _, told: messages.append(told)]).consume()
            connection.drain_events(timeout=10)
            Consumer(connection.channel(), [second]).consume()
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=0.1)
            server.kill()
            server.wait()
            yield connection, messages.pop()


def collect_and_close(connection: Connection) -> None:
    """What Celery does with a connection that failed, before it makes a new one."""
    connection.collect(socket_timeout=1)
    ignore_errors(connection, connection.close)


def test_a_connection_whose_redis_died_can_be_closed_with_messages_in_hand(
    broken: tuple[Connection, Message],
) -> None:
    collect_and_close(broken[0])

    assert not broken[0].connected


def test_a_message_acknowledged_after_its_connection_was_closed_is_an_error_of_the_connection(
    broken: tuple[Connection, Message],
) -> None:
    connection, message = broken
    collect_and_close(connection)

    with pytest.raises(connection.connection_errors, match="closed meanwhile"):
        message.ack()


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_every_connection_to_a_redis_broker_goes_this_way(scheme: str) -> None:
    transport = Connection(f"{scheme}://127.0.0.1:9/0").transport

    assert type(transport).__module__ == "notifier.redis_transport"
