"""Says in SQL what `reader_filters.fits` says in Python: which studies fit which filters, before and after Changes."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, ColumnElement, Integer, String, and_, exists, literal, or_, select
from sqlalchemy.orm import aliased

from notifier.domain.changes import Weight
from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.traits import bits_of
from notifier.store.condition_ties import concerns_at_change
from notifier.store.models import Change, Filter, FilterCountry, StatePlace, StateTraits, Subscription, TrialCondition


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A filter said in the statement itself; named as the columns of one that stands in a row."""

    only_recruiting: ColumnElement[bool]
    phases: ColumnElement[int]
    sex: ColumnElement[Any]
    born_year: ColumnElement[Any]
    has_countries: ColumnElement[bool]
    near_x: ColumnElement[Any]
    near_y: ColumnElement[Any]
    near_z: ColumnElement[Any]
    within: ColumnElement[Any]


def judged_filters(asking: ColumnElement[bool], *, year: ColumnElement[int]) -> CTE:
    """Each Change, tie to a condition, and filter of somebody who follows it, once, however many share it.

    ``asking`` says of which Changes and through which subscriptions. Columns: change_id, tie_id, condition_id,
    filter_id, fits_before, fits_after, is_unsure. What is not known of a state fits, and may just as well not have; a
    study that was not held before did not fit before.
    """
    asked = _asked(asking).cte("asked")
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


def _asked(asking: ColumnElement[bool]) -> Any:
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
        asking,
        or_(Change.seq == 1, Change.weight > Weight.HOUSEKEEPING),
        Subscription.ended_at.is_(None),
        Subscription.filter_id.is_not(None),
    ).distinct()


def fits_one(traits: Any, wanted: ReaderFilter, *, year: int) -> ColumnElement[bool]:
    """Whether a state fits one filter that may stand in no row; ``traits`` is what is known of it, outer joined."""
    near = wanted.near
    said = _Said(
        only_recruiting=literal(wanted.only_recruiting),
        phases=literal(bits_of(wanted.phases)),
        sex=literal(wanted.sex, String()),
        born_year=literal(wanted.born_year, Integer()),
        has_countries=literal(bool(wanted.countries)),
        near_x=literal(near.cell.x if near else None, Integer()),
        near_y=literal(near.cell.y if near else None, Integer()),
        near_z=literal(near.cell.z if near else None, Integer()),
        within=literal(near.within if near else None, Integer()),
    )
    return _fits(traits, literal(year), said, is_asked=StatePlace.country.in_(sorted(wanted.countries)))


def _fits(
    traits: Any, year: ColumnElement[int], wanted: Any = Filter, *, is_asked: ColumnElement[bool] | None = None
) -> ColumnElement[bool]:
    """Each part asks for nothing where the filter is empty; ages are those of `reader_filters.fits`."""
    born = (year - wanted.born_year) * 12
    asks_for_place = or_(wanted.has_countries, wanted.near_x.is_not(None))
    return or_(
        traits.state_id.is_(None),
        and_(
            or_(~wanted.only_recruiting, traits.is_recruiting),
            or_(wanted.phases == 0, wanted.phases.op("&")(traits.phases) != 0),
            or_(wanted.sex.is_(None), traits.sex.is_(None), traits.sex == wanted.sex),
            or_(
                wanted.born_year.is_(None),
                and_(traits.youngest_months <= born + 11, traits.oldest_months >= born - 12),
            ),
            or_(~asks_for_place, _has_place(traits, wanted, _is_listed() if is_asked is None else is_asked)),
        ),
    )


def _has_place(traits: Any, wanted: Any, is_asked: ColumnElement[bool]) -> ColumnElement[bool]:
    """One place that is in a country, near enough, and open, as far as the filter asks."""
    x, y, z = (StatePlace.x - wanted.near_x, StatePlace.y - wanted.near_y, StatePlace.z - wanted.near_z)
    return exists().where(
        StatePlace.state_id == traits.state_id,
        or_(~wanted.only_recruiting, StatePlace.is_open),
        or_(~wanted.has_countries, is_asked),
        or_(wanted.near_x.is_(None), x * x + y * y + z * z <= wanted.within),
    )


def _is_listed() -> ColumnElement[bool]:
    asked = and_(FilterCountry.filter_id == Filter.id, FilterCountry.country == StatePlace.country)
    return exists().where(asked).correlate(Filter, StatePlace)
