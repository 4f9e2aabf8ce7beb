"""Finds persons' names where they recur in a text, in the usual spellings."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

from notifier.domain.name_fields import DEGREE, TITLE

Span = tuple[int, int]

_TITLES = rf"(?:\b{TITLE}\b\.?,?\s{{1,4}}|\b(?:med|rer|nat|habil)\.\s{{1,4}})"
_DEGREES = rf"(?:,?\s{{1,4}}{DEGREE}\b\.?){{0,8}}"
_ACCENTED = re.compile("[\u00c0-\u024f’‐‑]")
# One sign each that no decomposition leads back to.
_PLAIN_SIGNS = {
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "ı": "i",
    "’": "'",
    "‐": "-",
    "‑": "-",
    "ß": "s",
}
_TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"})
_UMLAUT = re.compile(r"([aouAOU])e(?=[^aeiouy])")
_CAPITALISED = re.compile(r"[A-Z][A-Za-z]+")
_TITLED = re.compile(
    rf"{TITLE}\b\.?,?\s{{1,4}}(?:(?:med|rer|nat|habil)\.\s){{0,3}}(?:[A-Z]\.\s?){{0,3}}([A-Z][A-Za-z]+)"
)
_FIRST_EASTERN_SIGN = "\u2e80"
# "A" and "I" before or behind a word are more often words themselves.
_DOUBTFUL_INITIALS = "AI"
_SHORTEST_MIDDLE_NAME = 4
_SHORTEST_PART = 3


def recurring_names(names: Iterable[str], text: str) -> frozenset[str]:
    """Those of the names of which the last word, or any behind a title, occurs in the text."""
    names = tuple(names)
    if not names:
        return frozenset()
    plain = _folded(text)
    words = {word.lower() for word in _CAPITALISED.findall(plain)}
    titled = {word.lower() for word in _TITLED.findall(plain)}
    return frozenset(name for name in names if _recurs(name, text, words, titled))


def _recurs(name: str, text: str, words: set[str], titled: set[str]) -> bool:
    telling = _telling_words(name)
    if telling[0][0] >= _FIRST_EASTERN_SIGN:
        return telling[-1] in text
    if not words.isdisjoint(_beginnings(telling[-1])):
        return True
    return bool(titled) and any(not titled.isdisjoint(_beginnings(word)) for word in telling)


def _beginnings(word: str) -> Iterable[str]:
    """What the text must hold of a word, in small letters, whether it is written with a hyphen, in one or apart."""
    for spelling in _spellings(word):
        letters = re.split(r"[-']", spelling.lower())
        yield from (letters[0], letters[-1], "".join(letters))


def _spellings(word: str) -> set[str]:
    """`Müller` and `Mueller` as Muller and Mueller."""
    return {_folded(word), _folded(word.translate(_TWO_LETTERS)), _UMLAUT.sub(r"\1", _folded(word))}


def _telling_words(name: str) -> list[str]:
    words = [word for word in name.split() if len(word) > 1]
    telling = [word for word in words if word in (words[0], words[-1]) or len(word) >= _SHORTEST_MIDDLE_NAME]
    parts = [part for word in telling for part in word.split("-") if len(part) >= _SHORTEST_PART and part != word]
    return [*parts, *telling]


def find_names(text: str, names: Iterable[str]) -> list[Span]:
    """Where the names stand in the text, with the titles before and the degrees behind them."""
    found = sorted(recurring_names(names, text))
    plain = _folded(text) if found else text
    return _without_overlap([match.span() for name in found for match in _pattern(name).finditer(plain)])


def _without_overlap(spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _folded(text: str) -> str:
    """The text without accents, sign by sign, so that every place stays where it is."""
    return text if text.isascii() else _ACCENTED.sub(lambda sign: _plain_sign(sign[0]), text)


@cache
def _plain_sign(sign: str) -> str:
    return _PLAIN_SIGNS.get(sign) or unicodedata.normalize("NFKD", sign)[0]


def _either(word: str) -> str:
    """A pattern for the word in folded text: capitalised or in capitals, with hyphens or without."""
    cases = {case for word in _spellings(word) for case in (word, word.upper(), word.capitalize(), word.title())}
    escaped = (re.escape(case).replace(r"\-", r"[-\s]?").replace("'", "'?") for case in sorted(cases))
    return f"(?:{'|'.join(escaped)})"


def _any_of(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(_either(word) for word in words)})"


@lru_cache(maxsize=32)
def _pattern(name: str) -> re.Pattern[str]:
    words = [word for word in name.split() if len(word) > 1]
    if words[0][0] >= _FIRST_EASTERN_SIGN:
        return re.compile(re.escape(name))
    # All repeats are bounded, so that no text takes more than linear time.
    further = rf"(?:[\s-]{{1,4}}(?:{_any_of(words)}|[A-Z]\.(?=\s))){{0,6}}"
    before = rf"(?:\w\.\s?|{_any_of(words)}\s{{1,4}}){{0,4}}?"
    titled = rf"{_TITLES}{{1,5}}{before}{_any_of(_telling_words(name))}{further}"
    untitled = "|".join(_untitled(words, name.split()))
    forms = rf"{titled}|{_TITLES}{{0,5}}(?:{untitled})" if untitled else titled
    return re.compile(rf"(?<!\w)(?:{forms}){_DEGREES}(?!\w)")


def _untitled(words: list[str], all_words: list[str]) -> list[str]:
    """The name in full, turned round, and with initials."""
    last = _either(words[-1])
    if len(words) == 1:
        initials = r"\.?\s?".join(re.escape(word) for word in all_words if len(word) == 1)
        return [rf"{last}\s+{initials}\b\.?", rf"{initials}\.?\s+{last}"] if initials else []
    first, following = _either(words[0]), _any_of(words[1:])
    initial = re.escape(_folded(words[0][0]))
    dot = r"\." if initial in _DOUBTFUL_INITIALS else r"\.?"
    return [
        rf"{first}(?:\s{{1,4}}(?:[^\W\d_]\.?(?=\s)|{following}\.?)){{0,4}}?\s{{1,4}}{last}",
        rf"{last},?\s{{1,4}}{first}(?:\s{{1,4}}(?:[A-Z]\.|{following})){{0,4}}",
        rf"{initial}\.\s?(?:\w\.\s?){{0,3}}(?:{following}\s{{1,4}}){{0,4}}{last}",
        rf"{initial}(?:[A-Z]|\s[A-Z]){{0,2}}{dot}\s{{1,4}}{last}",
        rf"{last},?\s{{1,4}}{initial}[A-Z]{{0,2}}{dot}(?![\w-])",
    ]
