"""The words of each language, from ``data/words.*.toml``, and its way with dates, numbers and lists."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_decimal
from babel.units import format_unit

DEFAULT_LANGUAGE = "en"

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(year|month|week|day|hour|minute)s?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a change towards a value is called: its tone, its badge, and a sentence where there is one."""

    tone: str
    badge: str
    headline: str | None = None
    group: str | None = None


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
        """The name, and what it means where that is known: ``Recruiting: people can join now``."""
        means = self.table["terms"][kind].get(code, {}).get("means")
        name = self.term(kind, code)
        return self.sentence("term_with_meaning", name=name, means=means) if means else name

    def sentence(self, name: str, /, **values: str) -> str:
        """A sentence of the language, filled in."""
        text: str = self.table["sentences"][name]
        return text.format(**values)

    def counted(self, name: str, number: int) -> str:
        """A number of things in the right plural."""
        forms: dict[str, str] = self.table["counted"][name]
        text = forms.get(self.locale.plural_form(number)) or forms["other"]
        return text.format(number=self.number(number))

    def label(self, field: str) -> str:
        """What a field is called."""
        name: str = self.table["fields"][field]["label"]
        return name

    def part(self, name: str) -> str:
        """What a part of an arm, a treatment or a measure is called."""
        text: str = self.table["parts"][name]
        return text

    def glance(self, name: str) -> str:
        """What a fact is called in the study at a glance."""
        text: str = self.table["glance"][name]
        return text

    def headline(self, name: str) -> str | None:
        """The sentence for a weight, where there is one."""
        text: str | None = self.table["headlines"].get(name)
        return text

    def new_headline(self, status: str | None) -> str:
        """The sentence for a study not seen before."""
        rows: dict[str, str] = self.table["headlines"]["new"]
        return rows.get(status or "") or rows["OTHER"]

    def move(self, field: str, towards: str | None) -> Move:
        """Tone, badge and sentence of a field's change towards a value, or ``added``, ``removed``, ``changed``."""
        row = self.table["moves"].get(field, {}).get(towards) or self.table["fields"][field]
        return Move(tone=row["tone"], badge=row["badge"], headline=row.get("headline"), group=row.get("group"))

    def number(self, number: int) -> str:
        """A whole number."""
        text: str = format_decimal(number, locale=self.locale)
        return text

    def when(self, text: str) -> str:
        """A registry's date, to the day or to the month; what is no date stays as it is."""
        try:
            day = date.fromisoformat(text if len(text) > len("2026-03") else f"{text}-01")
        except ValueError:
            return text
        return self.day(day) if len(text) > len("2026-03") else format_skeleton("yMMMM", day, locale=self.locale)

    def day(self, day: date) -> str:
        """A day."""
        return format_date(day, "long", locale=self.locale)

    def age(self, text: str) -> str:
        """An age as the registry gives it, ``18 Years``."""
        match = _AGE.fullmatch(text.strip())
        if match is None:
            return text
        return self.duration(float(match.group(1)), match.group(2).lower())

    def duration(self, number: float, unit: str) -> str:
        """A number of years, months, weeks, days, hours or minutes."""
        return format_unit(number, f"duration-{unit}", length="long", locale=self.locale)

    def listing(self, texts: Sequence[str]) -> str:
        """Texts in a row, with an "and" before the last."""
        return format_list(list(texts), locale=self.locale)


def language_of(code: str) -> Language:
    """The language of a code such as ``en`` or ``en-GB``; the default one where we have no words for it."""
    return LANGUAGES.get(code) or LANGUAGES.get(code.replace("_", "-").partition("-")[0]) or LANGUAGES[DEFAULT_LANGUAGE]


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
