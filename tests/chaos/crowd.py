"""The crowd of a row: readers who follow a few studies and hear of each change at once, and the news for them."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier.domain.wishes import Wish
from notifier.ingesting import ingest_records
from notifier.installation import Installation
from notifier.registries.record_files import FoundRecord
from notifier.store.addresses import read_address
from notifier.store.models import Subscriber, Subscription, Told, Trial
from notifier.subscribing import subscribe_directly
from tests.studies import make_study
from tests.topologies import API_KEY
from tests.world import INSTANT

STUDIES = 5
"""Fewer than hold one same change back as a mishap of the registry."""
SUBSCRIBED_WITHIN = 60.0


def domain_of(number: int) -> str:
    """The mail domain with this number."""
    return f"d{number}.example.org"


@dataclass(slots=True)
class Crowd:
    """Who follows what, and how often news of it was answered with a 2xx."""

    installation: Installation
    readers: dict[str, int] = field(default_factory=dict)
    """The subscriber of each address."""
    follows: dict[int, int] = field(default_factory=dict)
    """The number of the study that each subscriber follows."""
    domains: int = 1
    """Over how many mail domains they are spread, evenly."""
    promised: int = 0
    gone: set[int] = field(default_factory=set)
    """Subscribers who left before their mail."""
    sent_again: Counter[int] = field(default_factory=Counter)
    """Mails of a subscriber that the operator had sent again, counted as such, under another name."""

    def gather(self, count: int) -> None:
        """That many readers, confirmed before any news."""
        now, records = datetime.now(UTC), [make_study(number) for number in range(STUDIES)]
        self._ingest(records)
        with self.installation.database.writing() as session:
            for number in range(STUDIES):
                self._add(session, number, now)
            trials = list(session.scalars(select(Trial).order_by(Trial.number)))
        for number, trial in enumerate(trials):
            self._multiply(trial, list(range(STUDIES + number, count, STUDIES)), number)

    def news_over_http(self, url: str) -> int:
        """Change every study and post that, once; the status of the answer, 0 for none."""
        try:
            answer = httpx.post(
                f"{url}/api/v1/records", json=self._changed(), headers={"X-API-Key": API_KEY}, timeout=30
            )
        except httpx.TransportError:
            return 0
        if answer.is_success:
            self.promised += 1
        return answer.status_code

    def insist(self, url: str) -> None:
        """Post the same news until they are answered well."""
        until = time.monotonic() + SUBSCRIBED_WITHIN
        while self.news_over_http(url) not in range(200, 300):
            assert time.monotonic() < until, "the news were never taken"
            time.sleep(0.2)

    def news(self) -> None:
        """Change every study, and have that taken in here."""
        self._ingest(self._changed())
        self.promised += 1

    def _changed(self) -> list[dict[str, Any]]:
        day = f"2026-03-{self.promised % 28 + 1:02}"
        enrolled = 120 + 10 * self.promised
        return [make_study(number, enrollment=enrolled, updated=day, version=day) for number in range(STUDIES)]

    def _ingest(self, records: list[dict[str, Any]]) -> None:
        found = [FoundRecord(place=f"record {number}", record=record) for number, record in enumerate(records)]
        here = self.installation
        ingest_records(database=here.database, keys=here.keys, records=found, now=lambda: datetime.now(UTC))

    def _add(self, session: Session, number: int, now: datetime) -> None:
        address = read_address(self._name(number))
        wish = Wish(trial=f"NCT9000{number:04}", cadence=INSTANT)
        keys = self.installation.keys
        reader = subscribe_directly(session, keys=keys, address=address, wish=wish, how="operator", now=now)
        self.readers[self._name(number)] = reader
        self.follows[reader] = number

    def _name(self, number: int) -> str:
        return f"r{number}@{domain_of(number % self.domains) if self.domains > 1 else 'example.org'}"

    def _multiply(self, trial: Trial, numbers: list[int], study: int) -> None:
        """More readers of a study, like its first."""
        keys, names = self.installation.keys, [self._name(number) for number in numbers]
        addresses = [read_address(name) for name in names]
        with self.installation.database.writing() as session:
            first = session.get_one(Subscriber, self.readers[self._name(study)])
            chosen = select(Subscription).where(Subscription.subscriber_id == first.id)
            subscription = session.scalars(chosen).one()
            mailbox: dict[str, Any] = {"language": "en", "revision": 1, "created_at": first.created_at}
            mailbox["schedule_id"] = first.schedule_id
            sealed = [{"address_index": keys.index(one), "address_sealed": keys.seal(one)} for one in addresses]
            if not sealed:
                return
            session.execute(insert(Subscriber), [one | mailbox for one in sealed])
            listed = session.execute(select(Subscriber.address_index, Subscriber.id))
            found = {row.address_index: row.id for row in listed}
            ids = [found[keys.index(one)] for one in addresses]
            wish = {
                "trial_id": trial.id, "wants": "everything", "news_since": subscription.news_since,
                "consent_site": "", "consent_how": "form", "confirmed_at": first.created_at,
            }  # fmt: skip
            session.execute(insert(Subscription), [{"subscriber_id": id_, **wish} for id_ in ids])
            told = [{"subscriber_id": id_, "trial_id": trial.id, "seq": trial.seq} for id_ in ids]
            session.execute(insert(Told), told)
        self.readers.update(zip(names, ids, strict=True))
        self.follows.update(dict.fromkeys(ids, study))
