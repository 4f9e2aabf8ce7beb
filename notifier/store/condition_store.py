"""Conditions: found by name, suggested, made as records name them, and tied to the trials that concern them."""

from collections.abc import Iterable, Sequence

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session

from notifier.domain.conditions import LONGEST_NAME, Concern, condition_key, tails
from notifier.store.inserting import insert_once
from notifier.store.models import Condition, TrialCondition

SUGGESTIONS = 8


def find_condition(session: Session, name: str) -> Condition | None:
    """The condition that goes by this name, however it is written."""
    return session.scalar(select(Condition).where(Condition.key == condition_key(name)))


def get_condition(session: Session, condition_id: int) -> Condition:
    """The condition with this id."""
    return session.get_one(Condition, condition_id)


def is_plausible_name(name: str) -> bool:
    """Whether words can be followed as a condition: a name of ordinary length with letters in it, nothing hidden."""
    return len(name) <= LONGEST_NAME and name.isprintable() and sum(map(str.isalpha, condition_key(name))) >= 2


def get_or_make_condition(session: Session, name: str) -> Condition:
    """The condition of this name, made if it is new."""
    ensure_conditions(session, [Concern(key=condition_key(name), name=name, how="listed")])
    return session.scalars(select(Condition).where(Condition.key == condition_key(name))).one()


def suggest_conditions(session: Session, text: str, *, limit: int = SUGGESTIONS) -> Sequence[Condition]:
    """Conditions that studies held here concern, whose names come near the text: best first."""
    key = condition_key(text)
    if not key:
        return []
    words = key.split()
    near = or_(*(Condition.key.contains(word, autoescape=True) for word in words))
    closeness = case(
        (Condition.key == key, 0),
        (Condition.key.startswith(key, autoescape=True), 1),
        (Condition.key.contains(" " + key, autoescape=True), 2),
        (Condition.key.contains(key, autoescape=True), 3),
        else_=4,
    )
    statement = select(Condition).where(near, Condition.trial_count > 0)
    ordered = statement.order_by(closeness, Condition.trial_count.desc(), func.length(Condition.key), Condition.key)
    return session.scalars(ordered.limit(limit)).all()


def ensure_conditions(session: Session, concerns: Iterable[Concern]) -> dict[str, int]:
    """Make the conditions that are not there yet; the id of each key.

    A name and MeSH id that the vocabulary gives are put on a condition first known from a registrant's listing.
    """
    wanted: dict[str, Concern] = {}
    for concern in concerns:
        if concern.key not in wanted or concern.mesh_id:
            wanted[concern.key] = concern
    held = _held(session, wanted)
    fresh = [wanted[key] for key in sorted(wanted.keys() - held.keys())]
    insert_once(session, Condition, [{"key": one.key, "name": one.name, "mesh_id": one.mesh_id} for one in fresh])
    unnamed = [wanted[key] for key, (_, known) in held.items() if known is None and wanted[key].mesh_id]
    for concern in sorted(unnamed, key=lambda one: one.key):
        adopt = update(Condition).where(Condition.key == concern.key, Condition.mesh_id.is_(None))
        session.execute(adopt.values(mesh_id=concern.mesh_id, name=concern.name))
    made = _held(session, [one.key for one in fresh])
    return {key: condition_id for key, (condition_id, _) in (held | made).items()}


def broader_by_name(session: Session, listed: Iterable[Concern]) -> list[Concern]:
    """Known conditions that the listed ones are kinds of by their wording: for records without derived terms."""
    candidates = {tail for concern in listed for tail in tails(concern.key)}
    if not candidates:
        return []
    known = session.scalars(select(Condition).where(Condition.key.in_(candidates), Condition.mesh_id.is_not(None)))
    return [Concern(key=one.key, name=one.name, how="broader", mesh_id=one.mesh_id) for one in known]


def set_trial_conditions(session: Session, *, trial_id: int, seq: int, concerns: dict[int, str]) -> None:
    """Tie a trial to its conditions as of a Change: what is new begins, what is gone ends, the rest stays.

    Args:
        session: a writing transaction.
        trial_id: the trial.
        seq: the Change with which this holds.
        concerns: condition id to how it concerns the trial.
    """
    open_rows = select(TrialCondition).where(TrialCondition.trial_id == trial_id, TrialCondition.until_seq.is_(None))
    held = {row.condition_id: row for row in session.scalars(open_rows)}
    for condition_id in held.keys() - concerns.keys():
        held[condition_id].until_seq = max(seq, held[condition_id].since_seq + 1)
    begun = sorted(concerns.keys() - held.keys())
    rows = [{"trial_id": trial_id, "condition_id": one, "how": concerns[one], "since_seq": seq} for one in begun]
    insert_once(session, TrialCondition, rows)
    _count(session, begun, 1)
    _count(session, sorted(held.keys() - concerns.keys()), -1)


def _count(session: Session, condition_ids: Sequence[int], by: int) -> None:
    if condition_ids:
        counted = update(Condition).where(Condition.id.in_(condition_ids))
        session.execute(counted.values(trial_count=Condition.trial_count + by))


def _held(session: Session, keys: Iterable[str]) -> dict[str, tuple[int, str | None]]:
    """The id and MeSH id of each condition that is there."""
    chosen = select(Condition.key, Condition.id, Condition.mesh_id).where(Condition.key.in_(list(keys)))
    return {row.key: (row.id, row.mesh_id) for row in session.execute(chosen)}
