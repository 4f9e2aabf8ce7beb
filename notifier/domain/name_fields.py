"""Knows which values of a contact's name field are a person's, and reads the bare name out of them."""

import re
from collections.abc import Iterable, Iterator

TITLE = (
    r"(?:Dr|Doctor|Prof|Professor|Mr|Mrs|Ms|Miss|Mag|Dott|Dott\.?ssa|Dra|Doc|PD|Priv\.?-Doz|Assoc|Asst|MUDr|Sir|Mme|Mlle"
    r"|Herr|Frau|Sra?|Dipl|Univ)"
)
DEGREE = (
    r"(?:M\.?\s?D|Ph\.?\s?[Dd]|D\.?\s?Phil|D\.?O|R\.?N|M\.?P\.?H|M\.?Sc?|B\.?Sc?|M\.?A|B\.?A|Dr\.?P\.?H|Pharm\.?D|D\.?Sc|MBBS|MBChB"
    r"|FRCPC?|FRCS|FACP|FACS|FACC|FAAN|FAAP|FESC|NP|PA-?C|CCRP|CCRC|CCRN|BSN|MSN|MBA|MHS|DNP|DPT|EdD|PsyD|DDS|DMD|DVM|MSc|MPhil"
    r"|LCSW|RD|PT|OD|DC|Esq|Jr|Sr|II|III|IV)"
)
_TITLES = re.compile(rf"(?<![\w.-])(?:{TITLE}|med|habil|rer|nat)\b\.?", re.IGNORECASE)
_DEGREES = re.compile(rf"(?<![\w-]){DEGREE}(?![\w])\.?")
_ASIDE = re.compile(r"\([^()]*\)|[+*†‡§]")
_BETWEEN_PEOPLE = re.compile(r"\s*(?:[/;|]|\s&\s|\band\b|\bor\b)\s*")
_NAME_TOKEN = re.compile(r"[^\W\d_](?:[^\W\d_]|['’.-])*")
_EASTERN_NAME = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,5}")
_MOST_TOKENS = 6

_GENERIC_WORDS = """
academic administration administrator affairs agency assistant associate asst call care center central centre
chair chief clinic clinical clinicaltrials company contact contacts coordinating coordination coordinator
coordinators corp cro ct data department dept desk development director disclosure disclosures division email
enquiries enrollment for foundation free gcp general global gmbh group head health hospital hotline inc info
information inquiries institute international investigation investigational investigator investigators lab
laboratory lead leader limited line ltd manager medical medicine monitor network number nurse of office officer
oncology operations organization patient pharma pharmaceutical pharmaceuticals physician pi press principal
program project public reference registry regulatory representative research responsible school science sciences
scientific scientist service services site specialist sponsor staff study sub subinvestigator support team the
therapeutics to toll transparency trial trialist trials unit university use vaccine vaccines vice
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())
# Surnames too: Sandra Call, MD.
_SURNAMES_TOO = frozenset(
    {"call", "care", "chair", "chief", "free", "general", "head", "lab", "lead", "line", "press", "school"}
)


def person_names(values: Iterable[str], *, organisations: Iterable[str]) -> frozenset[str]:
    """The bare names among the values that look like a person's.

    A role, a call centre, or a name that is also a sponsor's, a facility's or a part of one is left out. A single word
    is a surname of which only a title or a degree told that it is one.
    """
    public = "\n".join(organisations).casefold()
    people = {name for value in values for name in _persons_in(value)}
    return frozenset(name for name in people if name.casefold() not in public)


def looks_like_person(value: str) -> bool:
    """Whether a contact's name field holds the name of somebody, not of a role or a call centre."""
    return next(_persons_in(value), None) is not None


def _persons_in(value: str) -> Iterator[str]:
    for part in _BETWEEN_PEOPLE.split(value):
        bare = _DEGREES.sub(" ", _TITLES.sub(" ", _ASIDE.sub(" ", part)))
        titled = bool(_TITLES.search(part) or _DEGREES.search(part))
        name = _in_order([_words(piece) for piece in bare.split(",")])
        if _is_name(name, titled=titled):
            yield " ".join(name)


def _words(piece: str) -> list[str]:
    return [word for word in (word.strip("-–.,:'’") or word for word in piece.split()) if word not in ".-–,:"]


def _in_order(pieces: list[list[str]]) -> list[str]:
    """The words of the name itself; `Roe, Jane` is turned round."""
    filled = [words for words in pieces if words]
    if len(filled) > 1 and len(filled[0]) == 1 and len(filled[1]) <= 2 and not _generic(filled[1]):
        return filled[1] + filled[0]
    return _surname_last(filled[0]) if filled else []


def _surname_last(words: list[str]) -> list[str]:
    """`ROE Jane` is turned round too."""
    loud = next((place for place, word in enumerate(words) if len(word) < 2 or not word.isupper()), len(words))
    return words[loud:] + words[:loud] if 0 < loud < len(words) and len(words[loud]) > 1 else words


def _is_name(words: list[str], *, titled: bool) -> bool:
    if len(words) == 1 and _EASTERN_NAME.fullmatch(words[0]):
        return True
    if not (1 if titled else 2) <= len(words) <= _MOST_TOKENS or not any(len(word) > 1 for word in words):
        return False
    if not all(_NAME_TOKEN.fullmatch(word) for word in words) or not any(word != word.lower() for word in words):
        return False
    return not _generic(words, spared=_SURNAMES_TOO if titled and len(words) > 1 else frozenset())


def _generic(words: Iterable[str], *, spared: frozenset[str] = frozenset()) -> bool:
    return any(word.casefold() in _GENERIC - spared for word in words)
