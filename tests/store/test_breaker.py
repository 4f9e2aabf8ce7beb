"""Which Changes the breaker holds, and for whose decision each waits."""

from datetime import datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier.domain.breaking import DROPPED, HELD, RELEASED, Threshold
from notifier.domain.change_table import FIELDS
from notifier.domain.changes import FieldChange, Value, heaviest
from notifier.store import breaker_store, held_store, trial_store
from notifier.store.breaker_store import Written
from notifier.store.database import Database
from notifier.store.models import Change, HeldChange, Trial, TrialState
from notifier.store.trial_store import NewChange
from tests.delivery_rows import add_trial

BREAKER = Threshold(studies=3, days=3)
_numbers = count(70_000_000)


def changed(field: str, before: Value, after: Value) -> FieldChange:
    row = FIELDS[field]
    return FieldChange(field=field, path=row.path, before=before, after=after, weight=row.weight)


COUNTRY = changed("site_country", "Oldland", "Newland")
SPONSOR = changed("sponsor", "Old Hospital", "New Hospital")
STOP = changed("status", "RECRUITING", "TERMINATED")


def write(session: Session, *fields: FieldChange, now: datetime, times: int = 1) -> list[int]:
    """The same Change in so many new studies; their ids."""
    written = [_write(session, fields, now) for _ in range(times)]
    breaker_store.watch(session, written, now=now, threshold=BREAKER)
    return [one.change_id for one in written]


def _write(session: Session, fields: tuple[FieldChange, ...], now: datetime) -> Written:
    trial_id = add_trial(session, next(_numbers), now=now)
    state_id = session.scalars(select(TrialState.id).where(TrialState.trial_id == trial_id)).one()
    session.execute(update(Trial).where(Trial.id == trial_id).values(state_id=state_id))
    new = NewChange(
        fields=fields, weight=heaviest(fields), opens=False, closes=False, first_posted="2026-01-01", baseline=False
    )
    change_id = trial_store.insert_change(session, trial_id=trial_id, seq=2, from_state_id=None, change=new, now=now)
    return Written(change_id, trial_id, fields)


def waits_for(session: Session, change_id: int) -> tuple[str, str] | None:
    """The field and the state of the breaker a Change waits for."""
    chosen = select(HeldChange.field, HeldChange.state).join(Change, Change.held_id == HeldChange.id)
    row = session.execute(chosen.where(Change.id == change_id)).one_or_none()
    return (row.field, row.state) if row else None


def decide(session: Session, field: str, *, state: str, now: datetime) -> None:
    ids = session.scalars(select(HeldChange.id).where(HeldChange.field == field)).all()
    held_store.decide(session, ids, state=state, now=now)


def test_the_breaker_trips_at_the_number_of_studies_that_was_set(database: Database, now: datetime) -> None:
    with database.writing() as session:
        first = write(session, COUNTRY, now=now, times=2)
        before = [waits_for(session, one) for one in first]
        last = write(session, COUNTRY, now=now)

        assert before == [None, None]
        assert [waits_for(session, one) for one in first + last] == [("site_country", HELD)] * 3


def test_a_change_with_more_to_see_is_never_held(database: Database, now: datetime) -> None:
    with database.writing() as session:
        write(session, COUNTRY, now=now, times=3)
        [stopped] = write(session, STOP, COUNTRY, now=now)

        assert waits_for(session, stopped) is None


def test_a_stop_in_many_studies_is_never_held(database: Database, now: datetime) -> None:
    with database.writing() as session:
        write(session, STOP, now=now, times=10)

        assert breaker_store.list_breakers(session) == ()


def test_one_study_renamed_again_and_again_trips_nothing(database: Database, now: datetime) -> None:
    with database.writing() as session:
        one = _write(session, (COUNTRY, COUNTRY, COUNTRY), now)
        breaker_store.watch(session, [one, one], now=now, threshold=BREAKER)

        assert breaker_store.list_breakers(session) == ()


def test_two_renames_that_trip_one_after_the_other_are_held_together(database: Database, now: datetime) -> None:
    with database.writing() as session:
        [both] = write(session, COUNTRY, SPONSOR, now=now)
        write(session, COUNTRY, now=now, times=2)
        before = waits_for(session, both)
        write(session, SPONSOR, now=now, times=2)

        assert before is None
        assert waits_for(session, both) is not None


@pytest.mark.parametrize("first", [RELEASED, DROPPED])
@pytest.mark.parametrize("last", [RELEASED, DROPPED])
def test_a_change_waits_until_all_it_carries_is_decided(
    database: Database, now: datetime, first: str, last: str
) -> None:
    with database.writing() as session:
        both = write(session, COUNTRY, SPONSOR, now=now, times=3)[0]
        decide(session, "site_country", state=first, now=now)
        between = waits_for(session, both)
        decide(session, "sponsor", state=last, now=now)

        assert between == ("sponsor", HELD)
        in_the_end = waits_for(session, both)
        assert in_the_end is not None
        assert in_the_end[1] == (RELEASED if RELEASED in {first, last} else DROPPED)


def test_notes_of_a_held_change_are_kept_until_it_is_decided(database: Database, now: datetime) -> None:
    later = now + timedelta(days=10)
    with database.writing() as session:
        write(session, COUNTRY, now=now, times=3)
        write(session, SPONSOR, now=now)
        old = held_store.list_old_signatures(session, before=later, limit=100)
        held_store.delete_signatures(session, old)
        decide(session, "site_country", state=RELEASED, now=later)

        assert len(old) == 1
        assert len(held_store.list_old_signatures(session, before=later, limit=100)) == 3


def test_what_is_listed_says_how_many_studies(database: Database, now: datetime) -> None:
    with database.writing() as session:
        write(session, COUNTRY, now=now, times=3)
        write(session, STOP, COUNTRY, now=now)

        [found] = held_store.list_news(session)

        assert (found.studies, found.readers, found.breaker.state) == (4, 0, HELD)
        assert found.breaker.rename.went == {("", "Oldland")}
