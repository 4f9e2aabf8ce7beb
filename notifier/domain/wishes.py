"""What somebody asks for: a study, a condition or both, how often, and in which language."""

from dataclasses import dataclass, field
from datetime import datetime

from notifier.domain.schedules import Cadence
from notifier.errors import InvalidRequest

EVERYTHING = "everything"
OPENINGS = "openings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One filled-in form.

    ``trial`` is a registry number, ``condition`` a name as somebody wrote it. ``wants`` is for the condition: openings
    (new studies, and studies in which people can join now) or everything that changes in its studies as well.
    ``accept_unknown``: follow the words even if nothing held bears this name yet.
    """

    trial: str | None = None
    condition: str | None = None
    wants: str = OPENINGS
    cadence: Cadence = field(default_factory=Cadence)
    language: str = "en"
    site: str = ""
    accept_unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Where, how and when somebody agreed; ``news_since`` is the day before which a registration is not new to them."""

    site: str
    how: str
    at: datetime
    news_since: str


def check_wish(wish: Wish) -> None:
    """Refuse a wish for nothing, or for something there is no word for.

    Raises:
        InvalidRequest: neither a study nor a condition, or unknown ``wants``.
    """
    if not wish.trial and not wish.condition:
        raise InvalidRequest("Choose a study, a condition, or both.")
    if wish.wants not in (EVERYTHING, OPENINGS):
        raise InvalidRequest("What you want to hear must be one of: openings, everything.")
