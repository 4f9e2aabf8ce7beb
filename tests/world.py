"""A whole installation for tests: a database, keys, a real mail server, and the verbs as an operator would use them."""

import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from notifier.config import Settings, load_settings
from notifier.delivering import Delivered
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import EVERYTHING, Wish
from notifier.ingesting import IngestReport, ingest_records
from notifier.installation import Installation, open_installation
from notifier.leaving import end_everything
from notifier.registries.record_files import FoundRecord
from notifier.rounds import Service, deliver, make_news, open_service
from notifier.store import status_store
from notifier.store.addresses import read_address
from notifier.store.models import Match, Trial, TrialState
from notifier.subscribing import subscribe_directly
from tests.smtp_servers import Mailbox

SECRET = "a made-up secret that is long enough for anybody"
INSTANT = Cadence(cadence="instant", hour=0)


@dataclass
class World:
    """One installation and its mailbox; time stands still until a test moves it."""

    installation: Installation
    mailbox: Mailbox
    now: datetime
    service: Service = field(init=False)
    day: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        self.service = open_service(self.installation)

    def ingest(self, *records: dict[str, Any], baseline: bool = False) -> IngestReport:
        """Take records in, a second later than what came before."""
        self.now += timedelta(seconds=1)
        found = [FoundRecord(place=f"record {number}", record=record) for number, record in enumerate(records, 1)]
        return ingest_records(
            database=self.installation.database,
            keys=self.installation.keys,
            records=found,
            now=lambda: self.now,
            baseline=baseline,
        )

    def subscribe(
        self, email: str, *, trial: str | None = None, condition: str | None = None, wants: str = EVERYTHING,
        cadence: Cadence = INSTANT, accept_unknown: bool = False, filter: ReaderFilter = NO_FILTER,  # noqa: A002
        urgent: bool = False, country: str | None = None,
    ) -> int:  # fmt: skip
        """Subscribe somebody as an operator does; the id of the subscriber."""
        self.now += timedelta(seconds=1)
        wish = Wish(
            trial=trial, condition=condition, wants=wants, cadence=cadence, accept_unknown=accept_unknown,
            filter=filter, urgent=urgent, country=country,
        )  # fmt: skip
        with self.installation.database.writing() as session:
            return subscribe_directly(
                session,
                keys=self.installation.keys,
                address=read_address(email),
                wish=wish,
                how="operator",
                now=self.now,
            )

    def tick(self, *, after: timedelta = timedelta(seconds=1)) -> Delivered:
        """Do all work that is due, some time later."""
        self.now += after
        make_news(self.installation, now=self.now)
        return deliver(self.service, now=lambda: self.now)

    def match(self) -> int:
        """Match what is unmatched; how many Matches."""
        return make_news(self.installation, now=self.now)[0]

    def plan(self) -> int:
        """Match and plan; how many Deliveries."""
        return make_news(self.installation, now=self.now)[1]

    def leave(self, subscriber_id: int) -> None:
        """End everything one subscriber asked for."""
        with self.installation.database.writing() as session:
            end_everything(session, subscriber_id, reason="link", now=self.now)

    def poison(self, number: str) -> None:
        """Spoil the stored states of a study, as a bug of ours might."""
        with self.installation.database.writing() as session:
            trial_id = session.scalars(select(Trial.id).where(Trial.number == number)).one()
            session.execute(update(TrialState).where(TrialState.trial_id == trial_id).values(body=b"spoiled"))

    def mails(self, to: str) -> list[EmailMessage]:
        """The mails that reached somebody, oldest first."""
        return [_parsed(content) for recipient, content in self.mailbox.accepted if recipient == to]

    def text_to(self, to: str) -> str:
        """The text of the last mail that reached somebody."""
        body = self.mails(to)[-1].get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    def counts(self) -> dict[str, int]:
        """How the installation stands."""
        with self.installation.database.reading() as session:
            return status_store.count_all(session, now=self.now)

    def endings(self) -> list[str | None]:
        """How the Matches ended, oldest first; None for one that has not."""
        with self.installation.database.reading() as session:
            return list(session.scalars(select(Match.ended_as).order_by(Match.id)))

    def close(self) -> None:
        """Stop."""
        self.service.close()


def settings_for(folder: Path, *, mailbox: Mailbox, database_url: str | None = None, secret: str = SECRET) -> Settings:
    """Settings of a test installation; on PostgreSQL everything that production asks for is set."""
    return load_settings(
        data_dir=folder,
        database_url=database_url or f"sqlite:///{folder / 'notifier.db'}",
        broker_url="redis://127.0.0.1:1/0" if database_url else "memory://",
        smtp_url=f"smtp://127.0.0.1:{mailbox.port}?starttls=never",
        base_url="http://updates.example.org",
        secret_key=secret,
        index_key="a made-up index key that is long enough for anybody",
        api_key="a made-up key for the API of this installation",
        mail_from="Study updates <updates@updates.example.org>",
        postal_address="1 Made-up Road, Example",
    )


def open_world(settings: Settings, *, mailbox: Mailbox, now: datetime) -> World:
    """A world on a database that is at the newest schema or can be brought there."""
    return World(open_installation(settings, now=now), mailbox, now)


def copy_database(template: Path, to: Path) -> None:
    """A migrated SQLite database for one test, quicker than migrating anew."""
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template, to)


def _parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message
