"""The web server as it runs in production, in a thread, for what only a real connection shows."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from notifier.config import Settings
from notifier.web.serving import web_config
from tests.servers import free_port
from tests.topologies import wait_until


@contextmanager
def serving(app: FastAPI, settings: Settings) -> Iterator[str]:
    """Serve an application on a free port; gives its address."""
    port = free_port()
    with running(uvicorn.Server(web_config(app, settings.model_copy(update={"port": port})))):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running(server: uvicorn.Server, *listening: socket.socket) -> Iterator[None]:
    """Run a server, on these sockets or on its own port, until the block ends."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": list(listening) or None})
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), what="the web server")
        assert server.started
        yield
    finally:
        server.should_exit = True
        thread.join()
