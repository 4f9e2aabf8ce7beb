"""What goes to a mail server: bytes that every reader of mail understands, the same each time."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.digests import Confirmation, Digest
from notifier.emails.messages import build_message, list_id_for, message_id_for
from notifier.emails.quoting import fragment, quoted, quoted_around
from notifier.emails.sample_mails import SAMPLES, many_studies
from notifier.emails.templates import RenderedMail, render_digest, render_mail

LINK = "https://updates.example.org/unsubscribe/" + "a1B2-_" * 40
LINE_SEPARATOR = "\u2028"


def message(**other: Any) -> bytes:
    values: dict[str, Any] = {
        "mail": RenderedMail(subject="1 new study for you", text="Hello\n", html="<p>Hello</p>\n"),
        "sender": "Trial updates <updates@example.org>",
        "recipient": "reader@example.net",
        "message_id": message_id_for(7, domain="example.org", seed="a seed"),
        "date": datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        "list_id": list_id_for("https://example.org"),
        "list_unsubscribe": LINK,
    }
    return build_message(**values | other)


def parsed(raw: bytes) -> EmailMessage:
    found = message_from_bytes(raw, policy=policy.SMTP)
    assert isinstance(found, EmailMessage)
    assert found.defects == []
    return found


def sample(name: str) -> RenderedMail:
    value = SAMPLES[name]
    assert isinstance(value, Digest)
    return render_digest(value)


def part(found: EmailMessage, subtype: str) -> str:
    body = found.get_body((subtype,))
    assert body is not None
    return str(body.get_content())


@pytest.mark.parametrize("name", [name for name, value in SAMPLES.items() if isinstance(value, Digest)])
def test_a_message_reads_back_as_it_was_written(name: str) -> None:
    mail = sample(name)

    found = parsed(message(mail=mail))

    assert part(found, "plain").replace("\r\n", "\n") == mail.text
    assert part(found, "html").replace("\r\n", "\n") == mail.html
    assert found["Subject"] == mail.subject
    assert [each.get_content_type() for each in found.iter_parts()] == ["text/plain", "text/html"]


@given(text=st.text(st.characters(codec="utf-8"), max_size=400))
def test_any_text_comes_through(text: str) -> None:
    raw = message(mail=RenderedMail(subject="1 new study for you", text=text, html=text))

    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert part(parsed(raw), "plain").replace("\r\n", "\n") == expected


lines = st.lists(st.text(st.characters(codec="utf-8"), max_size=90).map(lambda text: f"{text}\n"), max_size=9)


@given(texts=lines, chosen=st.lists(st.booleans(), min_size=9, max_size=9), rest=st.text(max_size=90))
def test_parts_encoded_before_give_the_same_bytes(texts: list[str], chosen: list[bool], rest: str) -> None:
    known = [fragment(text) for text, kept in zip(texts, chosen, strict=False) if kept]
    text = "".join(texts) + rest.encode("utf-8", "ignore").decode()

    assert quoted_around(text, known) == quoted(text)
    assert quoted_around(text, reversed(known)) == quoted(text)


def test_headers_say_who_what_and_when() -> None:
    found = parsed(message())

    assert found["From"] == "Trial updates <updates@example.org>"
    assert found["To"] == "reader@example.net"
    assert found["Date"].datetime == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert found["Message-ID"] == message_id_for(7, domain="example.org", seed="a seed")
    assert found["List-Id"] == "trial updates <updates.example.org>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["MIME-Version"] == "1.0"


def test_a_digest_can_be_ended_with_one_click() -> None:
    raw = message()
    found = parsed(raw)

    assert found["List-Unsubscribe"] == f"<{LINK}>"
    assert f"List-Unsubscribe: <{LINK}>\r\n".encode() in raw
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found["Precedence"] == "bulk"


def test_a_confirmation_belongs_to_no_subscription() -> None:
    confirmation = SAMPLES["confirmation"]
    assert isinstance(confirmation, Confirmation)

    found = parsed(message(mail=render_mail(confirmation), list_unsubscribe=None))

    assert not {"List-Unsubscribe", "List-Unsubscribe-Post", "Precedence"} & set(found.keys())


def test_no_header_is_written_twice() -> None:
    names = parsed(message()).keys()

    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["scripts of the world", "sixty studies", "markup in texts"])
def test_a_message_is_narrow_and_seven_bits_wide(name: str) -> None:
    raw = message(mail=sample(name))
    head, _, body = raw.partition(b"\r\n\r\n")

    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert max(map(len, head.split(b"\r\n"))) <= 998


def test_the_same_mail_is_the_same_bytes() -> None:
    assert message() == message()


def test_another_delivery_has_another_boundary() -> None:
    other = message_id_for(8, domain="example.org", seed="a seed")

    assert parsed(message(message_id=other)).get_boundary() != parsed(message()).get_boundary()


def test_names_outside_ascii_are_encoded() -> None:
    raw = message(
        sender="Studien-Nachrichten für Angehörige und Freunde in vielen Städten <updates@example.org>",
        mail=RenderedMail(subject="2 Änderungen an Studien, denen Sie folgen, und eine lange Zeile", text="", html=""),
    )
    # The older reading of headers: the newer keeps a space between two encoded words of a name.
    found = message_from_bytes(raw)
    name, address = parseaddr(str(make_header(decode_header(found["From"]))))

    assert name == "Studien-Nachrichten für Angehörige und Freunde in vielen Städten"
    assert address == "updates@example.org"
    assert parsed(raw)["Subject"] == "2 Änderungen an Studien, denen Sie folgen, und eine lange Zeile"
    assert raw.isascii()


@pytest.mark.parametrize("bad", ["\n", "\r\nBcc: other@example.net", "\x00", "\x1b", "\x85", LINE_SEPARATOR])
@pytest.mark.parametrize("name", ["sender", "recipient", "message_id", "list_id", "list_unsubscribe"])
def test_a_header_takes_no_control_character(name: str, bad: str) -> None:
    with pytest.raises(ValueError, match=r"^(an address|Message-ID|List-Id|List-Unsubscribe) ") as refused:
        message(**{name: f"reader@example.net{bad}"})

    assert "reader@" not in str(refused.value)


def test_a_subject_takes_no_line_end() -> None:
    with pytest.raises(ValueError, match="Subject"):
        message(mail=RenderedMail(subject="1 new\r\nBcc: a@example.net", text="", html=""))


@pytest.mark.parametrize("address", ["", "nobody", "lüder@example.net", "a@b@c", "Name <>", "a@example.net, b@c.org"])
def test_what_is_no_single_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="an address is not one"):
        message(recipient=address)


def test_a_date_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        message(date=datetime(2026, 3, 2))  # noqa: DTZ001 - the mistake is the test


def test_a_message_id_is_stable_and_cannot_be_guessed() -> None:
    first = message_id_for(1, domain="example.org", seed="a seed")

    assert first == message_id_for(1, domain="example.org", seed="a seed")
    assert first != message_id_for(2, domain="example.org", seed="a seed")
    assert first != message_id_for(1, domain="example.org", seed="another")
    assert first.endswith("@example.org>")


@pytest.mark.parametrize(
    ("base_url", "list_id"),
    [
        ("https://Example.org/news", "trial updates <updates.example.org>"),
        ("http://localhost:8000", "trial updates <updates.localhost>"),
        ("http://[::1]:8000", "trial updates <updates.--1>"),
    ],
)
def test_the_list_is_named_after_the_site(base_url: str, list_id: str) -> None:
    assert list_id_for(base_url) == list_id


@pytest.mark.parametrize(("size", "limit"), [(1, 20_000), (50, 100_000)])
def test_a_message_stays_light(size: int, limit: int) -> None:
    raw = message(mail=render_digest(many_studies(size)))

    assert len(raw) <= limit
