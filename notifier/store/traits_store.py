"""What filters look at in a state, as rows beside it: written with the state, read by matching and by receipts."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from notifier.domain.globe import Cell
from notifier.domain.traits import Place, Traits
from notifier.store.inserting import insert_for
from notifier.store.models import Change, StatePlace, StateTraits, TrialState
from notifier.store.portions import portions


def write_traits(session: Session, state_id: int, traits: Traits) -> None:
    """Put down what a state is like, in place of what an older reading of ours put down."""
    row = {
        "is_recruiting": traits.is_recruiting,
        "phases": traits.phases,
        "sex": traits.sex,
        "youngest_months": traits.youngest_months,
        "oldest_months": traits.oldest_months,
    }
    inserted = insert_for(session, StateTraits).values(state_id=state_id, **row).on_conflict_do_nothing()
    connection = session.connection()
    is_new = connection.scalar(inserted.returning(StateTraits.state_id)) is not None
    if not is_new:
        connection.execute(update(StateTraits).where(StateTraits.state_id == state_id).values(row))
        connection.execute(delete(StatePlace).where(StatePlace.state_id == state_id))
    places = [_row_of(state_id, place) for place in traits.places]
    if places:
        connection.execute(insert(StatePlace), places)


def load_traits(session: Session, state_ids: Collection[int]) -> dict[int, Traits]:
    """What these states are like; those of which nothing was put down are left out."""
    found: dict[int, Traits] = {}
    for some in portions(state_ids):
        places: dict[int, set[Place]] = {}
        for place in session.scalars(select(StatePlace).where(StatePlace.state_id.in_(some))):
            places.setdefault(place.state_id, set()).add(_place_of(place))
        rows = session.scalars(select(StateTraits).where(StateTraits.state_id.in_(some)))
        found |= {row.state_id: _traits_of(row, places.get(row.state_id, ())) for row in rows}
    return found


def list_bare_states(session: Session, trial_id: int) -> list[tuple[int, bytes, int]]:
    """States of a trial that news not matched yet points to, of which nothing was put down: id, body, facts version."""
    pointed = or_(Change.from_state_id == TrialState.id, Change.to_state_id == TrialState.id)
    waiting = exists().where(Change.trial_id == trial_id, Change.matched_at.is_(None), pointed)
    bare = ~exists().where(StateTraits.state_id == TrialState.id)
    chosen = select(TrialState.id, TrialState.body, TrialState.facts_version)
    rows = session.execute(chosen.where(TrialState.trial_id == trial_id, waiting, bare))
    return [(row.id, row.body, row.facts_version) for row in rows]


def _row_of(state_id: int, place: Place) -> dict[str, Any]:
    x, y, z = (place.cell.x, place.cell.y, place.cell.z) if place.cell else (None, None, None)
    return {"state_id": state_id, "country": place.country, "x": x, "y": y, "z": z, "is_open": place.is_open}


def _place_of(row: StatePlace) -> Place:
    known = row.x is not None and row.y is not None and row.z is not None
    return Place(row.country, Cell(row.x or 0, row.y or 0, row.z or 0) if known else None, row.is_open)


def _traits_of(row: StateTraits, places: Collection[Place]) -> Traits:
    return Traits(
        is_recruiting=row.is_recruiting,
        phases=row.phases,
        sex=row.sex,
        youngest_months=row.youngest_months,
        oldest_months=row.oldest_months,
        places=frozenset(places),
    )
