"""What the operator says of studies in plain language: one reading for each study and language."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from notifier.domain.digests import Reading
from notifier.store.given import among
from notifier.store.inserting import insert_for
from notifier.store.models import TrialReading


def find_reading(session: Session, *, trial_id: int, language: str) -> TrialReading | None:
    """The reading of a study in one language."""
    return session.get(TrialReading, (trial_id, language))


def put_reading(session: Session, reading: Reading, *, trial_id: int, language: str, now: datetime) -> TrialReading:
    """Write a reading, in the place of the one before if there is one; its revision rises only if it says otherwise."""
    first = {"trial_id": trial_id, "language": language, "summary": "", "revision": 0, "supplied_at": now}
    session.execute(insert_for(session, TrialReading).values(first).on_conflict_do_nothing())
    held = session.get_one(TrialReading, (trial_id, language), with_for_update=True, populate_existing=True)
    if held.revision and reading_of(held) == reading:
        return held
    for name, value in asdict(reading).items():
        setattr(held, name, value)
    held.revision += 1
    held.supplied_at = now
    session.flush()  # so that the caller can read the row as it is now
    return held


def delete_reading(session: Session, *, trial_id: int, language: str) -> bool:
    """Withdraw a reading; whether there was one."""
    gone = delete(TrialReading).where(TrialReading.trial_id == trial_id, TrialReading.language == language)
    return session.execute(gone.returning(TrialReading.trial_id)).one_or_none() is not None


def list_readings(session: Session, trial_id: int) -> dict[str, Reading]:
    """The readings of one study, by language."""
    rows = session.scalars(select(TrialReading).where(TrialReading.trial_id == trial_id))
    return {row.language: reading_of(row) for row in rows}


def list_readings_for(session: Session, trial_ids: Collection[int]) -> dict[int, dict[str, Reading]]:
    """By trial and language: the readings of these trials."""
    found: dict[int, dict[str, Reading]] = {}
    for row in session.connection().execute(_SAID, {"trials": list(trial_ids)}):
        found.setdefault(row.trial_id, {})[row.language] = reading_of(row)
    return found


def reading_of(row: Any) -> Reading:
    """A row, or a `TrialReading`, as a value."""
    return Reading(
        summary=row.summary,
        substance=row.substance,
        could_lead_to=row.could_lead_to,
        could_go_wrong=row.could_go_wrong,
    )


_SAID = select(TrialReading.__table__).where(among(TrialReading.trial_id, "trials"))
