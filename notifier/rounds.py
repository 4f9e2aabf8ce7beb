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
from notifier.planning import plan_mails
from notifier.rereading import reread_trials
from notifier.retaining import retain
from notifier.retiring import settle_merged
from notifier.traffic_rules import TrafficRules
from notifier.tying import look_through

Clock = Callable[[], datetime]

MOST_IN_DATA = 32
"""Mails in data at once of all processes of a worker: so many may go out twice where it dies."""


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


def make_news(installation: Installation, *, now: datetime) -> tuple[int, int]:
    """Match what is unmatched and plan what is due; how many Matches and Deliveries that made."""
    settle_merged(database=installation.database, now=now)
    look_through(database=installation.database)
    matched = match_changes(database=installation.database, now=now)
    planned = plan_mails(database=installation.database, now=now)
    # Last: readers need not wait for what is only our own upkeep.
    reread_trials(database=installation.database, now=now)
    forget_signatures(database=installation.database, threshold=installation.settings.breaker, now=now)
    retain(database=installation.database, now=now)
    installation.forget_departures(now=now)
    return matched, planned


def deliver(service: Service, *, now: Clock, real: Clock | None = None, limit: int | None = None) -> Delivered:
    """Take back what lost workers left, then send what is due; ``real`` is the time where ``now`` was set."""
    service.deliverer.sweep(now=real or now)
    return service.deliverer.deliver_due(now=now, real=real, limit=limit)
