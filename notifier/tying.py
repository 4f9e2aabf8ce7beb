"""Tying: studies held are searched, in silence, for words that somebody began to follow as text."""

from notifier.store import text_conditions
from notifier.store.database import Database

PORTIONS = 50
"""Looked through in one go: half a million studies, so that nobody waits behind it for long."""


def look_through(*, database: Database) -> int:
    """Search studies held for texts followed since the last time, portion by portion; how many portions that were.

    No Change, Match or mail comes of it. It may run twice or break off: what is tied stays so, and where it was it goes
    on. What records bring meanwhile is tied as they are written.
    """
    for number in range(PORTIONS):
        with database.reading() as session:
            waiting = text_conditions.find_unlooked(session)
            if waiting is None:
                return number
            condition_id, key, after = waiting
            trial_ids, through = text_conditions.list_saying(session, key, after=after)
        with database.writing() as session:
            text_conditions.tie_silently(session, condition_id, trial_ids, through=through)
    return PORTIONS
