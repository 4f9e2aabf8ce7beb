"""A running service with its samples and mailbox, and a site of somebody else, for browsers to go to."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import httpx

from tests.servers import choose_ports

API_KEY = "a made-up key for the API of this service"
STARTS_WITHIN = 120.0
_SITE = '<!doctype html><html lang="en"><title>A clinic</title><h1>A clinic</h1>{}</html>'


@dataclass(frozen=True, slots=True, kw_only=True)
class PageService:
    """Where it answers, and the folder it keeps everything in."""

    url: str
    folder: Path

    def post(self, path: str, json: object) -> None:
        """Tell its API something."""
        answer = httpx.post(f"{self.url}{path}", json=json, headers={"Authorization": f"Bearer {API_KEY}"}, timeout=60)
        answer.raise_for_status()

    def put(self, path: str, json: object) -> None:
        """Give its API something to keep."""
        answer = httpx.put(f"{self.url}{path}", json=json, headers={"Authorization": f"Bearer {API_KEY}"}, timeout=60)
        answer.raise_for_status()


@contextmanager
def page_service(folder: Path, **settings: str) -> Iterator[PageService]:
    """Run ``notifier up`` in a folder, with the settings of these names, until the block ends.

    Raises:
        RuntimeError: it does not answer in time, or ended before it did.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = choose_ports(folder / "var")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    given = {"DATA_DIR": str(folder / "var"), "API_KEY": API_KEY, **settings}
    environment |= {f"NOTIFIER_{name}": value for name, value in given.items()}
    with (folder / "up.log").open("wb") as log:
        command = [sys.executable, "-m", "notifier", "up"]
        running = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    service = PageService(url=f"http://127.0.0.1:{port}", folder=folder)
    try:
        wait_until(lambda: running.poll() is not None or _answers(service.url), what="the service")
        if running.poll() is not None:
            wrote = (folder / "up.log").read_text()
            raise RuntimeError(f"the service ended with {running.returncode}: {wrote[-2000:]}")
        yield service
        running.send_signal(signal.SIGINT)
        running.wait(90)
    finally:
        if running.poll() is None:
            running.kill()
            running.wait(60)


@contextmanager
def foreign_site(folder: Path, content: str) -> Iterator[str]:
    """A site of somebody else, on another port, with one page; its address."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(_SITE.format(content), encoding="utf-8")
    # A browser would ask for it, and would be told that there is none.
    icon = resources.files("notifier").parent.joinpath("templates", "pages", "static", "icon.svg")  # type: ignore[attr-defined]
    (folder / "favicon.ico").write_bytes(icon.read_bytes())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = STARTS_WITHIN) -> None:
    """Wait for something to become true.

    Raises:
        RuntimeError: it did not.
    """
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.1)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
