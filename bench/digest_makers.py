"""Makes digests the real way: records come in, readers subscribe, other versions come in, and the mails arrive."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Literal

from bench.digest_stories import Story
from bench.installations import kept_mails, open_bench_service
from bench.records import Record
from notifier.domain.conditions import Concern, condition_key
from notifier.domain.digests import Digest, Mail, QuietNote
from notifier.emails.messages import build_message
from notifier.emails.sample_mails import SAMPLES
from notifier.emails.templates import render_mail
from notifier.ingesting import ingest_records
from notifier.registries.ctgov import nct_id_of
from notifier.registries.record_files import FoundRecord
from notifier.retiring import retire_study
from notifier.rounds import Service, deliver, make_news
from notifier.store.addresses import read_address
from notifier.store.condition_store import ensure_conditions
from notifier.store.models import TrialReading
from notifier.store.trial_lookup import find_trial
from notifier.subscribing import subscribe_directly

BEFORE = datetime(2026, 8, 8, 9, 0, tzinfo=UTC)
AFTER = datetime(2026, 8, 9, 9, 0, tzinfo=UTC)
NEXT_WEEK = datetime(2026, 8, 10, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MadeMail:
    """A mail as it arrives: its whole message, and what of it is read."""

    name: str
    message: bytes
    subject: str
    text: str
    html: str

    @property
    def slug(self) -> str:
        """The name as files are called."""
        return self.name.replace(" ", "-")


def make_digests(stories: Sequence[Story], *, home: Path) -> list[MadeMail]:
    """The first mail of each story's reader, in their order; whoever gets none is left out."""
    with ExitStack() as open_things:
        port, folder = open_things.enter_context(kept_mails(home / "mails"))
        service = open_things.enter_context(open_bench_service(home, smtp_port=port, now=BEFORE))
        _ingest(service, [before for story in stories for before, _after in story.changes if before], now=BEFORE)
        for number, story in enumerate(stories):
            _subscribe(service, story, address=_address(number))
        _ingest(service, [after for story in stories for _before, after in story.changes], now=AFTER)
        for story in stories:
            _speak_of(service, story)
        for now in (AFTER + timedelta(minutes=5), NEXT_WEEK):
            make_news(service.installation, now=now)
            deliver(service, now=partial(_fixed, now))
        arrived = _arrived(folder)
    return [
        _made(story.name, arrived[address])
        for number, story in enumerate(stories)
        if (address := _address(number)) in arrived
    ]


def make_samples() -> list[MadeMail]:
    """The invented mails that show every way a mail can look."""
    return [_sent(f"sample {name}", sample) for name, sample in SAMPLES.items()]


def _sent(name: str, sample: Mail) -> MadeMail:
    mail = render_mail(sample)
    message = build_message(
        mail=mail,
        sender="Study updates <updates@updates.example.org>",
        recipient="reader@example.org",
        message_id="<sample@updates.example.org>",
        date=AFTER,
        list_id="trial updates <updates.updates.example.org>",
        # Letters, such as a confirmation, belong to no subscription.
        list_unsubscribe=sample.one_click_url if isinstance(sample, Digest | QuietNote) else None,
    )
    return MadeMail(name, message, mail.subject, mail.text, mail.html)


def _address(number: int) -> str:
    return f"reader-{number}@example.org"


def _fixed(now: datetime) -> datetime:
    return now


def _ingest(service: Service, records: Iterable[Record], *, now: datetime) -> None:
    installation = service.installation
    by_number = {nct_id_of(record): record for record in records}
    found = [FoundRecord(place=number, record=record) for number, record in by_number.items()]
    ingest_records(database=installation.database, keys=installation.keys, records=found, now=partial(_fixed, now))


def _subscribe(service: Service, story: Story, *, address: str) -> None:
    with service.installation.database.writing() as session:
        for wish in story.wishes:
            if wish.condition:
                # Known as after an import: what nobody knows is followed as words.
                ensure_conditions(session, [_concept(wish.condition)])
            subscribe_directly(
                session,
                keys=service.installation.keys,
                address=read_address(address),
                wish=wish,
                how="operator",
                now=BEFORE + timedelta(minutes=1),
            )


def _concept(name: str) -> Concern:
    return Concern(key=condition_key(name), name=name, how="derived")


def _speak_of(service: Service, story: Story) -> None:
    """Keep what the operator says of studies, and take those off the list that are gone."""
    database = service.installation.database
    with database.writing() as session:
        for number, summary in story.readings:
            trial = find_trial(session, number)
            assert trial is not None
            session.add(
                TrialReading(
                    trial_id=trial.id,
                    language="en",
                    summary=summary,
                    substance="Two antibodies, given through a drip together with the usual chemotherapy.",
                    could_lead_to="A further choice for people whose illness came back after the first treatment.",
                    could_go_wrong="The body’s defence can turn against healthy organs. That is watched closely.",
                    revision=1,
                    supplied_at=AFTER,
                )
            )
    for number, successor in story.gone:
        retire_study(database=database, number=number, merged_into=successor, now=AFTER)


def _arrived(folder: Path) -> dict[str, bytes]:
    """The first mail to each address."""
    first: dict[str, bytes] = {}
    for file in sorted(folder.glob("*.eml"), key=_arrival):
        message = file.read_bytes()
        first.setdefault(str(message_from_bytes(message, policy=policy.default)["To"]), message)
    return first


def _arrival(file: Path) -> int:
    return file.stat().st_mtime_ns


def _made(name: str, message: bytes) -> MadeMail:
    parsed = message_from_bytes(message, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return MadeMail(name, message, str(parsed["Subject"]), _part(parsed, "plain"), _part(parsed, "html"))


def _part(message: EmailMessage, kind: Literal["plain", "html"]) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")
