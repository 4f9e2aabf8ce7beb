"""Cuts long texts down, at the borders of words and sentences."""

import re

LONGEST = 300
ELLIPSIS = "…"

_SENTENCE_END = re.compile(r"[.!?][\"”’)\]]?(?=\s|$)")


def clipped(text: str, longest: int = LONGEST) -> str:
    """The beginning of a text, ended at a word border with an ellipsis where it is longer."""
    if len(text) <= longest:
        return text
    head = text[: longest - 1]
    return (head[: head.rfind(" ")] if " " in head[longest // 2 :] else head).rstrip(" ,;:") + ELLIPSIS


def first_sentences(text: str, longest: int) -> str:
    """As many whole sentences as fit; words where not even one fits."""
    if len(text) <= longest:
        return text
    ends = [match.end() for match in _SENTENCE_END.finditer(text[: longest + 1]) if match.end() <= longest]
    return text[: ends[-1]] if ends and ends[-1] >= longest // 3 else clipped(text, longest)
