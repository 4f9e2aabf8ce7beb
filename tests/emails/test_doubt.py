"""When a mail counts as one that may be out: on lines that are encrypted, stuck, or read again after we gave up."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from notifier.config import MailServer
from notifier.domain.deliveries import Composed, Verdict
from notifier.emails.pipelining import Timeouts
from notifier.emails.reply_reader import ReplyReader
from notifier.emails.smtp import Relay
from notifier.emails.tray import Tray

LINE = b"x" * 68 + b"\r\n"


def _mail(number: int, *, size: int = 70) -> Composed:
    return Composed(
        delivery_id=number,
        recipient=f"r{number}@example.org",
        message=b"Subject: a\r\n\r\n" + LINE * (size // len(LINE)),
        is_wire_form=True,
        message_id=f"<{number}@test>",
        dated_at=datetime(2026, 3, 2, tzinfo=UTC),
        language="en",
    )


def _send(server: MailServer, *mails: Composed, message: float = 60.0, linger: float = 0.0) -> dict[int, Verdict]:
    async def send() -> dict[int, Verdict]:
        timeouts = Timeouts(connect=60, command=60, data=60, message=message)
        relay = Relay(server, sender="me@example.org", connections=1, timeouts=timeouts)
        tray, verdicts = Tray(), dict[int, Verdict]()
        relay.take(mails, tray)
        until = asyncio.get_running_loop().time() + 60
        while len(verdicts) < len(mails) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
            verdicts |= tray.take()
        await asyncio.sleep(linger)
        await relay.close()
        await asyncio.sleep(0.05)
        return verdicts

    return asyncio.run(send())


@dataclass
class _Script:
    """What one connection of a server does: it reads so much of the message, says what it says, rests, and reads the
    rest, or hangs up."""

    reads: int = 0
    says: bytes = b""
    rests: float = 0.0
    tls: ssl.SSLContext | None = None
    envelope: Sequence[bytes] = (b"250 ok\r\n250 ok\r\n354 go\r\n",)
    hangs_up: bool = False
    got: bytes = b""
    door: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def server(self) -> MailServer:
        return MailServer(host="127.0.0.1", port=self.door.getsockname()[1], tls="implicit" if self.tls else "none")

    def go(self) -> None:
        talk, _ = self.door.accept()
        talk = self.tls.wrap_socket(talk, server_side=True) if self.tls else talk
        talk.settimeout(60)
        with talk, suppress(OSError):
            for replies in ([b"220 here\r\n"], [b"250-here\r\n250 PIPELINING\r\n"], self.envelope):
                for reply in replies:
                    talk.sendall(reply)
                    time.sleep(0.02)
                self.got = talk.recv(1 << 16)
            while len(self.got) < self.reads:
                self.got += talk.recv(1 << 16)
            talk.sendall(self.says)
            time.sleep(self.rests)
            while not self.hangs_up and (data := talk.recv(1 << 16)):
                self.got += data


@contextmanager
def _playing(script: _Script) -> Iterator[_Script]:
    thread = threading.Thread(target=script.go)
    thread.start()
    try:
        yield script
    finally:
        thread.join(60)
        script.door.close()


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("envelope", [[b"250 ok\r\n250 ok\r\n354 go\r\n"], [b"250 ok\r\n250 ok\r\n", b"354 go\r\n"]])
def test_a_whole_message_that_went_out_encrypted_may_have_arrived(tls: ssl.SSLContext, envelope: list[bytes]) -> None:
    with _playing(_Script(tls=tls, envelope=envelope, hangs_up=True)) as script:
        verdicts = _send(script.server, _mail(1))

    assert script.got.endswith(b"\r\n.\r\n")
    assert [verdict.answer.value for verdict in verdicts.values()] == ["ambiguous"]


@pytest.mark.slow
def test_what_was_given_up_half_way_never_goes_out_whole() -> None:
    with _playing(_Script(reads=4096, rests=4.0)) as script:
        verdicts = _send(script.server, _mail(1, size=30_000_000), message=0.5, linger=5.0)

    assert [verdict.answer.value for verdict in verdicts.values()] == ["later"]
    assert not script.got.endswith(b"\r\n.\r\n")


def test_a_yes_to_half_of_a_message_that_is_encrypted_is_in_doubt(tls: ssl.SSLContext) -> None:
    with _playing(_Script(tls=tls, reads=4096, says=b"250 queued\r\n")) as script:
        verdicts = _send(script.server, _mail(1, size=30_000_000))

    assert [verdict.answer.value for verdict in verdicts.values()] == ["ambiguous"]
    assert not script.got.endswith(b"\r\n.\r\n")


def test_what_is_said_before_the_message_is_no_reply_to_it() -> None:
    with _playing(_Script(envelope=[b"250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n"])) as script:
        verdicts = _send(script.server, _mail(1))

    assert [verdict.answer.value for verdict in verdicts.values()] == ["later"]
    assert script.got == b""


@pytest.mark.parametrize("encrypted", [True, False])
def test_what_lies_in_our_buffers_of_a_part_is_never_underrated(tls: ssl.SSLContext, encrypted: bool) -> None:
    part = b"MAIL FROM:<us@example.org>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\n"

    async def write(port: int) -> tuple[int, int]:
        context = ssl.create_default_context() if encrypted else None
        made = asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port, ssl=context)
        reader = ReplyReader((await made)[0])
        reader.write(b"x" * 30_000_000)
        before = reader.unsent
        reader.write(part)
        more = reader.unsent - before
        reader.abort()
        return more, reader.most_unsent_of(part)

    with _playing(_Script(tls=tls if encrypted else None, rests=0.5)) as script:
        more, most = asyncio.run(write(script.server.port))

    assert len(part) <= more <= most
