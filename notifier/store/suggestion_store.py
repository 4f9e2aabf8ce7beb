"""Suggests conditions for what somebody typed."""

from collections.abc import Sequence

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from notifier.domain.conditions import condition_key
from notifier.store.models import Condition

SUGGESTIONS = 8


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
