"""Conditions as concepts: how their names are compared, and which conditions a study concerns."""

import re
import unicodedata
from dataclasses import dataclass

from notifier.domain.trials import Term, TrialFacts

LONGEST_NAME = 200

_POSSESSIVE = re.compile(r"['\u2019]s?\b")
_NOT_A_WORD = re.compile(r"[^\w+]+")
_SPELLINGS = (
    ("ischaem", "ischem"),
    ("leukaem", "leukem"),
    ("anaem", "anem"),
    ("haem", "hem"),
    ("tumour", "tumor"),
    ("oesoph", "esoph"),
    ("oedem", "edem"),
    ("paediatr", "pediatr"),
    ("diarrhoea", "diarrhea"),
    ("coeliac", "celiac"),
)


def condition_key(name: str) -> str:
    """The form in which names of conditions are compared.

    Case, accents, punctuation, possessives and British spelling do not tell conditions apart; an inverted name
    ("Stroke, Ischemic") reads as people say it. ``Parkinson's Disease`` and ``PARKINSON DISEASE`` give one key.
    """
    head, comma, tail = name.partition(",")
    straight = f"{tail} {head}" if comma and "," not in tail else name
    return folded(straight)[:LONGEST_NAME]


def folded(text: str) -> str:
    """Words as they are compared: without case, accents, punctuation, possessives and British spelling."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    words = " ".join(_NOT_A_WORD.sub(" ", _POSSESSIVE.sub("", plain)).replace("_", " ").split())
    for british, american in _SPELLINGS:
        words = words.replace(british, american)
    return words


BROADER = "broader"
"""How a study concerns a condition that is broader than its own: who wants no narrower ones does not mean it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """That a study concerns a condition, and how we know: listed, derived or broader."""

    key: str
    name: str
    how: str
    mesh_id: str | None = None


def concerns_of(facts: TrialFacts) -> tuple[Concern, ...]:
    """The conditions a study is about, one a key; what it only mentions or excludes is not among them.

    The registry's derived terms come first because their names are the standard ones, then what the registrant
    listed, then the broader terms.
    """
    found: dict[str, Concern] = {}
    for term in facts.meshes:
        _add(found, _of_term(term, "derived"))
    for name in facts.conditions:
        _add(found, Concern(key=condition_key(name), name=name, how="listed"))
    for term in facts.ancestors:
        _add(found, _of_term(term, "broader"))
    return tuple(found.values())


def tails(key: str) -> tuple[str, ...]:
    """The shorter keys that a longer one ends with, longest first: an acute ischemic stroke is an ischemic stroke.

    English puts the disease last, so a tail names a broader condition. Used only where the registry derived none.
    """
    words = key.split()
    return tuple(" ".join(words[start:]) for start in range(1, len(words)))


def mesh_id(text: str) -> str:
    """A MeSH identifier as the vocabulary writes it today.

    Records served before late 2024 carry zero-padded ones (``D000008659`` for ``D008659``); MeSH's own six-digit
    numbers end at D066331 and its nine-digit ones begin at D000066388.
    """
    match = re.fullmatch(r"([A-Z])(\d{1,11})", text.strip())
    if match is None:
        return text.strip()
    letter, number = match.group(1), int(match.group(2))
    return f"{letter}{number:06d}" if number < 66_000 else f"{letter}{number:09d}"


def _of_term(term: Term, how: str) -> Concern:
    return Concern(key=condition_key(term.name), name=term.name, how=how, mesh_id=term.id)


def _add(found: dict[str, Concern], concern: Concern) -> None:
    if concern.key and concern.key not in found:
        found[concern.key] = concern
