"""What somebody asks for: a study, a condition or both, how often, and in which language."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notifier.domain.consents import Agreement
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.errors import InvalidRequest

EVERYTHING = "everything"
IMPORTANT = "important"
OPENINGS = "openings"
CHOICES = (OPENINGS, IMPORTANT, EVERYTHING)
NEWS_REACHES_BACK = timedelta(days=30)
"""A study registered up to this long before somebody asks is still new to them when it reaches us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One filled-in form.

    ``trial`` is a registry number, ``condition`` a name as somebody wrote it. ``wants`` is which news of them: openings
    (of a condition: new studies, and studies in which people can join now), what is important, or everything.
    ``trial_wants`` is for the study where that differs.
    ``accept_unknown``: follow the words even if nothing held bears this name yet. ``filter`` is for studies of the
    condition. ``urgent``: what is important comes at once. ``country``: whose places stand first. ``narrower``: studies
    of narrower conditions count as well. ``agreed``: the words they agreed to, where these are known.
    """

    trial: str | None = None
    condition: str | None = field(default=None, repr=False)
    wants: str | None = None
    trial_wants: str | None = None
    cadence: Cadence = field(default_factory=Cadence)
    language: str = "en"
    site: str = ""
    accept_unknown: bool = False
    filter: ReaderFilter = NO_FILTER
    urgent: bool = False
    country: str | None = None
    narrower: bool = True
    agreed: Agreement | None = None

    @property
    def of_condition(self) -> str:
        """Which news of the condition: openings, unless they say otherwise."""
        return self.wants or OPENINGS

    @property
    def of_trial(self) -> str:
        """Which news of the study: everything, unless they say otherwise; openings are not for a single study."""
        return self.trial_wants or (IMPORTANT if self.wants == IMPORTANT else EVERYTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Where, how and when somebody agreed; ``news_since`` is the day before which a registration is not new to them.

    ``asked_at`` is when they filled in the form, before they confirmed; ``text_id`` leads to the words they agreed to.
    """

    site: str
    how: str
    at: datetime
    news_since: str
    text_id: int | None = None
    health: bool = False
    asked_at: datetime | None = None


def news_since(now: datetime) -> str:
    """The day before which a registration is not new to somebody who asks now."""
    return (now - NEWS_REACHES_BACK).date().isoformat()


def check_wish(wish: Wish) -> None:
    """Refuse a wish for nothing, or for something there is no word for.

    Raises:
        InvalidRequest: neither a study nor a condition, unknown ``wants``, or openings of one study.
    """
    if not wish.trial and not wish.condition:
        raise InvalidRequest("Choose a study, a condition, or both.")
    if wish.wants not in (None, *CHOICES) or wish.trial_wants not in (None, IMPORTANT, EVERYTHING):
        raise InvalidRequest("What you want to hear must be one of: openings, important, everything.")
    if wish.wants == OPENINGS and not wish.condition:
        raise InvalidRequest("For one study, what you want to hear must be one of: important, everything.")
