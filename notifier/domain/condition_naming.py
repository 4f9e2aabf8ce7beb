"""Finds the concepts that a study's own words name, with the names that imported vocabularies know."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from notifier.domain.conditions import BROADER, Concern, concerns_of, condition_key
from notifier.domain.trials import TrialFacts

_TABLE = tomllib.loads((files("notifier.domain") / "data" / "condition_words.toml").read_text(encoding="utf-8"))
_SAME_WORD: Mapping[str, str] = _TABLE["words"]
_SILENT = frozenset(_TABLE["silent"]["words"])
_QUALIFIERS = frozenset(_TABLE["qualifiers"]["words"])
_TELLING_NOTHING = frozenset({"disease", "neoplasm", "syndrome"}) | _QUALIFIERS

SHELVES = tuple(_TABLE["shelves"]["codes"])
"""Codes of headings that only sort others; no study is tied to them by its words."""
LONGEST_PART = 8
"""Words of the longest name that is looked for inside another one."""
SHORTEST_PART = 4
"""Letters of the shortest single word that is looked for inside a name; shorter ones are mostly abbreviations."""

_NOT_MEANT = re.compile(
    r"\b(?:with (?:or|and|/) ?without|with/without|w/(?:w|wo|o)\b|without|excluding|except|other than|not|absence of|"
    r"no history|(?:with )?a? ?history of|(?:at )?risk of|prevention of)\b.*|\bprevention\b",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_SHORTEST_PLURAL = 4
_NO_PLURAL = ("ss", "us", "is")


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names of all vocabularies imported: words to concepts, concepts to what is broader; by condition id.

    ``revision`` tells apart what was imported when.
    """

    concepts: Mapping[int, Concern] = field(default_factory=lambda: MappingProxyType({}))
    by_words: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    broader: Mapping[int, frozenset[int]] = field(default_factory=lambda: MappingProxyType({}))
    shelves: frozenset[int] = frozenset()
    revision: int = 0

    def are_kin(self, one: int, other: int) -> bool:
        """Whether they are the same concept, or one is a kind of the other."""
        return one == other or other in self.above(one) or one in self.above(other)

    def above(self, concept: int) -> frozenset[int]:
        """What is broader than a concept."""
        return self.broader.get(concept, frozenset())


NO_NAMES = KnownNames()


@dataclass(frozen=True, slots=True)
class Naming:
    """One name of one concept, as a vocabulary gives it; ``preferred`` where the vocabulary calls it so first."""

    condition_id: int
    key: str
    vocabulary: str
    preferred: bool


@dataclass(frozen=True, slots=True)
class _Found:
    whole: frozenset[int] = frozenset()
    parts: frozenset[int] = frozenset()


def know_names(
    namings: Iterable[Naming],
    *,
    concepts: Mapping[int, Concern],
    broader: Mapping[int, frozenset[int]],
    shelves: frozenset[int],
    revision: int,
) -> KnownNames:
    """Put names in order for looking up.

    A name that one vocabulary gives to several concepts means the one it is preferred for, else the one that is
    broader than all the others, else none of them. Names of several vocabularies mean what each says.
    """
    candidates: dict[tuple[str, str], dict[int, bool]] = {}
    for naming in namings:
        words = _words_of_key(naming.key)
        if words:
            one = candidates.setdefault((naming.vocabulary, _in_order(words)), {})
            one[naming.condition_id] = one.get(naming.condition_id, False) or naming.preferred
    by_words: dict[str, tuple[int, ...]] = {}
    for (_vocabulary, name), ids in candidates.items():
        meant = _the_one_meant(ids, broader)
        if meant is not None and meant not in by_words.get(name, ()):
            by_words[name] = (*by_words.get(name, ()), meant)
    for written, means in _TABLE["names"].items():
        target = by_words.get(_in_order(name_words(means)))
        if target:
            by_words.setdefault(_in_order(name_words(written)), target)
    return KnownNames(concepts, by_words, broader, shelves, revision)


def concerns_with_names(facts: TrialFacts, names: KnownNames) -> tuple[Concern, ...]:
    """The conditions a study is about: derived, listed and broader ones first, then what its own words name.

    Each key once. What is found by a name brings what is broader than it.
    """
    found = {concern.key: concern for concern in concerns_of(facts)}
    named = named_concepts(facts, names)
    broader = {above for one in named for above in names.above(one)} - named
    for concepts, how in ((named, "named"), (broader, BROADER)):
        for one in sorted(concepts - names.shelves):
            concern = names.concepts[one]
            held = found.get(concern.key)
            # What a study says in its own words it is about itself, whatever the registry found only above it.
            if held is None or (held.how == BROADER and how != BROADER):
                found[concern.key] = replace(concern, how=how)
    return tuple(found.values())


def named_concepts(facts: TrialFacts, names: KnownNames) -> frozenset[int]:
    """The concepts that a study's words name, by condition id.

    Conditions as listed count, whole or in part; a part must be kin of what whole names say, if any does. Keywords
    count only in studies for which the registry derived nothing: where no listed condition is known, or where they
    say which kind of a listed one is meant. Titles do not count: they name what is excluded or compared too.
    """
    if not names.by_words:
        return frozenset()
    listed = [_find(name, names) for name in facts.conditions]
    whole = frozenset[int]().union(*(one.whole for one in listed))
    parts = frozenset[int]().union(*(one.parts for one in listed))
    found = whole | {one for one in parts if not whole or any(names.are_kin(one, other) for other in whole)}
    if facts.meshes:
        return found
    keywords = frozenset[int]().union(*(_find(name, names).whole for name in facts.keywords))
    return found | {one for one in keywords if not found or _narrows(one, found, names)}


def name_words(name: str) -> tuple[str, ...]:
    """The words that a name is compared by: in the singular, with one word for the same thing, without silent ones."""
    return _words_of_key(condition_key(name))


def is_like_name(one: str, other: str) -> bool:
    """Whether two names share a word that tells a disease; "disease" itself tells none."""
    return not set(name_words(one)).isdisjoint(set(name_words(other)) - _TELLING_NOTHING)


def _narrows(one: int, found: frozenset[int], names: KnownNames) -> bool:
    """Whether a concept is a kind of one found; of a topmost one, such as neoplasms, only where nothing else is."""
    above = names.above(one)
    telling = {other for other in found if names.above(other)} or found
    return not above.isdisjoint(telling)


def _find(name: str, names: KnownNames) -> _Found:
    """What a name means as a whole; else what the longest parts of it mean."""
    meant = _NOT_MEANT.sub("", name)
    whole = _whole(meant, names.by_words)
    if whole:
        return _Found(whole=whole)
    words = name_words(meant)
    taken = _longest_parts(words, names.by_words)
    said = [names.by_words[part] for _begin, _end, part in taken if part not in _general()]
    found = frozenset(one for several in said for one in several)
    # What is broader than another part is that part said again: a diabetic foot ulcer is no foot ulcer besides.
    narrowest = found - frozenset[int]().union(*(names.above(one) for one in found))
    return _Found(whole=narrowest) if _only_qualifies(words, taken) else _Found(parts=narrowest)


def _whole(name: str, by_words: Mapping[str, tuple[int, ...]]) -> frozenset[int]:
    """What a name means, with or without what stands in brackets."""
    for words in (name_words(name), name_words(_BRACKETED.sub(" ", name))):
        known = by_words.get(_in_order(words)) if words else None
        if known:
            return frozenset(known)
    return frozenset()


def _longest_parts(words: tuple[str, ...], by_words: Mapping[str, tuple[int, ...]]) -> list[tuple[int, int, str]]:
    """Where the longest known parts begin and end, and the words of each: none that lies within a longer one."""
    taken: list[tuple[int, int, str]] = []
    for length in range(min(LONGEST_PART, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            part = words[start : start + length]
            ordered = _in_order(part)
            inside = any(begin <= start and start + length <= end for begin, end, _part in taken)
            if ordered in by_words and not inside and not (length == 1 and len(part[0]) < SHORTEST_PART):
                taken.append((start, start + length, ordered))
    return taken


def _only_qualifies(words: tuple[str, ...], taken: list[tuple[int, int, str]]) -> bool:
    """Whether all that stands around the one part known tells only stage, course, age or level of it."""
    if len(taken) != 1:
        return False
    begin, end, _part = taken[0]
    return all(word in _QUALIFIERS or word.isdigit() for word in (*words[:begin], *words[end:]))


def _the_one_meant(ids: Mapping[int, bool], broader: Mapping[int, frozenset[int]]) -> int | None:
    chosen = [one for one, preferred in ids.items() if preferred] or list(ids)
    if len(chosen) == 1:
        return chosen[0]
    nothing: frozenset[int] = frozenset()
    broadest = [one for one in chosen if all(one == other or one in broader.get(other, nothing) for other in chosen)]
    return broadest[0] if broadest else None


@cache
def _general() -> frozenset[str]:
    return frozenset(_in_order(name_words(name)) for name in _TABLE["general"]["names"])


def _words_of_key(key: str) -> tuple[str, ...]:
    singular = (_singular(word) for word in key.split())
    return tuple(same for word in singular if (same := _SAME_WORD.get(word, word)) not in _SILENT)


def _in_order(words: Iterable[str]) -> str:
    """Words in one order, because names are told in several: "Urticaria, Chronic" and "chronic urticaria"."""
    return " ".join(sorted(words))


def _singular(word: str) -> str:
    if len(word) < _SHORTEST_PLURAL or word.endswith(_NO_PLURAL):
        return word
    if word.endswith("ies") and len(word) > len("dries"):
        return word[:-3] + "y"
    return word.removesuffix("s")
