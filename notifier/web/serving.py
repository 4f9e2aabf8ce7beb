"""How the web server runs, the same in one process and in its own."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from notifier.config import Settings

_LOOK_SECONDS = 0.05


def web_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Uvicorn's configuration: proxies are believed only where the settings say so, and no path is ever logged."""
    return uvicorn.Config(
        app,
        host=settings.bind,
        port=settings.port or 8000,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def when_started(server: uvicorn.Server, *then: Callable[[], None]) -> None:
    """Do these things one after the other, beside the server, once it answers."""

    def wait() -> None:
        while not server.started:
            if server.should_exit:
                return
            time.sleep(_LOOK_SECONDS)
        for each in then:
            each()

    threading.Thread(target=wait, daemon=True).start()


def run_server(server: uvicorn.Server) -> None:
    """Serve until SIGINT or SIGTERM, then return, so that whoever called can stop the rest."""
    # uvicorn raises the signal once more after its own shutdown; unhandled, it would end the process there and then.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        server.run()
    except KeyboardInterrupt:
        return


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
