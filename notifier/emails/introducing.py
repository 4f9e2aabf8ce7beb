"""Makes connections to the mail server, safe and logged in, and tries whether it would take a mail of ours."""

import asyncio

from aiosmtplib import SMTP, SMTPHeloError

from notifier.config import MailServer
from notifier.domain.blame import SENDER_UNFIT
from notifier.domain.deliveries import Answer, Verdict
from notifier.emails.pipelining import is_writable
from notifier.emails.replies import judge_connecting

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def new_client(server: MailServer, *, seconds: float, own_name: str | None = None) -> SMTP:
    """What connects to a mail server as its settings say; each command may take so many seconds.

    A password never goes out in clear: with one, ``offered`` means ``required``, except on this machine itself.
    Without one, encryption that is only offered is taken without asking whose certificate it is (RFC 7435).
    """
    at_home = server.host in _LOCAL_HOSTS
    required = server.tls == "required" or (server.tls == "offered" and bool(server.username) and not at_home)
    return SMTP(
        hostname=server.host,
        port=server.port,
        username=server.username,
        password=server.password,
        local_hostname=own_name,
        timeout=seconds,
        use_tls=server.tls == "implicit",
        start_tls={"implicit": False, "none": False}.get(server.tls, True if required else None),
        validate_certs=required or server.tls == "implicit",
    )


async def connect(client: SMTP, *, seconds: float) -> None:
    """Connect, secure, log in and say who we are; raises what the library raises."""
    await client.connect(timeout=seconds)
    if client.is_ehlo_or_helo_needed:
        try:
            await client.ehlo()
        except SMTPHeloError:
            await client.helo()


def try_out(server: MailServer, *, sender: str, seconds: float) -> Verdict | None:
    """Why the mail server would take no mail of ours; None if it takes us and our sender address. Nothing is sent."""

    async def introduce() -> None:
        client = new_client(server, seconds=seconds)
        try:
            await connect(client, seconds=seconds)
            await client.mail(sender)
            await client.quit()
        finally:
            client.close()

    if not is_writable(sender):
        return Verdict(answer=Answer.OURS, reason=SENDER_UNFIT)
    try:
        asyncio.run(introduce())
    except Exception as error:  # noqa: BLE001 - a host name may break the library in ways of its own
        return judge_connecting(error)
    return None
