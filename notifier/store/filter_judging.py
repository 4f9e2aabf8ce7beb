"""Says in SQL what `reader_filters.fits` says in Python: which studies fit which filters, before and after Changes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, ColumnElement, and_, exists, literal, or_, select
from sqlalchemy.orm import aliased

from notifier.domain.changes import Weight
from notifier.store.condition_ties import concerns_at_change
from notifier.store.models import Change, Filter, FilterCountry, StatePlace, StateTraits, Subscription, TrialCondition


def judged_filters(change_ids: Sequence[int], *, year: int) -> CTE:
    """Each Change, tie to a condition, and filter of somebody who follows it, once, however many share it.

    Columns: change_id, tie_id, condition_id, filter_id, fits_before, fits_after, is_unsure. What is not known of a
    state fits, and may just as well not have; a study that was not held before did not fit before.
    """
    asked = _asked(change_ids).cte("asked")
    before, after = aliased(StateTraits, name="traits_before"), aliased(StateTraits, name="traits_after")
    judged = (
        select(
            asked.c.change_id,
            asked.c.tie_id,
            asked.c.condition_id,
            asked.c.filter_id,
            and_(asked.c.from_state_id.is_not(None), _fits(before, year)).label("fits_before"),
            _fits(after, year).label("fits_after"),
            or_(before.state_id.is_(None), after.state_id.is_(None)).label("is_unsure"),
        )
        .join(Filter, Filter.id == asked.c.filter_id)
        .outerjoin(before, before.state_id == asked.c.from_state_id)
        .outerjoin(after, after.state_id == asked.c.to_state_id)
    )
    return judged.cte("judged")


def _asked(change_ids: Sequence[int]) -> Any:
    columns = (
        Change.id.label("change_id"),
        Change.from_state_id,
        Change.to_state_id,
        TrialCondition.id.label("tie_id"),
        TrialCondition.condition_id,
        Subscription.filter_id,
    )
    joined = (
        select(*columns)
        .join(TrialCondition, concerns_at_change())
        .join(Subscription, Subscription.condition_id == TrialCondition.condition_id)
    )
    return joined.where(
        Change.id.in_(change_ids),
        or_(Change.seq == 1, Change.weight > Weight.HOUSEKEEPING),
        Subscription.ended_at.is_(None),
        Subscription.filter_id.is_not(None),
    ).distinct()


def _fits(traits: Any, year: int) -> ColumnElement[bool]:
    """Each part asks for nothing where the filter is empty; ages are those of `reader_filters.fits`."""
    born = (literal(year) - Filter.born_year) * 12
    asks_for_place = or_(Filter.has_countries, Filter.near_x.is_not(None))
    return or_(
        traits.state_id.is_(None),
        and_(
            or_(~Filter.only_recruiting, traits.is_recruiting),
            or_(Filter.phases == 0, Filter.phases.op("&")(traits.phases) != 0),
            or_(Filter.sex.is_(None), traits.sex.is_(None), traits.sex == Filter.sex),
            or_(
                Filter.born_year.is_(None),
                and_(traits.youngest_months <= born + 11, traits.oldest_months >= born - 12),
            ),
            or_(~asks_for_place, _has_place(traits)),
        ),
    )


def _has_place(traits: Any) -> ColumnElement[bool]:
    """One place that is in a country, near enough, and open, as far as the filter asks."""
    asked = and_(FilterCountry.filter_id == Filter.id, FilterCountry.country == StatePlace.country)
    x, y, z = (StatePlace.x - Filter.near_x, StatePlace.y - Filter.near_y, StatePlace.z - Filter.near_z)
    return exists().where(
        StatePlace.state_id == traits.state_id,
        or_(~Filter.only_recruiting, StatePlace.is_open),
        or_(~Filter.has_countries, exists().where(asked).correlate(Filter, StatePlace)),
        or_(Filter.near_x.is_(None), x * x + y * y + z * z <= Filter.within),
    )
