"""How the web server runs, the same in one process and in its own."""

import uvicorn
from fastapi import FastAPI

from notifier.config import Settings


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
