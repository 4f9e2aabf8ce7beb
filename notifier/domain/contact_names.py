"""Knows which names in a record are a person's, and finds them where they recur."""

import re
from collections.abc import Iterable, Iterator

Span = tuple[int, int]

_TITLE = r"(?:Dr|Prof|Professor|Mr|Mrs|Ms|Miss|Dott|Dra|PD|Priv\.?-Doz|Assoc|Asst|MUDr|Sir|Mme|Herr|Frau)"
_DEGREE = (
    r"(?:M\.?\s?D|Ph\.?\s?D|D\.?O|R\.?N|M\.?P\.?H|M\.?Sc?|B\.?Sc?|M\.?A|B\.?A|Dr\.?P\.?H|Pharm\.?D|D\.?Sc|MBBS|MBChB|FRCP|"
    r"FACP|FACS|FAAN|NP|PA-?C?|CCRP|CCRC|CCRN|BSN|MSN|MBA|MHS|DNP|DPT|EdD|PsyD|DDS|DMD|DVM|Esq|Jr|Sr|II|III|IV)"
)
_LEADING_TITLES = re.compile(rf"\s*(?:(?:{_TITLE}|med|habil|rer|nat)\b[.,]?\s*)+", re.IGNORECASE)
_TRAILING_DEGREES = re.compile(rf"(?:[\s,]+{_DEGREE}\b\.?)+\s*\Z")
_BETWEEN_PEOPLE = re.compile(r"\s*(?:[/;|]|\s&\s|\band\b|\bor\b)\s*")
_NAME_TOKEN = re.compile(r"[^\W\d_](?:[^\W\d_]|['’.-])*")
_EASTERN_NAME = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,5}")
_MOST_TOKENS = 6

_GENERIC_WORDS = """
a academic administration administrator affairs agency asst assistant associate call care center central centre
chair chief clinic clinical clinicaltrials company contact contacts coordinating coordination coordinator
coordinators corp cro data department dept desk development director division email enquiries enrollment for
foundation gcp general global gmbh group head health hospital hotline inc info information inquiries institute
international investigation investigational investigator investigators lab laboratory lead leader limited line ltd
manager medical medicine monitor network nurse of office officer oncology operations organization patient pharma
pharmaceutical pharmaceuticals physician pi press principal program project public reference registry regulatory
representative research responsible school science sciences scientific scientist service services site specialist
sponsor staff study sub subinvestigator support team the therapeutics to transparency trial trials trialist unit
university use vaccine vaccines vice
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())


def person_names(values: Iterable[str], *, organisations: Iterable[str]) -> frozenset[str]:
    """The bare names among the values that look like a person's.

    A role, a call centre, or a name that is also a sponsor's, a facility's or a part of one is left out.
    """
    public = "\n".join(organisations).casefold()
    people = {name for value in values for name in _bare_names(value)}
    return frozenset(name for name in people if _looks_like_person(name) and name.casefold() not in public)


def looks_like_person(value: str) -> bool:
    """Whether a contact's name field holds the name of somebody, not of a role or a call centre."""
    return any(_looks_like_person(name) for name in _bare_names(value))


def _bare_names(value: str) -> Iterator[str]:
    for part in _BETWEEN_PEOPLE.split(value):
        before_comma = _TRAILING_DEGREES.sub("", _LEADING_TITLES.sub("", part, count=1)).split(",")[0]
        yield " ".join(_TRAILING_DEGREES.sub("", before_comma).split())


def _looks_like_person(name: str) -> bool:
    if _EASTERN_NAME.fullmatch(name):
        return True
    tokens = name.split()
    if not 2 <= len(tokens) <= _MOST_TOKENS or len(tokens[-1].rstrip(".")) < 2:
        return False
    if not all(_NAME_TOKEN.fullmatch(token) for token in tokens):
        return False
    if not (_starts_a_name(tokens[0]) and _starts_a_name(tokens[-1])):
        return False
    return not any(token.casefold().strip(".") in _GENERIC for token in tokens)


def _starts_a_name(token: str) -> bool:
    return token[0].isupper() or token[0].lower() == token[0].upper()


def recurring_names(names: Iterable[str], text: str) -> frozenset[str]:
    """Those of the names whose last word occurs in the text in any of the usual spellings."""
    return frozenset(name for name in names if any(_stands_in(text, word) for word in _spellings(name.split()[-1])))


def _stands_in(text: str, word: str) -> bool:
    """Whether the text holds the word, not just as a part of a longer one."""
    place = text.find(word)
    while place >= 0:
        end = place + len(word)
        if not (text[place - 1 : place].isalnum() or text[end : end + 1].isalnum()) or _EASTERN_NAME.match(word):
            return True
        place = text.find(word, end)
    return False


def find_names(text: str, names: Iterable[str]) -> list[Span]:
    """Where the names stand in the text, with the titles before and the degrees behind them."""
    spans = [found.span() for name in sorted(recurring_names(names, text)) for found in _pattern(name).finditer(text)]
    return _without_overlap(spans)


def _without_overlap(spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _spellings(word: str) -> tuple[str, str]:
    return word, word.upper()


def _either(word: str) -> str:
    return "(?:" + "|".join(re.escape(spelling) for spelling in _spellings(word)) + ")"


def _pattern(name: str) -> re.Pattern[str]:
    words = name.split()
    if len(words) == 1:
        return re.compile(re.escape(name))
    first, last, initial = _either(words[0]), _either(words[-1]), re.escape(words[0][0])
    middle = "(?:" + "|".join([r"\s+[^\W\d_]\.?", *(rf"\s+{_either(word)}\.?" for word in words[1:-1])]) + ")*"
    titles = rf"(?:\b{_TITLE}\b\.?\s+)"
    person = rf"{titles}*(?:{first}{middle}\s+{last}|{last},?\s+{first}(?:\s+\w\.)?|{initial}\.\s?(?:\w\.\s?)*{last})"
    return re.compile(rf"(?<!\w)(?:{person}|{titles}+{last})(?:,?\s+{_DEGREE}\b\.?)*(?!\w)")
