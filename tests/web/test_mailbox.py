"""The embedded mailbox: over SMTP, on disk, and in the browser."""

import os
import smtplib
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from notifier.emails.mailbox import Mailbox, serve_mailbox


def make_mail(subject: str = "Grüße", html: str | None = None) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "Updates <updates@localhost>", "ada@example.org"
    mail.set_content("Hello <b>Ada</b>\nhttps://notifier.example/confirm/x\n.\n..dots")
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("testserver", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("[::1", 403),
    ],
)
def test_a_name_led_to_this_machine_by_somebody_else_reads_no_mail(
    client: TestClient, kept: str, host: str, status: int
) -> None:
    for path in ("/mailbox", f"/mailbox/{kept}/raw", "/mailbox/gallery"):
        assert client.get(path, headers={"host": host}).status_code == status


@pytest.fixture
def kept(mailbox: Mailbox) -> str:
    return mailbox.keep(
        make_mail(html="<html><head><title>x</title></head><body><a href='/y'>y</a></body></html>").as_bytes()
    )


def test_what_is_accepted_is_kept_byte_for_byte(mailbox: Mailbox, free_port: Callable[[], int]) -> None:
    port = free_port()
    raw = b"Subject: one\r\nTo: ada@example.org\r\n\r\n.\r\n..two\r\nf\xc3\xbcnf\r\n"

    with serve_mailbox(mailbox, host="127.0.0.1", port=port), smtplib.SMTP("127.0.0.1", port) as server:
        server.sendmail("a@example.org", ["ada@example.org"], raw)

    (line,) = mailbox.list_mails()
    mail = mailbox.find_mail(line.name)
    assert mail is not None
    assert mail.raw == raw


def test_the_newest_mail_comes_first(mailbox: Mailbox) -> None:
    names = [mailbox.keep(make_mail(subject).as_bytes()) for subject in ("old", "new")]
    os.utime(mailbox.folder / f"{names[0]}.eml", (1, 1))

    assert [line.subject for line in mailbox.list_mails()] == ["new", "old"]
    assert mailbox.count_mails() == 2


@pytest.mark.parametrize(
    "raw", [b"", b"\x00\xff", b"Subject: =?nonsense?q?x?=\n\n", b"Content-Type: text/plain; charset=none\n\nx"]
)
def test_a_broken_mail_is_shown_as_far_as_it_goes(client: TestClient, mailbox: Mailbox, raw: bytes) -> None:
    name = mailbox.keep(raw)

    assert client.get("/mailbox").status_code == 200
    assert client.get(f"/mailbox/{name}").status_code == 200
    assert client.get(f"/mailbox/{name}/raw").content == raw


def test_an_empty_mailbox_says_what_to_do(client: TestClient) -> None:
    page = client.get("/mailbox").text

    assert "No mail yet" in page
    assert "Subscribe to something" in page


def test_a_mail_is_listed_and_opened(client: TestClient, kept: str) -> None:
    listed, opened = client.get("/mailbox").text, client.get(f"/mailbox/{kept}").text

    assert "Grüße" in listed
    assert f"/mailbox/{kept}" in listed
    assert "ada@example.org" in opened
    assert "Hello &lt;b&gt;Ada" in opened
    assert BeautifulSoup(opened, "html.parser").select_one("pre a[href='https://notifier.example/confirm/x']")


def test_the_html_of_a_mail_is_sandboxed_and_its_links_leave_the_frame(client: TestClient, kept: str) -> None:
    frame = BeautifulSoup(client.get(f"/mailbox/{kept}").text, "html.parser").select_one("iframe")
    answer = client.get(f"/mailbox/{kept}/html")

    assert frame is not None
    assert "allow-scripts" not in frame["sandbox"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert '<base target="_top">' in answer.text


@pytest.mark.parametrize("name", ["0" * 32, "..%2F..%2Fetc%2Fpasswd", "%00", "a.b"])
def test_no_other_file_is_read(client: TestClient, name: str) -> None:
    for path in (f"/mailbox/{name}", f"/mailbox/{name}/html", f"/mailbox/{name}/raw"):
        assert client.get(path).status_code == 404


def test_all_mails_are_deleted_by_a_post_from_here_only(client: TestClient, mailbox: Mailbox, kept: str) -> None:
    assert client.post("/mailbox/delete", headers={"origin": "https://evil.example"}).status_code == 403
    assert mailbox.count_mails() == 1

    assert client.post("/mailbox/delete").headers["location"] == "/mailbox"
    assert mailbox.count_mails() == 0
