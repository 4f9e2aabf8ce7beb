"""Settings are checked before anything begins; the message names the variable and never repeats a secret."""

from pathlib import Path

import pytest

from notifier.config import MailServer, load_settings, parse_smtp_url
from notifier.errors import ConfigurationError

GOOD_SECRET = "a made-up secret that is long enough for anybody"
PRODUCTION = {
    "DATABASE_URL": "postgresql://user:password@db.example.org/notifier",
    "BROKER_URL": "redis://localhost:6379/0",
    "SMTP_URL": "smtp://mail.example.org:587?starttls=required",
    "BASE_URL": "https://updates.example.org",
    "SECRET_KEY": GOOD_SECRET,
    "INDEX_KEY": GOOD_SECRET[::-1],
    "MAIL_FROM": "Study updates <updates@example.org>",
    "POSTAL_ADDRESS": "1 Made-up Road",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"NOTIFIER_{name}", value)


def test_nothing_at_all_is_the_embedded_default() -> None:
    settings = load_settings()

    assert settings.is_embedded
    assert settings.database_url == "sqlite:///var/notifier.db"


@pytest.mark.parametrize("missing", sorted(set(PRODUCTION) - {"DATABASE_URL"}))
def test_postgresql_needs_every_setting_said(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    given(monkeypatch, {name: value for name, value in PRODUCTION.items() if name != missing})

    with pytest.raises(ConfigurationError, match=f"NOTIFIER_{missing} is missing"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "notifier.db"),
        ("SECRET_KEY", "hush-hush"),
        ("SECRET_KEY", f"{GOOD_SECRET},hush-hush"),
        ("INDEX_KEY", "hush-hush"),
        ("SMTP_URL", "http://mail.example.org"),
        ("SMTP_URL", "smtp://mail.example.org:hush-hush"),
        ("SMTP_URL", "smtp://mail.example.org?starttls=maybe"),
        ("BROKER_URL", "redis"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@example.org\nBcc: b@example.org"),
        ("BASE_URL", "updates.example.org"),
        ("BASE_URL", "http://["),
        ("BASE_URL", "http://"),
        ("PORT", "99999"),
        ("MAX_BODY_BYTES", "many"),
        ("LOG_LEVEL", "LOUD"),
        ("RATE", "hush-hush"),
        ("RATE_PER_DESTINATION", "0/s"),
        ("RATE_DESTINATIONS", "example.org=fast"),
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    given(monkeypatch, {name: value})

    with pytest.raises(ConfigurationError, match=f"NOTIFIER_{name}") as refused:
        load_settings()

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", MailServer(host="mail.example.org", port=25, tls="offered")),
        ("smtp://[::1]:2525?starttls=never", MailServer(host="::1", port=2525, tls="none")),
        ("smtps://mail.example.org", MailServer(host="mail.example.org", port=465, tls="implicit")),
        (
            "smtp://us%40er:p%2Fw@mail.example.org:587?starttls=required",
            MailServer(host="mail.example.org", port=587, username="us@er", password="p/w", tls="required"),
        ),
    ],
)
def test_mail_servers_are_read(url: str, server: MailServer) -> None:
    assert parse_smtp_url(url) == server
