"""Supplying: what the operator says of a study in plain language, shown beside the registry's words; mails nobody."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy.orm import Session

from notifier.domain.dialling_regions import dialling_regions
from notifier.domain.digests import Reading
from notifier.domain.masking import mask_text
from notifier.errors import NoReading, UnknownTrial
from notifier.registries.states import facts_of_state
from notifier.store import reading_store, trial_lookup, trial_store
from notifier.store.database import Database
from notifier.store.models import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """A reading as it is held: of which study, in which language, and how often it was changed."""

    number: str
    language: str
    reading: Reading
    revision: int
    supplied_at: datetime


def supply_reading(*, database: Database, number: str, language: str, reading: Reading, now: datetime) -> Supplied:
    """Hold a reading of a study, in the place of the one before in this language; the same again changes nothing.

    Contact details in it are masked as those of a record are.

    Raises:
        UnknownTrial: no study of this number is held.
    """
    with database.writing() as session:
        trial = _trial(session, number)
        masked = _masked(reading, regions=_regions(session, trial))
        held = reading_store.put_reading(session, masked, trial_id=trial.id, language=language, now=now)
        return Supplied(
            number=trial.number, language=language, reading=masked, revision=held.revision, supplied_at=held.supplied_at
        )


def withdraw_reading(*, database: Database, number: str, language: str) -> None:
    """Hold a reading no longer; the registry's words stand alone again. Where there is none, there is nothing to do.

    Raises:
        UnknownTrial: no study of this number is held.
    """
    with database.writing() as session:
        reading_store.delete_reading(session, trial_id=_trial(session, number).id, language=language)


def get_reading(*, database: Database, number: str, language: str) -> Supplied:
    """The reading of a study in one language.

    Raises:
        UnknownTrial: no study of this number is held.
        NoReading: it has none in this language.
    """
    with database.reading() as session:
        trial = _trial(session, number)
        held = reading_store.find_reading(session, trial_id=trial.id, language=language)
        if held is None:
            raise NoReading("This study has no reading in this language.")
        return Supplied(
            number=trial.number,
            language=language,
            reading=reading_store.reading_of(held),
            revision=held.revision,
            supplied_at=held.supplied_at,
        )


def _trial(session: Session, number: str) -> Trial:
    trial = trial_lookup.find_trial(session, number)
    if trial is None:
        raise UnknownTrial("This study is not among those listed here. Check the number: it looks like NCT01234567.")
    return trial


def _regions(session: Session, trial: Trial) -> tuple[str, ...]:
    """Where telephone numbers in national notation may be from."""
    state = trial_store.read_state(session, trial.id)
    facts = facts_of_state(state[0], facts_version=state[1]) if state else None
    return dialling_regions(site.country for site in facts.sites if site.country) if facts else ()


def _masked(reading: Reading, *, regions: tuple[str, ...]) -> Reading:
    texts = {one.name: getattr(reading, one.name) for one in fields(reading)}
    return Reading(**{name: mask_text(text, regions=regions) if text else text for name, text in texts.items()})
