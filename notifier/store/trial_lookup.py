"""Trials as they are asked for: by number, by words, with their facts and their history."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from notifier.domain.conditions import condition_key
from notifier.store.models import Change, Condition, Trial, TrialAlias, TrialCondition


def find_trial(session: Session, number: str) -> Trial | None:
    """The trial with this registry number, or with this number as an alias; case does not matter."""
    wanted = number.strip().upper()
    trial = session.scalar(select(Trial).where(Trial.number == wanted))
    if trial is None:
        by_alias = select(Trial).join(TrialAlias, TrialAlias.trial_id == Trial.id).where(TrialAlias.number == wanted)
        trial = session.scalar(by_alias)
    return trial


def get_trial(session: Session, trial_id: int) -> Trial:
    """The trial with this id."""
    return session.get_one(Trial, trial_id)


def list_changes(session: Session, trial_id: int, *, limit: int = 50) -> Sequence[Change]:
    """The newest Changes of a trial, newest first."""
    chosen = select(Change).where(Change.trial_id == trial_id).order_by(Change.seq.desc()).limit(limit)
    return session.scalars(chosen).all()


def list_trial_conditions(session: Session, trial_id: int) -> Sequence[tuple[Condition, str]]:
    """The conditions a trial concerns now, each with how: derived, listed or broader."""
    chosen = select(Condition, TrialCondition.how).join(TrialCondition, TrialCondition.condition_id == Condition.id)
    rows = session.execute(chosen.where(TrialCondition.trial_id == trial_id, TrialCondition.until_seq.is_(None)))
    return [(condition, how) for condition, how in rows]


def search_trials(session: Session, text: str, *, limit: int = 20) -> Sequence[Trial]:
    """Trials whose number, title or condition has these words, the latest changed first; all where text is empty."""
    statement = select(Trial).order_by(Trial.last_change_at.desc(), Trial.id.desc()).limit(limit)
    if text.strip():
        key = condition_key(text)
        by_condition = (
            select(TrialCondition.trial_id)
            .join(Condition, Condition.id == TrialCondition.condition_id)
            .where(Condition.key == key, TrialCondition.until_seq.is_(None))
        )
        wanted = text.strip()
        statement = statement.where(
            or_(
                Trial.number == wanted.upper(),
                func.lower(Trial.title).contains(wanted.lower(), autoescape=True),
                Trial.id.in_(by_condition),
            )
        )
    return session.scalars(statement).all()
