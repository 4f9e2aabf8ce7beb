"""Finds the conditions that somebody may mean: by the words of their names, parts of these, and near spellings."""

from array import array
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from math import log

from notifier.domain.spelling import distance, grams

MOST_HITS = 100
"""How many conditions are weighed against each other in the end."""
MOST_BEGUN = 400
"""How many words that begin alike are looked at; more begin with one or two letters, and nobody means all of them."""
MOST_SPELLINGS = 40
COMMON = 10
PART_SHARE, TYPO_SHARE = 0.7, 0.45
MOST_NAMES = 1_000
"""How many names of one word are looked at, the shortest ones, where it is all that was typed."""
LEAST_SHARE = 0.4
"""How much of what was typed a name must say, where no name says all of it; rare words count for more."""
LONGEST_INITIALS = 6
FEW = 3
"""Fewer conditions found, and none that has all words as they are spelled: other spellings are looked for too."""

_SMALL_WORDS = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "my", "of", "on", "or", "the", "to", "with")
)


class Nearness(IntEnum):
    """How a name comes near to what was typed, nearest first."""

    SAME = 0
    SAME_WORDS = 1
    BEGINS = 2
    ALL_WORDS = 3
    INITIALS = 4
    BEGUN = 5
    PARTS = 6
    MISSPELLED = 7
    SOME_WORDS = 10


class _Fit(IntEnum):
    """How a word of a name fits a word that was typed."""

    WHOLE = 0
    BEGIN = 1
    PART = 2
    TYPO = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A condition that comes near, by the name that comes nearest; ``more`` counts what else that name says."""

    condition_id: int
    key: str
    nearness: int
    more: int


class NameIndex:
    """Names of conditions by their words, in memory: about 300 bytes for a name.

    Names are keys, as ``condition_key`` makes them. Further ones may be added at any time, also while others look.
    """

    def __init__(self, same: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._same = same or {}
        self._keys: list[str] = []
        self._owners = array("q")
        self._sizes = array("B")
        self._by_word: dict[str, array[int]] = {}
        self._words: list[str] = []
        self._numbered: list[str] = []
        self._by_gram: dict[str, array[int]] = {}
        self._by_initials: dict[str, array[int]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, names: Iterable[tuple[int, str]]) -> None:
        """Take in names, each with its condition's id; a condition's own name comes before its other ones."""
        fresh: list[str] = []
        for owner, key in names:
            number = len(self._keys)
            self._keys.append(key)
            self._owners.append(owner)
            words = dict.fromkeys(key.split())
            self._sizes.append(min(len(words), 255))
            if 3 <= len(words) <= LONGEST_INITIALS:
                self._by_initials.setdefault("".join(word[0] for word in words), array("l")).append(number)
            for word in words:
                if word not in self._by_word:
                    self._by_word[word] = array("l")
                    fresh.append(word)
                self._by_word[word].append(number)
        self._learn_words(fresh)

    def find(self, key: str) -> list[Hit]:
        """Conditions whose names come near a key, nearest first, each once; those that studies concern are not told."""
        typed = _words_of(key)
        if not typed:
            return []
        found = _nearest([*self._weighed(key, [self._spelled(word) for word in typed]), *self._abbreviated(key)])
        whole = {hit.condition_id for hit in found if hit.nearness <= Nearness.PARTS}
        is_known = any(hit.nearness <= Nearness.ALL_WORDS for hit in found)
        if len(whole) < FEW and not is_known:
            fits = [self._spelled(word) | self._misspelled(word) for word in typed]
            found = _nearest([*found, *self._weighed(key, fits)])
        return found[:MOST_HITS]

    def _abbreviated(self, key: str) -> Iterator[Hit]:
        """The conditions whose names begin with these letters, word by word."""
        for number in self._by_initials.get(key, ()):
            yield Hit(condition_id=self._owners[number], key=self._keys[number], nearness=Nearness.INITIALS, more=0)

    def _with_same(self, fits: Mapping[str, int]) -> dict[str, int]:
        """The fits with words that mean the same, which fit as well."""
        wider = dict(fits)
        for word, fit in fits.items():
            for other in self._same.get(word, ()):
                if other in self._by_word:
                    wider[other] = min(fit, wider.get(other, fit))
        return wider

    def _learn_words(self, fresh: list[str]) -> None:
        for word in fresh:
            number = len(self._numbered)
            self._numbered.append(word)
            for gram in grams(word):
                self._by_gram.setdefault(gram, array("l")).append(number)
        if len(fresh) > len(self._words) // 4:
            self._words = sorted([*self._words, *fresh])
            return
        for word in fresh:
            insort(self._words, word)

    def _spelled(self, word: str) -> dict[str, int]:
        """Words of names that are this word, begin with it or have it in them."""
        fits: dict[str, int] = dict.fromkeys(self._begun(word), int(_Fit.BEGIN)) if len(word) >= 2 else {}
        if len(word) >= 4 and len(fits) < FEW:
            fits = {other: int(_Fit.PART) for other in self._alike(word, share=PART_SHARE) if word in other} | fits
        fits |= {same: int(_Fit.WHOLE) for same in _numbers_of(word) if same in self._by_word}
        fits |= {same: int(_Fit.WHOLE) for same in self._same.get(word, ()) if same in self._by_word}
        return self._with_same(fits) if len(word) >= 4 else fits

    def _begun(self, word: str) -> Iterator[str]:
        start = bisect_left(self._words, word)
        for other in self._words[start : start + MOST_BEGUN]:
            if not other.startswith(word):
                return
            yield other

    def _misspelled(self, word: str) -> dict[str, int]:
        """Words of names that this word may be a slip for, with how many slips; what many names have is no slip."""
        most = 0 if len(word) < 4 or any(map(str.isdigit, word)) else 1 if len(word) < 6 else 2
        if not most or len(self._by_word.get(word, ())) >= COMMON:
            return {}
        near = (other for other in self._alike(word, share=TYPO_SHARE) if abs(len(other) - len(word)) <= most)
        forms = (word, word[:-1]) if word.endswith("s") else (word,)
        fits: dict[str, int] = {}
        for other in islice(near, MOST_SPELLINGS):
            slips = min(distance(form, other, most=most) for form in forms)
            if other != word and slips <= most:
                fits[other] = _Fit.TYPO + slips - 1 if slips else _Fit.WHOLE
        return self._with_same(fits)

    def _alike(self, word: str, *, share: float) -> Iterator[str]:
        """Words of names that have this share of the word's pairs of letters, those with the most first."""
        shared: Counter[int] = Counter()
        wanted = grams(word)
        for gram in wanted:
            shared.update(self._by_gram.get(gram, ()))
        enough = len(wanted) * share
        ranked = sorted([(-count, number) for number, count in shared.items() if count >= enough])
        return (self._numbered[number] for _, number in ranked)

    def _weighed(self, key: str, fits: list[dict[str, int]]) -> list[Hit]:
        """The conditions whose names have these words, nearest first; with some of the words where few have all."""
        bests = [self._best(fit, alone=len(fits) == 1) for fit in fits]
        whole = set(bests[0]).intersection(*bests[1:])
        hits = [self._hit(number, key, [best[number] for best in bests]) for number in whole]
        if len(hits) < FEW and len(fits) > 1:
            hits += self._partly(key, fits, bests, whole)
        return hits

    def _partly(self, key: str, fits: list[dict[str, int]], bests: list[dict[int, int]], whole: set[int]) -> list[Hit]:
        """The conditions whose names have most of what is rare among these words."""
        weights = [self._rarity(fit) for fit in fits]
        covered: dict[int, float] = {}
        for weight, best in sorted(zip(weights, bests, strict=True), key=lambda one: -one[0]):
            for number in best if len(covered) < MOST_NAMES else covered.keys() & best.keys():
                covered[number] = covered.get(number, 0.0) + weight / sum(weights)
        likely = [number for number, share in covered.items() if share >= LEAST_SHARE and number not in whole]
        likely.sort(key=lambda number: (-covered[number], self._sizes[number]))
        return [
            self._hit(number, key, [best[number] for best in bests if number in best], missing=1 - covered[number])
            for number in likely[:MOST_HITS]
        ]

    def _best(self, fit: Mapping[str, int], *, alone: bool) -> dict[int, int]:
        """By name, how well its best word fits; of very many names for one short word, those that fit well."""
        taken, names = [], 0
        for word, grade in sorted(fit.items(), key=lambda one: (one[1], len(one[0]))):
            if alone and names > MOST_NAMES:
                break
            taken.append((word, grade))
            names += len(self._by_word[word])
        best: dict[int, int] = {}
        for word, grade in reversed(taken):
            best.update(dict.fromkeys(self._shortest(word) if alone else self._by_word[word], grade))
        return best

    def _shortest(self, word: str) -> Sequence[int]:
        names = self._by_word[word]
        return names if len(names) <= MOST_NAMES else sorted(names, key=self._sizes.__getitem__)[:MOST_NAMES]

    def _rarity(self, fit: Mapping[str, int]) -> float:
        names = sum(len(self._by_word[word]) for word, grade in fit.items() if grade == _Fit.WHOLE)
        return log(2 + len(self._keys) / (1 + names))

    def _hit(self, number: int, key: str, grades: list[int], *, missing: float = 0.0) -> Hit:
        name = self._keys[number]
        more = max(0, self._sizes[number] - len(grades))
        return Hit(
            condition_id=self._owners[number], key=name, more=more, nearness=_nearness(name, key, grades, more, missing)
        )


def _nearness(name: str, key: str, grades: list[int], more: int, missing: float) -> int:
    if missing:
        return Nearness.SOME_WORDS + int(missing * 10)
    if name == key:
        return Nearness.SAME
    if max(grades) == _Fit.WHOLE and not more:
        return Nearness.SAME_WORDS
    if max(grades) >= _Fit.TYPO:
        return Nearness.MISSPELLED + min(2, sum(max(0, grade - 2) for grade in grades) - 1)
    if max(grades) == _Fit.WHOLE:
        return Nearness.BEGINS if name.startswith(key) else Nearness.ALL_WORDS
    return Nearness.PARTS if _Fit.PART in grades else Nearness.BEGUN


def _nearest(hits: Iterable[Hit]) -> list[Hit]:
    """Hits nearest first, each condition once."""
    first: dict[int, Hit] = {}
    for hit in sorted(hits, key=lambda one: (one.nearness, one.more, len(one.key), one.key)):
        first.setdefault(hit.condition_id, hit)
    return list(first.values())


def _words_of(key: str) -> list[str]:
    words = list(dict.fromkeys(key.split()))[:12]
    return [word for word in words if word not in _SMALL_WORDS] or words


def _numbers_of(word: str) -> tuple[str, ...]:
    """A word in singular and plural; people also write the possessive without its apostrophe."""
    if len(word) < 4:
        return (word,)
    forms = [word, f"{word}s", f"{word}es"]
    if word.endswith("s"):
        forms.append(word[:-1])
    if word.endswith("es"):
        forms.append(word[:-2])
    if word.endswith("ies"):
        forms.append(f"{word[:-3]}y")
    if word.endswith("y"):
        forms.append(f"{word[:-1]}ies")
    return tuple(forms)
