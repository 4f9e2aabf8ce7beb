"""The settings: NOTIFIER_* variables, typed, each documented once, with safe defaults for the embedded way."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from notifier.domain.breaking import Threshold
from notifier.domain.sending_rates import Rates, read_named_rates, read_rate
from notifier.domain.sites import Site, read_sites
from notifier.errors import ConfigurationError

T = TypeVar("T")

SHORTEST_SECRET = 32
TRIED_OUT = tuple(Site(label="this-machine", origin=f"http://{host}:*") for host in ("127.0.0.1", "localhost"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed over. ``tls`` is ``implicit``, ``required`` (STARTTLS), ``offered`` or ``none``."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: str = "offered"


class Settings(BaseSettings):
    """Every setting. A field's description is its documentation, here and in ``notifier doctor``."""

    model_config = SettingsConfigDict(env_prefix="NOTIFIER_", env_file=".env", frozen=True, extra="ignore")

    data_dir: Path = Field(Path("var"), description="Folder of the embedded default: database, keys, mailbox.")
    database_url: str = Field("", description="sqlite:///file or postgresql://user:password@host/name.")
    broker_url: str = Field("memory://localhost", description="Celery's broker: memory:// (embedded) or redis://…")
    smtp_url: str = Field("", description="smtp[s]://user:password@host:port, with ?starttls=required.")
    base_url: str = Field("", description="Public address of the web pages; links in mails begin with it.")
    bind: str = Field("127.0.0.1", description="Address the web server listens on.")
    port: int = Field(0, ge=0, le=65535, description="Port of the web server; 0 chooses a free one and remembers it.")
    trusted_proxies: str = Field("127.0.0.1", description="Addresses whose X-Forwarded-* headers are believed.")
    secret_key: str = Field("", description="Comma-separated secrets, newest first; signs links, seals addresses.")
    index_key: str = Field("", description="Finds addresses again without reading them; never changes.")
    api_key: str = Field("", description="The first API key, with every right. Without it the API takes no records.")
    mail_from: str = Field("Study updates <updates@localhost>", description="Sender of every mail.")
    postal_address: str = Field("", description="Postal address of the sender, at the foot of every mail.")
    site_name: str = Field("Study updates", description="What the service calls itself in pages and mails.")
    sites: str = Field("", description="Sites that may embed the form: label=https://host[:port], comma-separated.")
    limits_url: str = Field("", description="Redis that counts for limits; the broker's if it is one, else memory://.")
    max_body_bytes: int = Field(20_000_000, ge=1_000, description="Largest request body taken; larger ones get 413.")
    lease_seconds: float = Field(90, ge=1, description="After how long another worker takes over what a lost one held.")
    rate: str = Field("", description="Mails the mail server takes at most: 50/s, 3000/m or 10000/h. Unset: no limit.")
    rate_per_destination: str = Field("", description="The same for each mail domain, shared by all workers.")
    rate_destinations: str = Field("", description="The same for some by name: example.org=20/s,example.com=300/m.")
    breaker_studies: int = Field(20, ge=2, description="One same change in so many studies is held, not mailed.")
    breaker_days: int = Field(3, ge=1, le=365, description="Within how many days those studies are counted.")
    departures_log: str = Field("", description="Folder of the log of who left; embedded: departures in data_dir.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, newest first."""
        return tuple(part.strip() for part in self.secret_key.split(",") if part.strip())

    @property
    def is_embedded(self) -> bool:
        """Whether the database is a file of ours."""
        return self.database_url.startswith("sqlite")

    @property
    def envelope_from(self) -> str:
        """The bare address of ``mail_from``, for SMTP's MAIL FROM."""
        return parseaddr(self.mail_from)[1]

    @property
    def departures_folder(self) -> Path | None:
        """Where the log of who left is kept; None where nobody said so."""
        if self.departures_log:
            return Path(self.departures_log)
        return self.data_dir / "departures" if self.is_embedded else None

    @property
    def known_sites(self) -> tuple[Site, ...]:
        """The sites of ``sites``; in the embedded default, pages of this machine may try the form out."""
        return read_sites(self.sites) if self.sites or not self.is_embedded else TRIED_OUT

    @property
    def counts_in(self) -> str:
        """Where requests are counted for limits."""
        if self.limits_url:
            return self.limits_url
        shared = self.broker_url.startswith(("redis://", "rediss://", "unix://"))
        return self.broker_url.replace("unix://", "redis+unix://", 1) if shared else "memory://"

    @property
    def rates(self) -> Rates:
        """How fast mails may follow each other.

        Raises:
            ConfigurationError: one of the three settings is malformed.
        """
        return Rates(
            relay=_read(read_rate, self.rate, "NOTIFIER_RATE"),
            each=_read(read_rate, self.rate_per_destination, "NOTIFIER_RATE_PER_DESTINATION"),
            named=_read(read_named_rates, self.rate_destinations, "NOTIFIER_RATE_DESTINATIONS"),
        )

    @property
    def breaker(self) -> Threshold:
        """When one same change in many studies is held."""
        return Threshold(studies=self.breaker_studies, days=self.breaker_days)

    @property
    def mail_server(self) -> MailServer:
        """The mail server of ``smtp_url``.

        Raises:
            ConfigurationError: it is missing or malformed.
        """
        return parse_smtp_url(self.smtp_url)


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment and ``.env``, and check what can be checked without connecting.

    Raises:
        ConfigurationError: a setting is missing or malformed; the message says what to set.
    """
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]  # values are checked by pydantic itself
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(f"NOTIFIER_{name} cannot be used: {first['msg']}.") from None
    url = _database_url(settings)
    settings = settings.model_copy(update={"database_url": url})
    _check(settings)
    return settings


def parse_smtp_url(url: str) -> MailServer:
    """Read ``smtp[s]://user:pass@host:port?starttls=required|offered|never``.

    Raises:
        ConfigurationError: the URL is missing or malformed.
    """
    hint = "Set NOTIFIER_SMTP_URL to something like smtp://user:password@mail.example.org:587?starttls=required."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"NOTIFIER_SMTP_URL is malformed. {hint}") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ConfigurationError(f"NOTIFIER_SMTP_URL is {'malformed' if url else 'missing'}. {hint}")
    modes = {"": "offered", "starttls=required": "required", "starttls=offered": "offered", "starttls=never": "none"}
    if parts.query not in modes:
        raise ConfigurationError(f"NOTIFIER_SMTP_URL has an option that is not known. {hint}")
    implicit = parts.scheme == "smtps"
    return MailServer(
        host=parts.hostname,
        port=port or (465 if implicit else 25),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls="implicit" if implicit else modes[parts.query],
    )


def _database_url(settings: Settings) -> str:
    url = settings.database_url or f"sqlite:///{settings.data_dir / 'notifier.db'}"
    for old in ("postgres://", "postgresql://"):
        if url.startswith(old):
            return "postgresql+psycopg://" + url.removeprefix(old)
    if url.startswith(("sqlite:///", "postgresql+psycopg://")):
        return url
    raise ConfigurationError(
        "NOTIFIER_DATABASE_URL must begin with sqlite:/// or postgresql://, as in postgresql://user:password@host/notifier."
    )


def _check(settings: Settings) -> None:
    check_secrets(settings)
    address = parseaddr(settings.mail_from)[1]
    if "@" not in address or any(character in settings.mail_from for character in "\r\n"):
        raise ConfigurationError("NOTIFIER_MAIL_FROM must be an address, such as Study updates <updates@example.org>.")
    if settings.base_url and not _is_web_address(settings.base_url):
        raise ConfigurationError("NOTIFIER_BASE_URL must be an address that begins with http:// or https://.")
    if settings.smtp_url:
        parse_smtp_url(settings.smtp_url)
    _check_sites(settings)
    _ = settings.rates
    if not settings.broker_url.startswith(("memory://", "redis://", "rediss://", "amqp://", "amqps://", "unix://")):
        raise ConfigurationError("NOTIFIER_BROKER_URL must be a broker's address, such as redis://localhost:6379/0.")
    if settings.log_level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ConfigurationError("NOTIFIER_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.")
    if not settings.is_embedded:
        _check_production(settings)


def _check_sites(settings: Settings) -> None:
    try:
        read_sites(settings.sites)
    except ValueError as error:
        hint = "It looks like our-studies=https://www.example.org, with commas between sites."
        raise ConfigurationError(f"NOTIFIER_SITES cannot be used: {error} {hint}") from None
    if not settings.counts_in.startswith(("memory://", "redis://", "rediss://", "redis+unix://")):
        raise ConfigurationError("NOTIFIER_LIMITS_URL must be memory:// or a Redis, such as redis://localhost:6379/1.")


def _read(reader: Callable[[str], T], text: str, variable: str) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise ConfigurationError(f"{variable} cannot be used: {error}") from None


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def check_shared(settings: Settings) -> None:
    """Check what a process needs that does only a part of the work.

    Raises:
        ConfigurationError: the parts could not hear each other, or there is no mail server.
    """
    if settings.broker_url.startswith("memory://"):
        raise ConfigurationError(
            "notifier up does this in one process; several processes need NOTIFIER_BROKER_URL, "
            "such as redis://localhost:6379/0."
        )
    parse_smtp_url(settings.smtp_url)


def check_secrets(settings: Settings) -> None:
    """Check that no secret can be guessed, wherever it was set.

    Raises:
        ConfigurationError: one is too short.
    """
    for secret in settings.secrets:
        if len(secret) < SHORTEST_SECRET:
            raise ConfigurationError(
                f"NOTIFIER_SECRET_KEY needs at least {SHORTEST_SECRET} characters in each secret; "
                "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'."
            )
    if settings.index_key and len(settings.index_key) < SHORTEST_SECRET:
        raise ConfigurationError(f"NOTIFIER_INDEX_KEY needs at least {SHORTEST_SECRET} characters.")


def _check_production(settings: Settings) -> None:
    needed = ("secret_key", "index_key", "smtp_url", "base_url", "postal_address")
    for name in needed:
        if not getattr(settings, name):
            variable = f"NOTIFIER_{name.upper()}"
            purpose = Settings.model_fields[name].description
            raise ConfigurationError(f"{variable} is missing and PostgreSQL needs it: {purpose}")
    if "mail_from" not in settings.model_fields_set:
        raise ConfigurationError(
            "NOTIFIER_MAIL_FROM is missing: set the sender, such as Study updates <updates@example.org>."
        )
    if settings.broker_url.startswith("memory://"):
        raise ConfigurationError(
            "NOTIFIER_BROKER_URL is missing: several processes need a broker, such as redis://localhost:6379/0."
        )
