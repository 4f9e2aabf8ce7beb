"""What a mail's template may do to a value: shorten, wrap and count words, write a date, style an element."""

import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime
from functools import cache, lru_cache
from unicodedata import east_asian_width

import css_inline
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from markupsafe import Markup, escape

from notifier.domain import excerpts
from notifier.domain.digests import ChangeLine, MaskedContact, Piece

COLUMNS = 72
KEPT_TEXTS = 1_024
"""How many wrapped texts are kept: most of a mail's are the same for every reader."""
LONGEST_VALUE = 600
"""What a card says of one side of a change is short already; this only keeps a mail from bursting."""

TONES = ("stop", "open", "closed", "results", "site", "join", "plan", "info")
"""The tones a card or line may have, heaviest first."""

# The English of the world outside the United States writes 2 March 2026, as everything else we write does.
_ENGLISH = Locale.parse("en_001")


def locale_of(language: str) -> Locale:
    """The locale that dates are written in; English for a language nobody knows."""
    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return _ENGLISH
    return _ENGLISH if str(locale) == "en" else locale


def day(value: date, language: str) -> str:
    """A date in words, such as 2 March 2026."""
    return format_date(value, "long", locale=locale_of(language))


def moment(value: datetime, language: str) -> str:
    """A date and time of day in words; the time is given as UTC."""
    return f"{day(value, language)}, {format_datetime(value, 'HH:mm', locale=locale_of(language))} UTC"


def clipped(text: str, length: int = LONGEST_VALUE) -> str:
    """The text, cut at the end of a word and marked with an ellipsis where it is longer than ``length``."""
    return excerpts.clipped(text.strip(), length)


def shortened(line: ChangeLine) -> bool:
    """Whether something of the line is left out when its texts are clipped."""
    return any(text != clipped(text) for text in (line.before, line.after, line.note) if text is not None)


def itemised(text: str) -> str:
    """The text with a dash before each line, where it has several."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(f"– {line}" for line in lines) if len(lines) > 1 else text


def marks(contact: MaskedContact, phone: str, email: str) -> list[str]:
    """The means by which a contact could be reached, each with what it is called and its marks."""
    means = ((phone, contact.phone), (email, contact.email))
    return [f"{name}: {mark}" for name, mark in means if mark is not None]


@lru_cache(maxsize=KEPT_TEXTS)
def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Plain text in lines of at most 72 columns, ``first`` before the first line and ``rest`` before the others."""
    wide = not text.isascii() and any(east_asian_width(character) in "WF" for character in text)
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.splitlines()]
    lines: list[str] = []
    for paragraph in filter(None, paragraphs):
        lines += textwrap.wrap(
            paragraph,
            # A wide character takes two columns, and such a text has no spaces to break at.
            width=COLUMNS // 2 if wide else COLUMNS,
            initial_indent=rest if lines else first,
            subsequent_indent=rest,
            break_long_words=wide,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def line_breaks(text: str) -> Markup:
    """The text escaped for HTML, its line ends kept."""
    lines = (line.strip() for line in text.splitlines())
    return Markup("<br>").join(escape(line) for line in lines if line)


def marked(pieces: tuple[Piece, ...], whole: str, tag: str, attributes: str = "") -> Markup:
    """A text for HTML, its marked pieces each in an element of their own, line by line as `itemised` has them.

    Without marks where there are none, or where the text had to be clipped.
    """
    text = clipped(whole)
    if not pieces or "".join(piece.text for piece in pieces) != text:
        return line_breaks(itemised(text))
    opening = Markup(f"<{tag} {attributes}".rstrip() + ">")  # noqa: S704 - fixed names of our own templates
    closing = Markup(f"</{tag}>")  # noqa: S704
    shown = [
        Markup("").join(opening + piece.text + closing if piece.marked else escape(piece.text) for piece in line)
        for line in _lines_of(pieces)
    ]
    dash = "– " if len(shown) > 1 else ""
    return Markup("<br>").join(dash + line.strip() for line in shown)


def _lines_of(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """The pieces line by line, without empty lines."""
    lines: list[list[Piece]] = [[]]
    for piece in pieces:
        first, *others = piece.text.split("\n")
        lines[-1].append(replace(piece, text=first))
        lines += [[replace(piece, text=text)] for text in others]
    return [[piece for piece in line if piece.text] for line in lines if any(piece.text.strip() for piece in line)]


def tidied(text: str) -> str:
    """Plain text without spaces at line ends, without double blank lines, with one line end at its end."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"


def known_tone(tone: str) -> str:
    """The tone itself; one that nobody knows counts as plain information."""
    return tone if tone in TONES else TONES[-1]


def tone_class(tone: str) -> str:
    """The style class of a tone."""
    return f"tone-{known_tone(tone)}"


def styled(css: str) -> Callable[[str], Markup]:
    """A filter that writes ``class`` and ``style`` for class names of this style sheet.

    Jinja applies it to fixed names while it compiles a template, so that no mail pays for it. The HTML of a template is
    never parsed for this: an HTML parser would move and escape what Jinja writes between table cells.
    """
    known = set(re.findall(r"\.([a-z][a-z0-9-]*)", css))

    @cache
    def apply(names: str) -> Markup:
        if unknown := set(names.split()) - known:
            raise LookupError(f"no style is known for {', '.join(sorted(unknown))}")
        element = css_inline.inline_fragment(f'<p class="{names}"></p>', css, minify_css=True)
        return Markup(element.removeprefix("<p ").removesuffix("></p>"))  # noqa: S704 - made of the style sheet alone

    return apply
