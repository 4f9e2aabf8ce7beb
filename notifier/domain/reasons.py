"""Why a reader gets a mail and how often, in words."""

from datetime import time
from functools import lru_cache

from babel.dates import format_time, get_day_names

from notifier.domain.filter_words import filter_in_a_mail
from notifier.domain.reader_filters import NO_FILTER, ReaderFilter
from notifier.domain.schedules import Cadence
from notifier.domain.vocabulary import DEFAULT_LANGUAGE, language_of
from notifier.domain.wishes import EVERYTHING, IMPORTANT

KEPT_FILTERS = 4_096
KEPT_CADENCES = 1_024
KEPT_SECTIONS = 4_096


@lru_cache(maxsize=KEPT_SECTIONS)
def heading_for(
    condition: str | None, *, number: str | None, is_text: bool = False, language: str = DEFAULT_LANGUAGE
) -> str:
    """Over the cards of one subscription, so that several studies are told apart; without a condition, a study's.

    ``is_text``: the condition is words that are looked for in what studies say of themselves.
    """
    speech = language_of(language)
    if condition is None:
        return speech.sentence("heading_study", number=number or "")
    return speech.sentence("heading_text" if is_text else "heading_condition", condition=condition)


@lru_cache(maxsize=KEPT_SECTIONS)
def reason_for(
    condition: str | None,
    *,
    wants: str,
    is_text: bool = False,
    only: ReaderFilter = NO_FILTER,
    narrower: bool = True,
    language: str = DEFAULT_LANGUAGE,
) -> str:
    """Why these cards are in the mail: which news of a study or condition somebody ``wants``, and ``only`` of some.

    ``narrower``: studies of narrower conditions count as well.
    """
    speech = language_of(language)
    if condition is None:
        return speech.sentence(f"reason_study_{of_studies(wants)}")
    reason = speech.sentence(f"reason_{'text' if is_text else 'condition'}_{wants}", condition=condition)
    alone = "" if narrower else speech.sentence("reason_alone")
    return " ".join(part for part in (reason, alone, _filter_words(only, language)) if part)


def heading_for_studies(wants: str, *, language: str = DEFAULT_LANGUAGE) -> str:
    """Over all studies that are followed one by one, for the same news of them."""
    return language_of(language).sentence(f"heading_studies_{of_studies(wants)}")


def reason_for_studies(wants: str, *, language: str = DEFAULT_LANGUAGE) -> str:
    """Why these studies are in the mail, said once for all of them."""
    return language_of(language).sentence(f"reason_studies_{of_studies(wants)}")


def of_studies(wants: str) -> str:
    """What is wanted of a study that is followed by itself: what is important, else everything."""
    return IMPORTANT if wants == IMPORTANT else EVERYTHING


@lru_cache(maxsize=KEPT_FILTERS)
def _filter_words(wanted: ReaderFilter, language: str) -> str:
    phrases = filter_in_a_mail(wanted, language)
    return language_of(language).sentence("reason_of_these", filter="; ".join(phrases)) if phrases else ""


@lru_cache(maxsize=KEPT_CADENCES)
def cadence_in_words(cadence: Cadence, *, language: str = DEFAULT_LANGUAGE) -> str:
    """How often somebody hears from us, such as "at most once a week, on Monday at 08:00 (Europe/Berlin)"."""
    speech = language_of(language)
    if cadence.cadence == "instant":
        return speech.sentence("cadence_instant")
    clock = format_time(time(cadence.hour), format="short", locale=speech.locale)
    if cadence.cadence == "daily":
        return speech.sentence("cadence_daily", clock=clock, zone=cadence.time_zone)
    day = get_day_names("wide", locale=speech.locale)[cadence.weekday]
    return speech.sentence("cadence_weekly", day=day, clock=clock, zone=cadence.time_zone)
