"""Finds which members of two lists are the same thing, whatever their order, even when a name was edited a little."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")
Key = Callable[[T], Hashable]

MOST_CANDIDATES = 2_500
ALIKE = 0.8

_NOT_A_WORD = re.compile(r"[^\w]+|_")
_FEW_LETTERS = 8
_SAME_SHARE = 0.6
_SAME_SHARE_OF_MANY = 0.5
_MANY_WORDS = 8
_WHOLE_SHARE = 0.85
_FEWEST_WORDS = 4
_SMALL = 0.3
_NUMBER = 0.5
_SMALL_WORD = re.compile(
    r"an?|and|any|are|as|at|be|by|for|from|ha[sd]|have|history|in|is|known|must|not?|o[nfr]|one|patients?|participants?"
    r"|subjects?|prior|tha[nt]|the|to|who|will|with|within"
)
_TYPED_ALIKE = {
    **dict.fromkeys("‘’‚‛′´`ʼ＇", "'"),
    **dict.fromkeys("“”„‟″«»＂", '"'),
    **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
    **dict.fromkeys("≧⩾", "≥"),
    **dict.fromkeys("≦⩽", "≤"),
    **dict.fromkeys("˃＞﹥", ">"),
    **dict.fromkeys("˂＜﹤", "<"),
    "…": "...", "：": ":", "，": ", ", "；": ";", "（": "(", "）": ")", "\N{KELVIN SIGN}": "K", "μ": "µ",
}  # fmt: skip
_TYPED = re.compile(f"[{''.join(_TYPED_ALIKE)}]")
_AT_LEAST = re.compile(r"([<>]) ?/? ?=|= ?([<>])")


_LONG_NAME = 12
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Alignment(Generic[T]):
    """Members found on both sides, in pairs, and those on one side only."""

    pairs: tuple[tuple[T, T], ...]
    removed: tuple[T, ...]
    added: tuple[T, ...]


def align(
    before: Iterable[T],
    after: Iterable[T],
    *,
    keys: Sequence[Key[T]],
    likeness: Callable[[T, T], float],
    related: Sequence[Callable[[T, T], bool]] = (),
) -> Alignment[T]:
    """Pairs members by each key in turn, the strictest first, then by likeness of at least `ALIKE`.

    A key that is None pairs nothing. What is left is paired where two are `related` to each other and to none else.
    Members with one key are paired in an order of their own, so the order of the lists never matters; `likeness` and
    `related` must not depend on the order of their arguments.
    """
    lost, new = sorted(before, key=repr), sorted(after, key=repr)
    pairs: list[tuple[T, T]] = []
    for key in keys:
        if not lost or not new:
            break
        found, lost, new = _pair_by(key, lost, new)
        pairs += found
    if lost and new and len(lost) * len(new) <= MOST_CANDIDATES:
        found, lost, new = _pair_alike(likeness, lost, new)
        pairs += found
        for relation in related:
            found, lost, new = _pair_related(relation, lost, new)
            pairs += found
    return Alignment(tuple(pairs), tuple(lost), tuple(new))


@lru_cache(maxsize=20_000)
def fold(text: str | None) -> str:
    """A text without case, accents and punctuation, to tell whether two names are one."""
    if not text:
        return ""
    folded = text.casefold()
    if not folded.isascii():
        parts = unicodedata.normalize("NFKD", folded)
        folded = "".join(character for character in parts if not unicodedata.combining(character))
    return " ".join(_NOT_A_WORD.sub(" ", folded).split())


@lru_cache(maxsize=20_000)
def name_as_read(name: str | None) -> str:
    """The name of an organisation or a place as it is compared: its letters and its numbers, each in no order.

    So it does not matter how the words of a name follow each other, where it is spaced and which signs it has. Short
    names keep their order: two of them may well be made of the same letters.
    """
    folded = fold(name)
    letters = folded.replace(" ", "")
    if len(letters) < _LONG_NAME:
        return letters
    return " ".join(("".join(sorted(_NUMBERS.sub("", letters))), *sorted(_NUMBERS.findall(folded))))


def same_text(one: str | None, other: str | None) -> bool:
    """Whether two texts read the same: white space, capitals and the way characters were typed do not count."""
    return one == other or as_read(one) == as_read(other)


def squeezed(text: str | None) -> str | None:
    """A text with single spaces and composed characters."""
    if text is None:
        return None
    return " ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).split())


def as_read(text: str | None) -> str | None:
    """A text as it is compared: which quotes, dashes, spaces, capitals, signs for "at least" were typed is all one."""
    plain = squeezed(text)
    if plain is None:
        return None
    if not plain.isascii():
        plain = squeezed(_TYPED.sub(_typed_alike, plain)) or ""
    if "=" in plain:
        plain = _AT_LEAST.sub(_one_sign, plain)
    plain = plain.casefold()
    return plain.rstrip(" .") or plain


def text_likeness(one: str | None, other: str | None) -> float:
    """How alike two names are, 0 to 1: names that differ in a number or a letter of their own are different things."""
    first, second = sorted((fold(one), fold(other)))
    if not first or first == second:
        return 1.0 if first else 0.0
    if _marks(first) != _marks(second) and _marks(first) and _marks(second):
        return 0.0
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE else 0.0


def words_likeness(one: str | None, other: str | None) -> float:
    """How alike two sentences are, as `align` wants it: by the words they share, of which small words count little.

    One that took in more words is still itself. Numbers count half, so another age or dose makes no other sentence.
    """
    words, others = _words(one or ""), _words(other or "")
    shared = _weigh(words & others)
    total = _weigh(words) + _weigh(others)
    if not shared:
        return 0.0
    share, fewer = 2 * shared / total, min(_weigh(words), _weigh(others))
    enough = _SAME_SHARE_OF_MANY if fewer >= _MANY_WORDS else _SAME_SHARE
    if share >= enough:
        return ALIKE + (1 - ALIKE) * (share - enough) / (1 - enough)
    is_longer_now = fewer >= _FEWEST_WORDS and shared >= _WHOLE_SHARE * fewer
    return ALIKE if is_longer_now else 0.0


def is_longer_name(one: str | None, other: str | None) -> bool:
    """Whether one name holds all words of the other, as when a department is added to a hospital."""
    shorter, longer = sorted((fold(one), fold(other)), key=lambda text: (len(text), text))
    return len(shorter) >= _FEW_LETTERS and " " in shorter and set(shorter.split()) <= set(longer.split())


def _typed_alike(match: re.Match[str]) -> str:
    return _TYPED_ALIKE[match.group()]


def _one_sign(match: re.Match[str]) -> str:
    return "≥" if ">" in match.group() else "≤"


def _marks(folded: str) -> list[str]:
    return sorted(word for word in folded.split() if len(word) == 1 or any(sign.isdigit() for sign in word))


@lru_cache(maxsize=20_000)
def _words(text: str) -> Counter[str]:
    return Counter(fold(text).split())


def _weigh(words: Counter[str]) -> float:
    return sum(_word_weight(word) * count for word, count in words.items())


@lru_cache(maxsize=20_000)
def _word_weight(word: str) -> float:
    if any(sign.isdigit() for sign in word):
        return _NUMBER
    return _SMALL if _SMALL_WORD.fullmatch(word) else 1.0


def _pair_by(key: Key[T], lost: list[T], new: list[T]) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    waiting: defaultdict[Hashable, list[T]] = defaultdict(list)
    for member in new:
        waiting[key(member)].append(member)
    pairs, left = [], []
    for member in lost:
        name = key(member)
        same = waiting[name] if name is not None else []
        if same:
            pairs.append((member, same.pop(0)))
        else:
            left.append(member)
    return pairs, left, sorted((member for members in waiting.values() for member in members), key=repr)


def _pair_alike(
    likeness: Callable[[T, T], float], lost: list[T], new: list[T]
) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    """The most alike first; among equals an order that does not depend on which side is before."""
    scored = [
        (-score, sorted((repr(old), repr(fresh))), i, j)
        for i, old in enumerate(lost)
        for j, fresh in enumerate(new)
        if (score := likeness(old, fresh)) >= ALIKE
    ]
    taken: dict[int, int] = {}
    found: set[int] = set()
    for _, _, i, j in sorted(scored):
        if i not in taken and j not in found:
            taken[i] = j
            found.add(j)
    return _split(taken, lost, new)


def _pair_related(
    related: Callable[[T, T], bool], lost: list[T], new: list[T]
) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    """Those that are related to each other alone; which of several it is could only be guessed."""
    found = [(i, j) for i, old in enumerate(lost) for j, fresh in enumerate(new) if related(old, fresh)]
    of_old, of_new = Counter(i for i, _ in found), Counter(j for _, j in found)
    return _split({i: j for i, j in found if of_old[i] == of_new[j] == 1}, lost, new)


def _split(taken: dict[int, int], lost: list[T], new: list[T]) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    """The members by whether a pair was found, given by their places in both lists."""
    found = set(taken.values())
    pairs = [(lost[i], new[j]) for i, j in sorted(taken.items())]
    left = [member for i, member in enumerate(lost) if i not in taken]
    return pairs, left, [member for j, member in enumerate(new) if j not in found]
