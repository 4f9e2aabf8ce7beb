"""Reads the part of a form that says for which studies of a condition news is wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from notifier.domain.filter_choices import (
    DISTANCES,
    USUAL_DISTANCE,
    FilterChoice,
    choice_of,
    read_age,
    read_countries,
    read_near,
    read_phases,
    read_sex,
)
from notifier.domain.reader_filters import ReaderFilter
from notifier.errors import UnknownTown, WrongChoice

FILTER_FIELDS = ("countries", "near", "within_km", "phases", "age", "sex")
"""As they stand on the page."""

PHASES = ("1", "2", "3", "4")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterForm:
    """This part as it was filled in, so that it can be shown again."""

    only_recruiting: bool = False
    countries: tuple[str, ...] = ()
    near: str = field(default="", repr=False)
    within_km: str = str(USUAL_DISTANCE)
    phases: tuple[str, ...] = ()
    sex: str = ""
    age: str = ""

    @property
    def is_chosen(self) -> bool:
        """Whether anything was chosen."""
        asked = (self.only_recruiting, self.countries, self.near, self.phases, self.sex, self.age)
        return any(asked)


NOTHING_CHOSEN = FilterForm()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFilter:
    """What was asked for; by field, what is wrong; and the towns that a name may mean."""

    wanted: ReaderFilter
    errors: dict[str, str]
    towns: tuple[str, ...] = ()


def read_filter_form(fields: Mapping[str, str]) -> FilterForm:
    """This part as it was filled in; nothing is checked yet."""

    def text(name: str) -> str:
        return fields.get(name, "").strip()

    def several(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.strip() for one in text(name).split(",") if one.strip()))

    return FilterForm(
        only_recruiting=bool(text("only_recruiting")),
        countries=several("countries"),
        # A town that was picked stands for what was typed.
        near=text("near_choice") or text("near"),
        within_km=text("within_km") or str(USUAL_DISTANCE),
        phases=several("phases"),
        sex=text("sex"),
        age=text("age"),
    )


def form_of(wanted: ReaderFilter, *, year: int, language: str) -> FilterForm:
    """This part filled in as it was chosen before."""
    choice = choice_of(wanted, year=year, language=language)
    return FilterForm(
        only_recruiting=choice.only_recruiting,
        countries=choice.countries,
        near=choice.town,
        within_km=str(choice.within_km),
        phases=tuple(map(str, choice.phases)),
        sex=choice.sex,
        age="" if choice.age is None else str(choice.age),
    )


def check_filter_form(form: FilterForm, *, year: int, language: str) -> CheckedFilter:
    """What this part asks for, and everything that is wrong with it."""
    errors: dict[str, str] = {}
    towns: list[str] = []

    def tried(read: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return read()
        except WrongChoice as error:
            errors[error.field] = str(error)
        except UnknownTown as error:
            errors[error.field] = str(error)
            towns.extend(error.suggestions)
        return otherwise

    wanted = ReaderFilter(
        only_recruiting=form.only_recruiting,
        countries=tried(lambda: read_countries(form.countries), frozenset()),
        near=tried(lambda: read_near(_place(form), language=language), None),
        phases=tried(lambda: read_phases(int(one) if one in PHASES else 0 for one in form.phases), frozenset()),
        sex=tried(lambda: read_sex(form.sex), None),
        born_year=tried(lambda: read_age(_age(form.age), year=year), None),
    )
    return CheckedFilter(wanted=wanted, errors=errors, towns=tuple(towns))


def _place(form: FilterForm) -> FilterChoice:
    within = int(form.within_km) if form.within_km in map(str, DISTANCES) else 0
    return FilterChoice(town=form.near, within_km=within)


def _age(text: str) -> int | None:
    if text and not (text.isascii() and text.isdecimal() and len(text) <= len("100")):
        raise WrongChoice("age", "Write the age as a whole number, such as 54.")
    return int(text) if text else None
