"""Estimating: what following a condition would have brought lately, and so how many mails it may bring."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from notifier.domain.changes import FIRST_SEEN
from notifier.domain.mail_rates import MailRate, mail_rate
from notifier.domain.schedules import Cadence
from notifier.domain.vocabulary import DEFAULT_LANGUAGE, language_of
from notifier.domain.wishes import Wish
from notifier.domain.wording import move_of
from notifier.store import condition_store, outlook_store, text_conditions
from notifier.store.outlook_store import Found, Names, Told, Wanted
from notifier.store.trial_store import read_fields

WINDOW = timedelta(days=90)
SHOWN = 5
MOST = 500
NAMES_SHOWN = 6
LEAST_WATCHED = timedelta(days=7)
"""However short Changes are watched here: less would say too much of too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that would have been told: of which study, when, and in a few words what."""

    day: date
    number: str
    title: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a choice would have brought in so many ``days``; ``is_more``: there is more than the ``total`` counted.

    ``watched`` is for how many of these days Changes were seen here at all; ``items`` are the newest few.
    """

    condition_id: int
    name: str
    is_text: bool
    other_names: Names
    narrower: Names
    has_kinds: bool
    broader: Names
    items: tuple[Item, ...]
    total: int
    is_more: bool
    days: int
    watched: int
    mails_a_week: float
    rate: MailRate


def estimate(
    session: Session, condition_id: int, *, wish: Wish, now: datetime, language: str = DEFAULT_LANGUAGE
) -> Outlook:
    """What following a condition as a wish says would have brought in the last 90 days.

    Args:
        session: a reading transaction.
        condition_id: the condition that the wish's name leads to.
        wish: which news of which of its studies, and how often.
        now: the moment to look back from.
        language: of the words.
    """
    condition = condition_store.get_condition(session, condition_id)
    wanted = Wanted(condition_id=condition_id, wants=wish.of_condition, narrower=wish.narrower, filter=wish.filter)
    found = outlook_store.list_news(session, wanted, since=now - WINDOW, now=now, most=MOST + 1)
    newest = sorted(found, key=lambda one: (_moment(one), one.change_id), reverse=True)
    watched = _watched(session, now)
    a_week = _mails_a_week(newest, wish.cadence, watched=watched, now=now)
    return Outlook(
        condition_id=condition_id,
        name=condition.name,
        is_text=text_conditions.is_text(session, condition),
        other_names=outlook_store.list_names(session, condition_id, some=NAMES_SHOWN),
        narrower=outlook_store.list_narrower(session, condition_id, some=NAMES_SHOWN),
        has_kinds=outlook_store.has_kinds(session, condition_id),
        broader=outlook_store.list_broader(session, condition_id, some=2),
        items=tuple(_items(session, newest[:SHOWN], language=language)),
        total=min(len(newest), MOST),
        is_more=len(newest) > MOST or outlook_store.is_cut(session, condition_id),
        days=WINDOW.days,
        watched=watched.days,
        mails_a_week=a_week,
        rate=mail_rate(a_week, is_daily=wish.cadence.cadence == "daily"),
    )


def _watched(session: Session, now: datetime) -> timedelta:
    first = outlook_store.first_observed(session)
    return min(WINDOW, now - first) if first else timedelta(0)


def _mails_a_week(found: Sequence[Found], cadence: Cadence, *, watched: timedelta, now: datetime) -> float:
    """How many mails these would have come in; new studies are known for the whole window, Changes since we watch."""
    new, later = [one for one in found if one.first], [one for one in found if not one.first]
    seen = max(watched, LEAST_WATCHED)
    if seen >= WINDOW:
        rate = _rate(found, cadence, over=_reach(found, WINDOW, now))
    else:
        rate = _rate(new, cadence, over=_reach(new, WINDOW, now)) + _rate(later, cadence, over=_reach(later, seen, now))
    return min(rate, {"daily": 7.0, "weekly": 1.0}.get(cadence.cadence, rate))


def _reach(found: Sequence[Found], window: timedelta, now: datetime) -> timedelta:
    """How far back these reach: where only the newest were counted, not as far as the window."""
    if len(found) <= MOST:
        return window
    return max(now - min(_moment(one) for one in found), timedelta(days=1))


def _rate(found: Iterable[Found], cadence: Cadence, *, over: timedelta) -> float:
    return len({_mail(one, cadence) for one in found}) / (over / timedelta(weeks=1))


def _mail(one: Found, cadence: Cadence) -> tuple[int, ...]:
    """What goes in one mail: the news of one local day, or week; as it happens, each by itself."""
    if cadence.cadence == "instant":
        return (one.change_id,)
    day = _moment(one).astimezone(ZoneInfo(cadence.time_zone)).date()
    return tuple(day.isocalendar()[:2]) if cadence.cadence == "weekly" else (day.toordinal(),)


def _moment(one: Found) -> datetime:
    """When it was news: a new study as the registry dates it, because a first load brings many at one moment."""
    if not one.first:
        return one.observed_at
    try:
        return datetime.combine(date.fromisoformat(one.first_posted), time(12), tzinfo=UTC)
    except ValueError:
        return one.observed_at


def _items(session: Session, found: Sequence[Found], *, language: str) -> Iterable[Item]:
    told = outlook_store.get_told(session, [one.change_id for one in found])
    for one in found:
        yield _item(one, told[one.change_id], language=language)


def _item(one: Found, told: Told, *, language: str) -> Item:
    fields = read_fields(told.fields)
    day = _moment(one).date()
    speech = language_of(language)
    is_new = one.first or not fields or fields[0].field == FIRST_SEEN
    what = speech.new_headline(told.status) if is_new else move_of(fields[0], speech).headline
    return Item(day=day, number=told.number, title=told.title, what=what)
