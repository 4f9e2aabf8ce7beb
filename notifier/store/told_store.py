"""Told: how far a reader knows a trial, from the subscription that covers it to the end of that subscription."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, delete, exists, func, or_, select, union
from sqlalchemy.orm import Session

from notifier.store.given import among, is_sqlite
from notifier.store.inserting import insert_on
from notifier.store.models import Delivery, DeliverySpan, Match, Subscription, Told, Trial, TrialCondition
from notifier.store.unloaded import change_rows


def follows(subscriber_id: Any, trial_id: Any, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """That an open subscription covers a trial: one to it, or to a condition it concerns or once concerned.

    Asked twice so that both partial indexes serve.

    Args:
        subscriber_id: a column of the statement that asks.
        trial_id: another.
        conditions: what else must hold of the subscription.
    """
    open_one = (Subscription.subscriber_id == subscriber_id, Subscription.ended_at.is_(None), *conditions)
    to_trial = exists().where(*open_one, Subscription.trial_id == trial_id)
    to_condition = exists().where(
        *open_one,
        Subscription.condition_id.is_not(None),
        TrialCondition.condition_id == Subscription.condition_id,
        TrialCondition.trial_id == trial_id,
    )
    return or_(to_trial, to_condition)


def followers_of(trial_id: int) -> CompoundSelect[Any]:
    """Who `follows` a trial, by id."""
    is_open = Subscription.ended_at.is_(None)
    of_trial = select(Subscription.subscriber_id).where(is_open, Subscription.trial_id == trial_id)
    ties = select(TrialCondition.condition_id).where(TrialCondition.trial_id == trial_id)
    return union(of_trial, select(Subscription.subscriber_id).where(is_open, Subscription.condition_id.in_(ties)))


def begin_now(session: Session, *, subscriber_id: int, trial_id: int) -> None:
    """A reader begins to follow a trial: they are told of all there is, and only what comes later is news.

    What waits for them through another subscription is still told from where they were.
    """
    waiting = select(Match.id).where(
        Match.subscriber_id == subscriber_id, Match.trial_id == trial_id, Match.ended_at.is_(None)
    )
    if session.scalar(waiting.limit(1)) is None:
        seq = session.scalars(select(Trial.seq).where(Trial.id == trial_id)).one()
        session.merge(Told(subscriber_id=subscriber_id, trial_id=trial_id, seq=seq))


def move_on(session: Session, rows: Select[*tuple[Any, ...]]) -> None:
    """Move readers on as far as rows of a reader, a trial and a number say; whoever is further stays there."""
    session.execute(_never_back(rows, on_sqlite=is_sqlite(session)))


def tell(session: Session, delivery_ids: Sequence[int]) -> None:
    """Move each reader on to where the spans of these Deliveries end; never back.

    Only for readers who follow what they followed when these were composed.
    """
    if delivery_ids:
        session.connection().execute(_telling(on_sqlite=is_sqlite(session)), {"ids": delivery_ids})


def tell_followers(session: Session, delivery_ids: Sequence[int]) -> None:
    """The same for readers who may have left meanwhile, who are not moved, and are not if they came back, either.

    A new subscription knows nothing of the old one.
    """
    if delivery_ids:
        session.connection().execute(_telling_followers(on_sqlite=is_sqlite(session)), {"ids": delivery_ids})


@cache
def _telling(*, on_sqlite: bool) -> Any:
    return _moving_on(on_sqlite=on_sqlite)


@cache
def _telling_followers(*, on_sqlite: bool) -> Any:
    return _moving_on(
        follows(Delivery.subscriber_id, DeliverySpan.trial_id, Subscription.confirmed_at <= Delivery.dated_at),
        on_sqlite=on_sqlite,
    )


def _moving_on(*conditions: ColumnElement[bool], on_sqlite: bool) -> Any:
    told = [among(DeliverySpan.delivery_id, "ids"), Delivery.subscriber_id.is_not(None), *conditions]
    if not on_sqlite:
        # Said again, or it would read a table of some thousands from end to end.
        told.append(among(Delivery.id, "ids"))
    spans = (
        select(Delivery.subscriber_id, DeliverySpan.trial_id, func.max(DeliverySpan.to_seq))
        .join(DeliverySpan, DeliverySpan.delivery_id == Delivery.id)
        .where(*told)
        .group_by(Delivery.subscriber_id, DeliverySpan.trial_id)
    )
    return _never_back(spans, on_sqlite=on_sqlite)


def _never_back(rows: Select[*tuple[Any, ...]], *, on_sqlite: bool) -> Any:
    inserted = insert_on(Told, on_sqlite=on_sqlite).from_select(["subscriber_id", "trial_id", "seq"], rows)
    return inserted.on_conflict_do_update(
        index_elements=["subscriber_id", "trial_id"],
        set_={"seq": inserted.excluded.seq},
        where=inserted.excluded.seq > Told.seq,
    )


def forget_uncovered(session: Session, subscriber_id: int) -> None:
    """Forget how far a reader was told of trials that nothing they follow covers any longer.

    Whoever comes back begins anew: what changed in between is not told as if it had just happened.
    """
    uncovered = delete(Told).where(Told.subscriber_id == subscriber_id, ~follows(Told.subscriber_id, Told.trial_id))
    change_rows(session, uncovered)
