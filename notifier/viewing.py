"""Viewing: a study as its page and the API show it, with what changed and when."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from notifier.domain.cards import History, build_card, shows_site_statuses
from notifier.domain.changes import FIRST_SEEN, FieldChange
from notifier.domain.digests import Card, ChangeLine, Reading, reading_in
from notifier.domain.trials import TrialFacts, day_of
from notifier.domain.wording import words
from notifier.errors import UnknownTrial
from notifier.registries.states import facts_of_state
from notifier.store import reading_store, retire_store, trial_lookup, trial_store


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One Change: its number, when we saw it, and what it was; newest fields first by weight."""

    seq: int
    day: date
    fields: tuple[FieldChange, ...]
    lines: tuple[ChangeLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyView:
    """A study with its history.

    ``conditions`` are (name, how), how being derived, listed or broader. ``listing`` is gone or withheld where the
    registry does not show it; ``other_numbers`` lead to it too. ``reading`` is the operator's, in plain language.
    """

    facts: TrialFacts
    first_seen: date
    last_updated: str | None
    updates: int
    listing: str | None
    other_numbers: tuple[str, ...]
    conditions: tuple[tuple[str, str], ...]
    timeline: tuple[TimelineEntry, ...]
    card: Card
    reading: Reading | None
    shows_site_statuses: bool


def view_study(session: Session, number: str, *, language: str = "en", page_url: str = "") -> StudyView:
    """A study by its number or another number that leads to it.

    Raises:
        UnknownTrial: no study with this number is held.
    """
    trial = trial_lookup.find_trial(session, number)
    state = trial_store.read_state(session, trial.id) if trial else None
    if trial is None or state is None:
        raise UnknownTrial("This study is not among those listed here. Check the number: it looks like NCT01234567.")
    facts = facts_of_state(state[0], facts_version=state[1])
    first_seen, updates = trial.first_seen_at.date(), trial.seq - 1
    history = History(first_seen=first_seen, last_updated=day_of(trial.last_update_posted), updates=updates)
    changes = trial_lookup.list_changes(session, trial.id)
    readings = reading_store.list_readings(session, trial.id)
    return StudyView(
        facts=facts,
        first_seen=first_seen,
        last_updated=trial.last_update_posted,
        updates=updates,
        listing=trial.listing,
        other_numbers=tuple(retire_store.list_numbers(session, trial.id)),
        conditions=tuple((one.name, how) for one, how in trial_lookup.list_trial_conditions(session, trial.id)),
        timeline=tuple(
            _entry(change.seq, change.observed_at.date(), change.fields, language=language) for change in changes
        ),
        card=build_card(changes=None, after=facts, history=history, page_url=page_url, language=language),
        reading=reading_in(readings, language),
        shows_site_statuses=shows_site_statuses(facts),
    )


def _entry(seq: int, day: date, body: bytes, *, language: str) -> TimelineEntry:
    fields = trial_store.read_fields(body)
    lines = tuple(words(field, language=language) for field in fields if field.field != FIRST_SEEN)
    return TimelineEntry(seq=seq, day=day, fields=fields, lines=lines)
