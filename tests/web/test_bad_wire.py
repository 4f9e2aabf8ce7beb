"""What is no HTTP, or lies about its length, is sent to the web server as it runs in production."""

import socket
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from notifier.installation import Installation
from notifier.web.app import create_app
from tests.web.real_server import serving

GET = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n"
POST = (
    b"POST /subscribe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n%s\r\n\r\n%s"
)
CHUNKED = b"Transfer-Encoding: chunked"
WIRE = {
    "a query in no UTF-8": (GET % (b"/subscribe?condition=\xff\xfe", b""), b"400"),
    "a path in no UTF-8": (GET % (b"/studies/\xff", b""), b"400"),
    "an escaped path in no UTF-8": (GET % (b"/studies/%ff%ED%A0%80", b""), b"404"),
    "another site's whole address": (GET % (b"http://evil.example/subscribe", b""), b"404"),
    "a path that looks like another site": (GET % (b"//evil.example/", b""), b"404"),
    "no host": (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
    "HTTP 0.9": (b"GET /\r\n\r\n", b"400"),
    "HTTP 2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"4"),
    "a length of 5,000 digits": (POST % (b"Content-Length: " + b"9" * 5_000, b"email=x"), b"400"),
    "a length of 18 digits": (POST % (b"Content-Length: " + b"9" * 18, b"email=x"), b"413"),
    "a length below nothing": (POST % (b"Content-Length: -1", b"email=x"), b"400"),
    "two lengths": (POST % (b"Content-Length: 7\r\nContent-Length: 9", b"email=x"), b"400"),
    "a length that is too short": (POST % (b"Content-Length: 3", b"email=x"), b"422"),
    "a length and chunks": (POST % (b"Content-Length: 9\r\n" + CHUNKED, b"7\r\nemail=x\r\n0\r\n\r\n"), b"422"),
    "chunks of no size": (POST % (CHUNKED, b"ZZ\r\nemail=x\r\n0\r\n\r\n"), b"4"),
    "chunks without an end to them": (POST % (CHUNKED, (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 8), b"413"),
    "a header in two lines": (GET % (b"/api/v1/status", b"X-API-Key: a\r\n folded\r\n"), b"401"),
    "a key with a line end": (GET % (b"/api/v1/status", b"X-API-Key: a\nX-Evil: 1\r\n"), b"401"),
    "an origin cut off": (POST % (b"Origin: http://[\r\nContent-Length: 7", b"email=x"), b"403"),
    "odd proxies": (POST % (b"X-Forwarded-For: [\xff, 1.2.3.4:x\r\nContent-Length: 7", b"email=x"), b"422"),
    "an odd scheme": (GET % (b"/subscribe", b"X-Forwarded-Proto: javascript\r\n"), b"200"),
}


def talk(url: str, sent: bytes) -> bytes:
    """Everything that the server says to these bytes."""
    parts, said = urlsplit(url), b""
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=60) as connection:
        # Who is refused before everything was read is hung up on.
        with suppress(ConnectionError):
            connection.sendall(sent)
        with suppress(ConnectionError):
            while heard := connection.recv(65_536):
                said += heard
    return said


def test_what_is_no_http_is_refused_and_hurts_nobody(installation: Installation, snapshot: Callable[[], str]) -> None:
    before = snapshot()
    with serving(create_app(installation), installation.settings) as url:
        found = {name: talk(url, sent) for name, (sent, _) in WIRE.items()}
        alive = httpx.get(f"{url}/subscribe", timeout=60).status_code

    told = {name: answer.split(b"\r\n")[0].removeprefix(b"HTTP/1.1 ") for name, answer in found.items()}
    assert {name: line for name, line in told.items() if not line.startswith(WIRE[name][1])} == {}
    assert not [name for name, answer in found.items() if b'"//evil' in answer or b"Traceback" in answer]
    assert alive == 200
    assert snapshot() == before


@pytest.mark.parametrize("sent", [POST % (b"Content-Length: 99", b"email=x"), b"GET / HT"], ids=["a body", "a line"])
def test_who_leaves_in_the_middle_changes_nothing_and_is_no_failure(
    installation: Installation, snapshot: Callable[[], str], capfd: pytest.CaptureFixture[str], sent: bytes
) -> None:
    before = snapshot()
    with serving(create_app(installation), installation.settings) as url:
        parts = urlsplit(url)
        with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as connection:
            connection.sendall(sent)
        assert httpx.get(f"{url}/subscribe", timeout=60).status_code == 200

    assert snapshot() == before
    assert "request.failed" not in "".join(capfd.readouterr())
