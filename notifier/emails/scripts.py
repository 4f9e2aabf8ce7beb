"""Texts in scripts other than our own: which language a reader's program shall speak them in, and from which side."""

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

_HAN, _KANA = "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff", "\u3041-\u30ff\uff66-\uff9f"


@dataclass(frozen=True, slots=True)
class _Script:
    """A script, the language most of its texts in the registry are in, and whether it runs from right to left."""

    letters: str
    language: str
    leftward: bool = False

    @property
    def attributes(self) -> Markup:
        return Markup(f' lang="{self.language}"' + (' dir="rtl"' if self.leftward else ""))  # noqa: S704 - fixed


_SCRIPTS = (
    _Script("\u0591-\u05f4\ufb1d-\ufb4f", "he", leftward=True),
    _Script("\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc", "ar", leftward=True),
    _Script("\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3", "ko"),
    _Script(f"{_HAN}{_KANA}", "zh"),
)
_JAPANESE = re.compile(f"[{_KANA}]")
# A stretch goes from the first letter of a script to its last, over spaces, marks and digits in between.
_STRETCHES = re.compile("|".join(f"([{one.letters}](?:[\\W\\d]*[{one.letters}])*)" for one in _SCRIPTS))
_OWN_LETTER = re.compile("[A-Za-z\u00c0-\u024f]")


def foreign(text: str) -> Markup:
    """A text for HTML, what is in Hebrew, Arabic, Chinese, Japanese or Korean letters marked with language and side.

    A programme that reads aloud then takes the right voice, and a line of both kinds keeps its order.
    """
    if text.isascii() or not (first := _STRETCHES.search(text)):
        return escape(text)
    if not _OWN_LETTER.search(text):
        return _spoken(first, text)
    parts, end = [], 0
    for found in _STRETCHES.finditer(text):
        parts += [escape(text[end : found.start()]), _spoken(found, found[0])]
        end = found.end()
    return Markup("").join([*parts, escape(text[end:])])


def isolated(text: str) -> str:
    """The same for plain text, where only the order can be kept: what runs from right to left, in isolating marks."""
    if text.isascii() or not _OWN_LETTER.search(text):
        return text
    return _STRETCHES.sub(lambda found: f"\u2068{found[0]}\u2069" if _script_of(found).leftward else found[0], text)


def _script_of(found: re.Match[str]) -> _Script:
    return _SCRIPTS[(found.lastindex or 1) - 1]


def _spoken(found: re.Match[str], text: str) -> Markup:
    script = _script_of(found)
    if script.language == "zh" and _JAPANESE.search(text):
        script = _Script("", "ja")
    return Markup("<span{}>{}</span>").format(script.attributes, text)
