"""One headless Chromium, driven over a pipe by the DevTools protocol: it draws pages, and runs scripts in them."""

import json
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

Scheme = Literal["light", "dark"]

_SWITCHES = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync "
    "disable-component-update hide-scrollbars remote-debugging-pipe"
)
# Chromium listens on the descriptors 3 and 4, which a shell makes of what we can hand over.
_ON_A_PIPE = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1'


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Page:
    """A tab that shows one file after the other."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._number = 0
        self._session: str | None = None
        self._loaded: set[str] = set()
        """By the ids of their loaders, the pages whose load is over; said perhaps before the answer that names one."""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._ask("Page.enable")
        self._ask("Page.setLifecycleEventsEnabled", enabled=True)

    def show(self, file: Path, *, width: int, scheme: Scheme) -> None:
        """Show a file in a window so many pixels wide, as somebody sees it who likes it light or dark."""
        self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        loader = self._ask("Page.navigate", url=file.resolve().as_uri())["loaderId"]
        while loader not in self._loaded:
            self._read()
        self._loaded.clear()

    def run(self, script: str) -> Any:
        """What a script comes to; a promise is awaited.

        Raises:
            RuntimeError: the script failed.
        """
        done = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(str(done["exceptionDetails"])[:500])
        return done["result"].get("value")

    def picture(self, *, highest: int = 16_000) -> bytes:
        """The whole page as a PNG, cut off where it is very high."""
        size = self._ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], highest), "scale": 1}
        shot = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return b64decode(shot["data"])

    def _ask(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found = bytearray()
        while byte := self._process.stdout.read(1):
            if byte == b"\0":
                answer: dict[str, Any] = json.loads(found)
                if answer.get("method") == "Page.lifecycleEvent" and answer["params"]["name"] == "load":
                    self._loaded.add(answer["params"]["loaderId"])
                return answer
            found += byte
        raise RuntimeError("Chromium ended")


@contextmanager
def open_page(chromium: str, profile: Path) -> Iterator[Page]:
    """A page in a Chromium of its own, which ends with the block; ``profile`` is a folder it may fill."""
    switches = [f"--{switch}" for switch in _SWITCHES.split()]
    command = ["sh", "-c", _ON_A_PIPE, "sh", chromium, *switches, f"--user-data-dir={profile}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Page(process)
        finally:
            process.kill()
