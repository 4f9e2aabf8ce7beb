"""The languages a reader may choose, and which of them fits what a browser or a program asks for."""

import re

from babel import Locale

from notifier.domain.vocabulary import DEFAULT_LANGUAGE, LANGUAGES
from notifier.errors import UnknownLanguage

_LONGEST_HEADER = 500
_ACCEPTED = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*")


def gettext_noop(text: str) -> str:
    """The text itself: marks one for the catalogs that is translated only where a page shows it."""
    return text


def list_languages() -> list[str]:
    """The codes of the languages that everything can be said in, the default one first."""
    return sorted(LANGUAGES, key=lambda code: (code != DEFAULT_LANGUAGE, code))


def own_name(code: str) -> str:
    """What a language is called by those who speak it: ``Deutsch``."""
    return str(Locale.parse(code).get_display_name()).capitalize()


def find_language(tag: str) -> str | None:
    """The language of a tag such as ``de``, ``de-AT`` or ``DE_at``, if everything can be said in it."""
    code = tag.strip().replace("_", "-").partition("-")[0].lower()
    return code if code in LANGUAGES else None


def read_language(tag: str) -> str:
    """The language somebody asked for by its tag; a region is left out.

    Raises:
        UnknownLanguage: there are no words for it.
    """
    code = find_language(tag)
    if code is None:
        raise UnknownLanguage(f"The language must be one of: {', '.join(list_languages())}.")
    return code


def spoken(tag: str) -> str:
    """The language that is used for a tag: its own where we have words for it, the default one otherwise."""
    return find_language(tag) or DEFAULT_LANGUAGE


def best_language(accepted: str) -> str:
    """The language that fits an ``Accept-Language`` header best (RFC 9110, section 12.5.4)."""
    wishes: list[tuple[float, str]] = []
    for part in accepted[:_LONGEST_HEADER].split(","):
        match = _ACCEPTED.fullmatch(part)
        if match is not None:
            wishes.append((float(match.group(2) or 1), match.group(1)))
    for quality, tag in sorted(wishes, key=lambda wish: -wish[0]):
        code = DEFAULT_LANGUAGE if tag == "*" else find_language(tag)
        if quality and code:
            return code
    return DEFAULT_LANGUAGE
