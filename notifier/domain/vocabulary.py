"""The words of each language, from ``data/words.*.toml``, and its way with dates, numbers and lists."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_decimal
from babel.units import format_unit

from notifier.domain.places import code_of, split_country

DEFAULT_LANGUAGE = "en"
AGAIN = "_AGAIN"
"""Ends the name of a status to which a study or a site went back."""
HEARD = "_HEARD"
"""Ends the name of a status that a study may have had for long: the registry knew of none."""
KEPT_WORDS = 4_096
"""Numbers, days and lengths of time whose words are kept: working them out takes longer than all else on a card."""

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(year|month|week|day|hour|minute)s?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a change is called by where it leads: its tone, its badge and a sentence.

    ``group`` says how many things changed so, in the forms of the plural; empty where they are never counted.
    """

    tone: str
    badge: str
    headline: str
    group: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its words and its way with dates, numbers and lists."""

    code: str
    locale: Locale
    table: dict[str, Any]

    def term(self, kind: str, code: str) -> str:
        """The name of a word of an enumeration; one nobody knows yet is made readable."""
        row = self.table["terms"][kind].get(code)
        name: str = row["name"] if row else _readable(code)
        return name

    def explained(self, kind: str, code: str) -> str:
        """The name, the registry's own beside it, and what it means where that is known.

        ``Recruiting: people can join now``; in another language ``Sucht Teilnehmende (Recruiting): …``.
        """
        name, own = self.term(kind, code), LANGUAGES[DEFAULT_LANGUAGE].term(kind, code)
        if name.casefold() != own.casefold():
            name = self.sentence("own_term", name=name, own=own)
        means = self.table["terms"][kind].get(code, {}).get("means")
        return self.sentence("term_with_meaning", name=name, means=means) if means else name

    def sentence(self, name: str, /, **values: str) -> str:
        """A sentence of the language, filled in."""
        text: str = self.table["sentences"][name]
        return text.format(**values)

    def counted(self, name: str, number: int) -> str:
        """A number of things in the right plural."""
        return self.plural(self.table["counted"][name], number)

    def plural(self, forms: Mapping[str, str], number: int) -> str:
        """One of the forms of the plural, filled in with the number."""
        text = forms.get(_plural_form(number, self.code)) or forms["other"]
        return text.format(number=self.number(number))

    def label(self, field: str) -> str:
        """What a field is called."""
        name: str = self.table["fields"][field]["label"]
        return name

    def topic(self, field: str) -> str:
        """What a change of a field is about, as one of several."""
        name: str = self.table["fields"][field]["topic"]
        return name

    def part(self, name: str) -> str:
        """What a part of an arm, a treatment or a measure is called."""
        text: str = self.table["parts"][name]
        return text

    def glance(self, name: str) -> str:
        """What a fact is called in the study at a glance."""
        text: str = self.table["glance"][name]
        return text

    def headline(self, weight: str) -> str | None:
        """The sentence for several changes of one weight, where there is one."""
        text: str | None = self.table["headlines"].get(weight)
        return text

    def new_headline(self, status: str | None) -> str:
        """The sentence for a study not seen before."""
        rows: dict[str, str] = self.table["headlines"]["new"]
        return rows.get(status or "") or rows["OTHER"]

    def move(self, field: str, towards: str | None) -> Move:
        """What a change of a field is called by where it leads; the field's own words where that has none.

        A status that goes backwards or follows an unknown one, and has no words for that, is told as any other.
        """
        rows = self.table["moves"].get(field, {})
        own = rows.get(towards) or rows.get((towards or "").removesuffix(AGAIN).removesuffix(HEARD), {})
        row = self.table["fields"][field] | own
        return Move(tone=row["tone"], badge=row["badge"], headline=row["headline"], group=row.get("group", {}))

    def country(self, name: str) -> str:
        """A country by any name the registry has for it; a name nobody knows stays as it is."""
        return _country(name, self.code)

    def territory(self, code: str) -> str:
        """A country by its ISO 3166 code; empty for one that nobody knows."""
        known: str | None = self.table["countries"].get(code) or self.locale.territories.get(code)
        return known or ""

    def place(self, place: str) -> str:
        """A place with its country at the end: ``Charité, Berlin, Germany``."""
        rest, country = split_country(place)
        return ", ".join(part for part in (rest, self.country(country) if country else "") if part)

    def number(self, number: int) -> str:
        """A whole number."""
        return _number(number, self.code)

    def when(self, text: str) -> str:
        """A registry's date, to the day or to the month; what is no date stays as it is."""
        try:
            day = date.fromisoformat(text if len(text) > len("2026-03") else f"{text}-01")
        except ValueError:
            return text
        return self.day(day) if len(text) > len("2026-03") else _month(day, self.code)

    def day(self, day: date) -> str:
        """A day."""
        return _day(day, self.code)

    def age(self, text: str) -> str:
        """An age as the registry gives it, ``18 Years``."""
        match = _AGE.fullmatch(text.strip())
        if match is None:
            return text
        return self.duration(float(match.group(1)), match.group(2).lower())

    def duration(self, number: float, unit: str) -> str:
        """A number of years, months, weeks, days, hours or minutes."""
        return _duration(number, unit, self.code)

    def listing(self, texts: Sequence[str]) -> str:
        """Texts in a row, with an "and" before the last."""
        return format_list(list(texts), locale=self.locale)

    def choice(self, texts: Sequence[str]) -> str:
        """Texts in a row, with an "or" before the last."""
        return format_list(list(texts), style="or", locale=self.locale)


def language_of(code: str) -> Language:
    """The language of a code such as ``en`` or ``en-GB``; the default one where we have no words for it."""
    return LANGUAGES.get(code) or LANGUAGES.get(code.replace("_", "-").partition("-")[0]) or LANGUAGES[DEFAULT_LANGUAGE]


@lru_cache(KEPT_WORDS)
def _country(name: str, code: str) -> str:
    territory = code_of(name)
    return (LANGUAGES[code].territory(territory) if territory else None) or name


@lru_cache(KEPT_WORDS)
def _plural_form(number: int, code: str) -> str:
    form: str = LANGUAGES[code].locale.plural_form(number)
    return form


@lru_cache(KEPT_WORDS)
def _number(number: int, code: str) -> str:
    text: str = format_decimal(number, locale=LANGUAGES[code].locale)
    return text


@lru_cache(KEPT_WORDS)
def _day(day: date, code: str) -> str:
    return format_date(day, "long", locale=LANGUAGES[code].locale)


@lru_cache(KEPT_WORDS)
def _month(day: date, code: str) -> str:
    return format_skeleton("yMMMM", day, locale=LANGUAGES[code].locale)


@lru_cache(KEPT_WORDS)
def _duration(number: float, unit: str, code: str) -> str:
    return format_unit(number, f"duration-{unit}", length="long", locale=LANGUAGES[code].locale)


def _readable(code: str) -> str:
    text = code.replace("_", " ").strip()
    return text[:1].upper() + text[1:].lower() if text.isupper() else text


def _load() -> dict[str, Language]:
    found: dict[str, Language] = {}
    for path in (files("notifier.domain") / "data").iterdir():
        prefix, code, *_ = f"{path.name}..".split(".")
        if prefix == "words":
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            found[code] = Language(code, Locale.parse(table["locale"]), table)
    return found


LANGUAGES = _load()
