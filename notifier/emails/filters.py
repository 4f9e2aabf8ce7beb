"""What a mail's template may do to a value: shorten it, write a date, mark what differs, style an element."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime
from functools import cache

import css_inline
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from markupsafe import Markup

from notifier.domain import excerpts
from notifier.domain.digests import Card, ChangeLine, Fact, MaskedContact, Piece
from notifier.emails.scripts import foreign

LONGEST_VALUE = 600
"""What a card says of one side of a change is short already; this only keeps a mail from bursting."""

TONES = ("stop", "open", "closed", "results", "site", "join", "plan", "info")
"""The tones a card or line may have, heaviest first."""

# The English of the world outside the United States writes 2 March 2026, as everything else we write does.
_ENGLISH = Locale.parse("en_001")
_DATE = re.compile(r"\b\d{1,2}\.? [^\W\d_]+ \d{4}\b| ·")


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


def unbroken(text: str) -> str:
    """The text, its days and the dots between its parts bound so that no line of HTML breaks in or before them."""
    return _DATE.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)


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


def untold_facts(card: Card) -> list[Fact]:
    """What a card says of its study at a glance, without what one of its lines tells already."""
    told = [line.after for line in card.lines]
    return [fact for fact in card.facts if fact.value not in told]


def marks(contact: MaskedContact, phone: str, email: str) -> list[str]:
    """The means by which a contact could be reached, each with what it is called and its marks."""
    means = ((phone, contact.phone), (email, contact.email))
    return [f"{name}: {mark}" for name, mark in means if mark is not None]


def line_breaks(text: str) -> Markup:
    """The text escaped for HTML, its line ends kept."""
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    return foreign(lines[0]) if len(lines) == 1 else Markup("<br>").join(map(foreign, lines))


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
        Markup("").join(
            opening + foreign(piece.text) + closing if piece.marked else foreign(piece.text) for piece in line
        )
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


def styled(css: str, hooks: str) -> Callable[[str], Markup]:
    """A filter that writes the ``style`` of class names of this style sheet.

    It writes ``class`` too, but only those that ``hooks`` has rules for: the style sheets for small and dark screens.
    Jinja applies it to fixed names while it compiles a template, so that no mail pays for it. The HTML of a template is
    never parsed for this: an HTML parser would move and escape what Jinja writes between table cells.
    """
    known, hooked = _classes_in(css), _classes_in(hooks)
    if strangers := hooked - known:
        raise LookupError(f"nothing has the style {', '.join(sorted(strangers))}")

    @cache
    def apply(names: str) -> Markup:
        if unknown := set(names.split()) - known:
            raise LookupError(f"no style is known for {', '.join(sorted(unknown))}")
        element = css_inline.inline_fragment(f'<p class="{names}"></p>', css, minify_css=True)
        style = element.removeprefix(f'<p class="{names}" ').removesuffix("></p>")
        kept = " ".join(name for name in names.split() if name in hooked)
        return Markup(f'class="{kept}" {style}' if kept else style)  # noqa: S704 - made of the style sheet alone

    return apply


def _classes_in(css: str) -> set[str]:
    return set(re.findall(r"\.([a-z][a-z0-9-]*)(?=[^{}]*\{)", css))


def mirrored(css: str) -> str:
    """A style sheet for languages that run from right to left: left and right change places."""
    swapped = re.sub(r"\b(left|right)\b", lambda side: {"left": "right", "right": "left"}[side[0]], css)
    return re.sub(r"(padding|margin): (\S+) (\S+) (\S+) (\S+);", r"\1: \2 \5 \4 \3;", swapped)


@cache
def scoped(css: str, scope: str) -> str:
    """The rules of a style sheet, for what is inside ``scope`` only."""
    return re.sub(
        r"(?m)^([^{}\n]+)(?= \{)", lambda rule: ", ".join(f"{scope} {one}" for one in rule[1].split(", ")), css
    )
