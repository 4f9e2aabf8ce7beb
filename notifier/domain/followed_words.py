"""Words that readers follow as text: what of a study is searched for them, and which of them it says."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from notifier.domain.conditions import condition_key, folded
from notifier.domain.masking import mask_text
from notifier.domain.trials import TrialFacts

BETWEEN = " | "
"""Stands between what a study says in different places, so that no words are found across it."""
_SIGNS = frozenset(" '\u2019,+/().:-")
_LINK = re.compile(r"://|\bwww\.|[\w-]{2,}\.[a-z]{2,}\b", re.IGNORECASE)
"""Also a bare domain, which mail programs make a link of: words stand in mails to whoever they were typed for."""


def as_shown(text: str) -> str:
    """Words as they are shown to all who follow them: letters, digits, and the few signs that names have."""
    kept = (sign if _is_of_a_word(sign) else " " for sign in text)
    return " ".join("".join(kept).split())


def has_contacts(text: str) -> bool:
    """Whether a text says how to reach somebody, or where to go."""
    return mask_text(text) != text or _LINK.search(text) is not None


def _is_of_a_word(sign: str) -> bool:
    # A letter in a circle is a sign by itself, and a letter once it is folded.
    return sign in _SIGNS or any(unicodedata.category(part)[0] in "LNM" for part in unicodedata.normalize("NFKD", sign))


def said_by(facts: TrialFacts) -> str:
    """What a study says about itself in titles, conditions and keywords, folded as names of conditions are."""
    titles = (facts.brief_title, facts.official_title, facts.acronym)
    names = (*facts.conditions, *facts.keywords)
    said = [*(folded(title) for title in titles if title), *(form for name in names for form in _forms(name))]
    return f" {BETWEEN.join(dict.fromkeys(one for one in said if one))} "


class FollowedWords:
    """The words that readers follow, found in what a study says: a look at each word it says, whatever their number."""

    def __init__(self, by_key: Mapping[str, int]) -> None:
        self._by_first: dict[str, list[tuple[str, int]]] = {}
        for key, condition_id in by_key.items():
            self._by_first.setdefault(key.split()[0], []).append((f" {key} ", condition_id))

    def __bool__(self) -> bool:
        return bool(self._by_first)

    def found_in(self, said: str) -> set[int]:
        """The conditions whose words stand there as whole words, one after the other."""
        begun: Iterable[str] = self._by_first.keys() & set(said.split())
        return {found for first in begun for words, found in self._by_first[first] if words in said}


def _forms(name: str) -> tuple[str, str]:
    """A name as it is written, and an inverted one as people say it."""
    return folded(name), condition_key(name)
