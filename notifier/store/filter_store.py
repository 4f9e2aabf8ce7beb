"""Filters as rows: one for all who ask for the same, and back again."""

from collections.abc import Collection
from hashlib import sha256

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.domain.globe import Cell
from notifier.domain.reader_filters import NO_FILTER, Near, ReaderFilter
from notifier.domain.traits import bits_of, phases_of
from notifier.store.inserting import insert_once
from notifier.store.models import Filter, FilterCountry
from notifier.store.portions import portions


def get_or_make_filter(session: Session, wanted: ReaderFilter) -> int | None:
    """The id of the one row that says this, made if it is new; None for a filter that asks for nothing."""
    if wanted == NO_FILTER:
        return None
    key, near = _key_of(wanted), wanted.near
    row = {
        "key": key,
        "only_recruiting": wanted.only_recruiting,
        "phases": bits_of(wanted.phases),
        "sex": wanted.sex,
        "born_year": wanted.born_year,
        "has_countries": bool(wanted.countries),
        "near_x": near.cell.x if near else None,
        "near_y": near.cell.y if near else None,
        "near_z": near.cell.z if near else None,
        "within": near.within if near else None,
    }
    insert_once(session, Filter, [row])
    filter_id = session.scalars(select(Filter.id).where(Filter.key == key)).one()
    countries = [{"filter_id": filter_id, "country": country} for country in sorted(wanted.countries)]
    insert_once(session, FilterCountry, countries)
    return filter_id


def load_filters(session: Session, filter_ids: Collection[int]) -> dict[int, ReaderFilter]:
    """The filters with these ids."""
    found: dict[int, ReaderFilter] = {}
    for some in portions(filter_ids):
        countries: dict[int, set[str]] = {}
        for one in session.scalars(select(FilterCountry).where(FilterCountry.filter_id.in_(some))):
            countries.setdefault(one.filter_id, set()).add(one.country)
        rows = session.scalars(select(Filter).where(Filter.id.in_(some)))
        found |= {row.id: _filter_of(row, countries.get(row.id, ())) for row in rows}
    return found


def load_filter(session: Session, filter_id: int | None) -> ReaderFilter:
    """The filter with this id; one that asks for nothing where there is none."""
    return NO_FILTER if filter_id is None else load_filters(session, [filter_id]).get(filter_id, NO_FILTER)


def _filter_of(row: Filter, countries: Collection[str]) -> ReaderFilter:
    near = None
    if row.near_x is not None and row.near_y is not None and row.near_z is not None and row.within is not None:
        near = Near(cell=Cell(row.near_x, row.near_y, row.near_z), within=row.within)
    return ReaderFilter(
        only_recruiting=row.only_recruiting,
        countries=frozenset(countries),
        near=near,
        phases=phases_of(row.phases),
        sex=row.sex,
        born_year=row.born_year,
    )


def _key_of(wanted: ReaderFilter) -> bytes:
    """The same for all who ask for the same, however they said it."""
    near = wanted.near
    said = (
        wanted.only_recruiting,
        sorted(wanted.countries),
        (near.cell.x, near.cell.y, near.cell.z, near.within) if near else None,
        bits_of(wanted.phases),
        wanted.sex,
        wanted.born_year,
    )
    return sha256(msgspec.json.encode(said)).digest()
