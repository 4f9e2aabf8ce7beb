"""Says in words what a reader asks studies to be like: in full on pages, in mails without what tells of the reader."""

from dataclasses import replace
from math import atan2, degrees, hypot

from notifier.domain.filter_choices import distance_of
from notifier.domain.globe import Cell
from notifier.domain.reader_filters import Near, ReaderFilter
from notifier.domain.towns import largest_town_in, town_in_words
from notifier.domain.traits import ASKED_PHASES, bits_of, phases_of
from notifier.domain.vocabulary import DEFAULT_LANGUAGE, Language, language_of


def filter_in_words(wanted: ReaderFilter, language: str = DEFAULT_LANGUAGE) -> list[str]:
    """What a filter asks for, one phrase for each part of it: ``only studies that people can join now``.

    Phrases begin small, so that they stand in a list or behind a colon. An empty filter has none.
    """
    speech = language_of(language)
    phrases: list[str] = []
    if wanted.only_recruiting:
        phrases.append(speech.sentence("filter_recruiting"))
    if wanted.countries:
        phrases.append(speech.sentence("filter_countries", countries=_countries(wanted, speech)))
    if wanted.near:
        phrases.append(_near(wanted.near, speech))
    if wanted.phases:
        phrases.append(speech.sentence("filter_phases", phases=_phases(wanted, speech)))
    if wanted.sex:
        phrases.append(speech.sentence(f"filter_{wanted.sex.lower()}"))
    if wanted.born_year:
        phrases.append(speech.sentence("filter_born", year=str(wanted.born_year)))
    return phrases


def filter_in_a_mail(wanted: ReaderFilter, language: str = DEFAULT_LANGUAGE) -> list[str]:
    """What a filter asks for, as it may be read over a shoulder: that age, sex or area matter, never which."""
    harmless = replace(wanted, near=None, sex=None, born_year=None)
    phrases = filter_in_words(harmless, language)
    return phrases if harmless == wanted else [*phrases, language_of(language).sentence("filter_choices")]


def cell_in_words(cell: Cell, language: str = DEFAULT_LANGUAGE) -> str:
    """A coarse cell by its largest town, ``around Leipzig, Germany``, or by whole degrees where it has none."""
    speech, town = language_of(language), largest_town_in(cell)
    if town is not None:
        return speech.sentence("around_town", town=town_in_words(town, language=language))
    north, east = degrees(atan2(cell.z, hypot(cell.x, cell.y))), degrees(atan2(cell.y, cell.x))
    return speech.sentence("around_point", point=f"{north:.0f}°, {east:.0f}°")


def _countries(wanted: ReaderFilter, speech: Language) -> str:
    return speech.choice(sorted(speech.territory(code) for code in wanted.countries))


def _near(near: Near, speech: Language) -> str:
    around = cell_in_words(near.cell, speech.code)
    return speech.sentence("filter_near", distance=speech.number(distance_of(near)), around=around)


def _phases(wanted: ReaderFilter, speech: Language) -> str:
    asked = phases_of(bits_of(wanted.phases))
    return speech.choice([speech.term("phase", phase) for phase in ASKED_PHASES if phase in asked])
