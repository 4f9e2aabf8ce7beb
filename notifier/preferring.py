"""Preferring: a reader who is subscribed changes how often they hear from us, of what, and how their mails look."""

from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.domain.wishes import CHOICES, EVERYTHING, IMPORTANT
from notifier.errors import InvalidRequest
from notifier.store import filter_store, pause_store, subscriber_store
from notifier.store.models import Subscription


def change_cadence(session: Session, subscriber_id: int, *, cadence: Cadence, now: datetime) -> None:
    """Change how often a reader hears from us."""
    subscriber = subscriber_store.lock_reader(session, subscriber_id)
    subscriber.schedule_id = subscriber_store.get_or_make_schedule(session, cadence, now=now).id


def change_language(session: Session, subscriber_id: int, *, language: str) -> None:
    """Change the language of a reader's mails; what is under way stays as it is."""
    subscriber_store.lock_reader(session, subscriber_id).language = language


def change_subscription(
    session: Session,
    subscription_id: int,
    *,
    wants: str,
    wanted: ReaderFilter,
    urgent: bool,
    narrower: bool | None = None,
) -> None:
    """Change which news one subscription brings; a study that somebody follows by itself is never filtered.

    ``narrower``: whether studies of narrower conditions count as well; None for as before.

    Raises:
        InvalidRequest: there is no such news of what it follows.
    """
    subscriber_store.lock_owner(session, subscription_id)
    subscription = session.get_one(Subscription, subscription_id, populate_existing=True)
    allowed = CHOICES if subscription.condition_id is not None else (IMPORTANT, EVERYTHING)
    if wants not in allowed:
        raise InvalidRequest("Choose which news you want.")
    subscriber_store.lock_reader(session, subscription.subscriber_id).revision += 1
    subscription.wants, subscription.urgent = wants, urgent
    if subscription.condition_id is not None:
        subscription.filter_id = filter_store.get_or_make_filter(session, wanted)
        subscription.narrower = subscription.narrower if narrower is None else narrower


def change_mails(
    session: Session, subscriber_id: int, *, country: str | None, detailed_subjects: bool, quiet_notes: bool
) -> None:
    """Change whose places stand first in a reader's mails, what their subjects tell, and whether silence is told."""
    subscriber = subscriber_store.lock_reader(session, subscriber_id)
    # A mail that is about to go out is made anew: its subject may name what it no longer shall.
    subscriber.revision += 1
    subscriber.country = country
    subscriber.detailed_subjects, subscriber.quiet_notes = detailed_subjects, quiet_notes


def pause_mails(session: Session, subscriber_id: int, *, until: datetime) -> None:
    """Send a reader nothing but what they ask for themselves until a moment; then one digest tells what waited."""
    subscriber_store.lock_reader(session, subscriber_id)
    pause_store.begin(session, subscriber_id, until=until)


def resume_mails(session: Session, subscriber_id: int, *, now: datetime) -> None:
    """End a pause at once; what waited comes with the next digest."""
    if subscriber_store.lock_reader(session, subscriber_id).paused_until is not None:
        pause_store.end(session, subscriber_id, now=now)


def choose_mails(
    session: Session, subscriber_id: int, *, detailed_subjects: bool | None, quiet_notes: bool | None
) -> None:
    """Set what somebody vouches that a reader chose; what is None stays as it is."""
    subscriber = subscriber_store.lock_reader(session, subscriber_id)
    if detailed_subjects is not None:
        subscriber.detailed_subjects = detailed_subjects
    if quiet_notes is not None:
        subscriber.quiet_notes = quiet_notes
