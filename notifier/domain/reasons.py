"""Why a reader gets a mail and how often, in words."""

from datetime import time

from babel.dates import format_time, get_day_names

from notifier.domain.schedules import Cadence
from notifier.domain.wishes import OPENINGS


def heading_for(condition: str | None) -> str:
    """Over the cards of one subscription; None for a study."""
    return f"Studies on {condition}" if condition else "A study you follow"


def reason_for(condition: str | None, *, number: str | None, wants: str) -> str:
    """Why these cards are in the mail."""
    if condition is None:
        return f"You asked to hear when the study {number} changes."
    if wants == OPENINGS:
        return f"You asked to hear when studies on {condition} are new or open to join."
    return f"You asked to hear about new studies on {condition} and about their changes."


def cadence_in_words(cadence: Cadence, *, language: str = "en") -> str:
    """How often somebody hears from us, such as "every Monday at 8:00 AM (Europe/Berlin)"."""
    if cadence.cadence == "instant":
        return "as soon as there is news"
    clock = format_time(time(cadence.hour), format="short", locale=language)
    if cadence.cadence == "daily":
        return f"at most once a day, at {clock} ({cadence.time_zone})"
    day = get_day_names("wide", locale=language)[cadence.weekday]
    return f"at most once a week, on {day} at {clock} ({cadence.time_zone})"
