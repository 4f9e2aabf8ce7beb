"""Conditions: found by name, and made as records and readers name them."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.domain.conditions import LONGEST_NAME, Concern, condition_key, tails
from notifier.store.inserting import insert_once
from notifier.store.models import Condition
from notifier.store.portions import portions


def find_condition(session: Session, name: str) -> Condition | None:
    """The condition that goes by this name, however it is written."""
    return session.scalar(select(Condition).where(Condition.key == condition_key(name)))


def get_condition(session: Session, condition_id: int) -> Condition:
    """The condition with this id."""
    return session.get_one(Condition, condition_id)


def is_plausible_name(name: str) -> bool:
    """Whether words can be followed as a condition: a name of ordinary length with letters in it, nothing hidden."""
    return len(name) <= LONGEST_NAME and name.isprintable() and sum(map(str.isalpha, condition_key(name))) >= 2


def ensure_conditions(session: Session, concerns: Iterable[Concern]) -> tuple[dict[str, int], dict[int, Concern]]:
    """Make the conditions that are not there yet; the id of each key, and by id the names that some may take on.

    Those were first known from a registrant's listing, and now the vocabulary gives their name and MeSH id; or from a
    reader who follows the words as text, and now a record names them: others are not shown how that reader wrote them.
    """
    wanted: dict[str, Concern] = {}
    for concern in concerns:
        if concern.key not in wanted or concern.mesh_id:
            wanted[concern.key] = concern
    held = _held(session, wanted)
    held |= _held_by_mesh_id(session, [one for key, one in wanted.items() if one.mesh_id and key not in held])
    fresh = [wanted[key] for key in sorted(wanted.keys() - held.keys())]
    insert_once(session, Condition, [{"key": one.key, "name": one.name, "mesh_id": one.mesh_id} for one in fresh])
    held |= _held(session, [one.key for one in fresh])
    unnamed = {number: wanted[key] for key, (number, known) in held.items() if known is None and wanted[key].mesh_id}
    ids = {key: condition_id for key, (condition_id, _) in held.items()}
    names = {condition_id: wanted[key] for key, condition_id in ids.items()}
    written = {one: names[one] for one, name in _typed(session, names) if name != names[one].name}
    return ids, written | unnamed


def broader_by_name(session: Session, listed: Iterable[Concern]) -> list[Concern]:
    """Known conditions that the listed ones are kinds of by their wording: for records without derived terms."""
    candidates = {tail for concern in listed for tail in tails(concern.key)}
    found: list[Concern] = []
    for some in portions(candidates):
        known = session.scalars(select(Condition).where(Condition.key.in_(some), Condition.mesh_id.is_not(None)))
        found += [Concern(key=one.key, name=one.name, how="broader", mesh_id=one.mesh_id) for one in known]
    return found


def _typed(session: Session, ids: Iterable[int]) -> list[tuple[int, str]]:
    """Those of these conditions that are named as a reader wrote them, with that name."""
    chosen = select(Condition.id, Condition.name).where(Condition.kind == "text", Condition.mesh_id.is_(None))
    return [
        (row.id, row.name) for some in portions(ids) for row in session.execute(chosen.where(Condition.id.in_(some)))
    ]


def _held_by_mesh_id(session: Session, concerns: Iterable[Concern]) -> dict[str, tuple[int, str | None]]:
    """By key of a concern, the condition with its MeSH id: the vocabulary may have named it otherwise meanwhile."""
    keys = {concern.mesh_id: concern.key for concern in concerns}
    chosen = select(Condition.mesh_id, Condition.id).order_by(Condition.id.desc())
    return {
        keys[row.mesh_id]: (row.id, row.mesh_id)
        for some in portions(keys)
        for row in session.execute(chosen.where(Condition.mesh_id.in_(some)))
    }


def _held(session: Session, keys: Iterable[str]) -> dict[str, tuple[int, str | None]]:
    """The id and MeSH id of each condition that is there."""
    found: dict[str, tuple[int, str | None]] = {}
    for some in portions(keys):
        chosen = select(Condition.key, Condition.id, Condition.mesh_id).where(Condition.key.in_(some))
        found |= {row.key: (row.id, row.mesh_id) for row in session.execute(chosen)}
    return found
