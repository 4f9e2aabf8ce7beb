"""One round of all the work that is due: what ``tick`` does once, and workers do again and again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.composing import Composer
from notifier.delivering import GRACE_SECONDS, Delivered, Deliverer, Limits
from notifier.domain.tiers import ROOM, Room
from notifier.holding import forget_signatures
from notifier.installation import Installation
from notifier.letters import Sender
from notifier.matching import match_changes
from notifier.planning import is_period_due, plan_digests, plan_urgent
from notifier.rereading import reread_trials
from notifier.retaining import retain
from notifier.retiring import settle_merged
from notifier.store.database import Database
from notifier.traffic_rules import TrafficRules
from notifier.tying import look_through

Clock = Callable[[], datetime]

MOST_IN_DATA = 32
"""Mails in data at once of all processes of a worker: so many may go out twice where it dies."""

PATIENCE = timedelta(seconds=2)
"""What is urgent is planned so often while matching and planning go on."""


@dataclass(frozen=True, slots=True)
class Service:
    """An installation with what makes and sends its mails; one for each process that works."""

    installation: Installation
    composer: Composer
    deliverer: Deliverer

    def close(self, *, grace: float = GRACE_SECONDS) -> None:
        """Give mails under way so many seconds, end connections and let go of the database."""
        self.deliverer.close(grace=grace)
        self.installation.close()


def open_service(installation: Installation, *, room: Room = ROOM, processes: int = 1) -> Service:
    """What makes and sends mails, by the installation's settings; one of so many ``processes`` that die together.

    Raises:
        ConfigurationError: there is no mail server to hand mail to.
    """
    settings = installation.settings
    composer = make_composer(installation, room=room)
    deliverer = Deliverer(
        database=installation.database,
        mail_server=settings.mail_server,
        sender=settings.envelope_from,
        composer=composer,
        limits=Limits(group=max(1, MOST_IN_DATA // processes), lease=timedelta(seconds=settings.lease_seconds)),
        traffic=TrafficRules(database=installation.database, keys=installation.keys, rates=settings.rates),
    )
    return Service(installation, composer, deliverer)


def make_composer(installation: Installation, *, room: Room = ROOM) -> Composer:
    """What makes mails, without what sends them; ``room`` is how large a digest may be."""
    settings = installation.settings
    sender = Sender(
        mail_from=settings.mail_from,
        host=installation.host,
        # Not the secrets: a retry must bear the same Message-ID after they were rotated.
        seed=installation.keys.check().hex(),
        site_name=settings.site_name,
        postal_address=settings.postal_address,
    )
    return Composer(keys=installation.keys, links=installation.links, sender=sender, room=room)


class News:
    """Matches what came in and plans what is due, portion by portion; what is urgent waits for neither to end.

    What comes in while digests are planned is matched between two portions. What of it is urgent is planned every two
    seconds: not after each portion, so that what comes in together is told in one mail, as far as can be. Counts the
    Matches and the Deliveries that were made.
    """

    def __init__(self, database: Database, *, now: Clock, send: Callable[[], object] | None = None) -> None:
        """``send`` is called when there is an urgent mail to be sent, and more to be planned."""
        self._database = database
        self._now = now
        self._send = send
        self._is_matched = False
        self._looked_at = now()
        self.matched = self.planned = 0

    def match(self, *, wait: bool = False) -> int:
        """Match what is unmatched, and plan what is urgent where that takes long; ``wait`` as `match_changes`."""
        matched = match_changes(database=self._database, now=self._now(), wait=wait, then=self._note_matched)
        self.matched += matched
        return matched

    def plan(self) -> None:
        """Plan what is urgent and what is due, also of what comes in meanwhile.

        What is due for a period waits for what somebody else is just matching: the next one may be a week away.
        """
        self._plan_urgent()
        now = self._now()
        if is_period_due(database=self._database, now=now):
            self.match(wait=True)
        self.planned += plan_digests(database=self._database, now=now, meanwhile=self._match_meanwhile)
        if self._is_matched:
            self._plan_urgent()

    def _match_meanwhile(self) -> None:
        self.match()
        self._look()

    def _note_matched(self) -> None:
        self._is_matched = True
        self._look()

    def _look(self) -> None:
        if self._is_matched and self._now() >= self._looked_at + PATIENCE:
            self._plan_urgent()

    def _plan_urgent(self) -> None:
        planned = plan_urgent(database=self._database, now=self._now())
        self.planned += planned
        self._is_matched, self._looked_at = False, self._now()
        if planned and self._send:
            self._send()


def make_news(installation: Installation, *, now: datetime) -> tuple[int, int]:
    """Match what is unmatched and plan what is due; how many Matches and Deliveries that made."""
    settle_merged(database=installation.database, now=now)
    look_through(database=installation.database)
    news = News(installation.database, now=lambda: now)
    news.match()
    news.plan()
    # Last: readers need not wait for what is only our own upkeep.
    reread_trials(database=installation.database, now=now)
    forget_signatures(database=installation.database, threshold=installation.settings.breaker, now=now)
    retain(database=installation.database, now=now)
    installation.forget_departures(now=now)
    return news.matched, news.planned


def deliver(service: Service, *, now: Clock, real: Clock | None = None, limit: int | None = None) -> Delivered:
    """Take back what lost workers left, then send what is due; ``real`` is the time where ``now`` was set."""
    service.deliverer.sweep(now=real or now)
    return service.deliverer.deliver_due(now=now, real=real, limit=limit)
