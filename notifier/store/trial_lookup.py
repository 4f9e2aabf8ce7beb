"""Trials as they are asked for: by number, by words, with their facts and their history."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.store.models import Change, Condition, Trial, TrialAlias, TrialCondition

LONGEST_CHAIN = 8
"""Studies merged one after the other; more than that is followed no further."""


def find_trial(session: Session, number: str) -> Trial | None:
    """The trial with this registry number, or with this number as an alias; case does not matter.

    One that was merged leads to what it went into.
    """
    wanted = number.strip().upper()
    trial = session.scalar(select(Trial).where(Trial.number == wanted))
    if trial is None:
        by_alias = select(Trial).join(TrialAlias, TrialAlias.trial_id == Trial.id).where(TrialAlias.number == wanted)
        trial = session.scalar(by_alias)
    return _present(session, trial) if trial else None


def get_trial(session: Session, trial_id: int) -> Trial:
    """The trial with this id, or what it was merged into."""
    return _present(session, session.get_one(Trial, trial_id))


def _present(session: Session, trial: Trial) -> Trial:
    for _ in range(LONGEST_CHAIN):
        if trial.merged_into_id is None:
            break
        trial = session.get_one(Trial, trial.merged_into_id)
    return trial


def list_changes(session: Session, trial_id: int, *, limit: int = 50) -> Sequence[Change]:
    """The newest Changes of a trial, newest first."""
    chosen = select(Change).where(Change.trial_id == trial_id).order_by(Change.seq.desc()).limit(limit)
    return session.scalars(chosen).all()


def list_trial_conditions(session: Session, trial_id: int) -> Sequence[tuple[Condition, str]]:
    """The conditions a trial concerns now, each with how: derived, listed or broader."""
    chosen = select(Condition, TrialCondition.how).join(TrialCondition, TrialCondition.condition_id == Condition.id)
    # What readers follow as text is not for others to see.
    shown = (TrialCondition.until_seq.is_(None), TrialCondition.how != "text")
    rows = session.execute(chosen.where(TrialCondition.trial_id == trial_id, *shown))
    return [(condition, how) for condition, how in rows]
