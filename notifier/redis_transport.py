"""Kombu's Redis transport, with one error mended that would end a worker when Redis dies under it."""

from typing import Any

from kombu.transport import redis
from redis.exceptions import ConnectionError as RedisConnectionError


class Channel(redis.Channel):
    """A channel whose connection was closed fails as one that cannot be reached.

    Kombu 5.7.0 asks the closed connection for its host and fails with AttributeError, which Celery takes for a fault of
    the program: the worker ends. A connection error is what it waits and tries again after.
    """

    def _connparams(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """How to connect.

        Raises:
            redis.exceptions.ConnectionError: the connection of this channel was closed.
        """
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("The connection to Redis was closed meanwhile")
        params: dict[str, Any] = super()._connparams(*args, **kwargs)  # type: ignore[no-untyped-call]
        return params


class Transport(redis.Transport):
    """The transport of ``redis://`` and ``rediss://``; `queues` makes it known under these names."""

    Channel = Channel
