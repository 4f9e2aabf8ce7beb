"""What one row of an operator's list says: who wants what, and the evidence that they agreed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from notifier.domain.consents import Agreement, ConsentText
from notifier.domain.filter_choices import read_countries, read_country
from notifier.domain.languages import read_language
from notifier.domain.reader_filters import ReaderFilter
from notifier.domain.schedules import Cadence, read_cadence
from notifier.domain.subscriber_lists import Cells, ListedRow, RowProblem
from notifier.domain.vocabulary import DEFAULT_LANGUAGE
from notifier.domain.wishes import Wish, check_wish
from notifier.errors import InvalidRequest, WrongChoice

T = TypeVar("T")

BROUGHT = "brought"
"""The version of words that an operator brought with a list."""
HOW = "list"
EARLIEST_YEAR = 1995
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ANSWERS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedReader:
    """One row: an address as it stands there, what its owner wants, and when and how they agreed to it."""

    line: int
    email: str = field(repr=False)
    wish: Wish
    agreed: Agreement
    asked_at: datetime
    how: str


def read_reader(row: ListedRow, *, text: str | None, site: str, now: datetime) -> ListedReader | RowProblem:
    """What a row says, or the first problem in it.

    Args:
        row: its cells.
        text: the words they agreed to, for rows that do not say it.
        site: where consent was given, for rows that do not say it.
        now: consent given later than this is none.
    """
    try:
        wish = _read_wish(row.cells, site=site)
        language = wish.language
        terms = row.cells.get("consent_text") or text or ""
        if not terms:
            raise WrongChoice("consent_text", "Say which words they agreed to.")
        words = ConsentText(version=BROUGHT, language=language, terms=terms, health=None)
        return ListedReader(
            line=row.line,
            email=row.cells["email"],
            wish=wish,
            agreed=Agreement(text=words, health=_read_health(row.cells)),
            asked_at=_in("consent_at", partial(_read_moment, row.cells["consent_at"], now=now)),
            how=row.cells.get("consent_how") or HOW,
        )
    except InvalidRequest as error:
        return RowProblem(line=row.line, column=error.field, reason=str(error))


def _read_wish(cells: Cells, *, site: str) -> Wish:
    country = cells.get("country")
    wish = Wish(
        trial=cells.get("trial") or None,
        condition=cells.get("condition") or None,
        wants=cells.get("wants", "").lower() or None,
        cadence=_read_cadence(cells),
        language=read_language(cells.get("language") or DEFAULT_LANGUAGE),
        site=cells.get("site") or site,
        filter=_read_filter(cells),
        country=read_country(country, field="country") if country else None,
    )
    _in("wants" if wish.trial or wish.condition else "condition", partial(check_wish, wish))
    return wish


def _read_cadence(cells: Cells) -> Cadence:
    cadence = cells.get("cadence", "").lower() or "daily"
    hour = _read_number(cells, "hour", usual=8)
    weekday = cells.get("weekday", "").lower()
    day = _WEEKDAYS.index(weekday) if weekday in _WEEKDAYS else _read_number(cells, "weekday", usual=0)
    read = partial(read_cadence, cadence=cadence)
    _in("cadence", partial(read, hour=8, weekday=0, time_zone="UTC"))
    _in("hour", partial(read, hour=hour, weekday=0, time_zone="UTC"))
    _in("weekday", partial(read, hour=hour, weekday=day, time_zone="UTC"))
    zone = cells.get("time_zone") or "UTC"
    return _in("time_zone", partial(read, hour=hour, weekday=day, time_zone=zone))


def _read_filter(cells: Cells) -> ReaderFilter:
    names = [name for name in re.split(r"[|;,]", cells.get("countries", "")) if name.strip()]
    return ReaderFilter(
        only_recruiting=_read_answer(cells, "only_recruiting") or False, countries=read_countries(names)
    )


def _read_health(cells: Cells) -> bool:
    answer = _read_answer(cells, "consent_health")
    if answer is None:
        raise WrongChoice(
            "consent_health",
            "Write yes if they agreed that what they follow may tell something about their health, or no.",
        )
    return answer


def _read_answer(cells: Cells, column: str) -> bool | None:
    said = cells.get(column, "").lower()
    if said and said not in _ANSWERS:
        raise WrongChoice(column, "Write yes or no.")
    return _ANSWERS.get(said)


def _read_number(cells: Cells, column: str, *, usual: int) -> int:
    said = cells.get(column, "")
    if said and not (said.isascii() and said.isdigit()):
        raise WrongChoice(column, "Write a whole number.")
    return int(said[:4]) if said else usual


def _read_moment(said: str, *, now: datetime) -> datetime:
    """A moment as ISO 8601 writes it, in UTC where it names no zone."""
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise InvalidRequest("Write when they agreed like this: 2026-01-31 or 2026-01-31T14:05:00Z.") from None
    if moment.year < EARLIEST_YEAR:
        raise InvalidRequest("This is too long ago to be when they agreed.")
    # The year first: the last moments there are cannot be turned into another zone.
    is_later = moment.year > now.year + 1
    moment = moment.astimezone(UTC) if moment.tzinfo and not is_later else moment.replace(tzinfo=UTC)
    if is_later or moment > now:
        raise InvalidRequest("This is in the future. Write when they agreed.")
    return moment


def _in(column: str, read: Callable[[], T]) -> T:
    """What a reading gives; what it raises names the column."""
    try:
        return read()
    except InvalidRequest as error:
        raise WrongChoice(column, str(error)) from None
