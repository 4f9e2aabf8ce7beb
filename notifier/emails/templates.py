"""Renders what a mailbox reads: subject, plain text and HTML of a digest, a confirmation, a link to the preferences."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.ext import Extension
from markupsafe import Markup

from notifier.domain.digests import Card, Confirmation, Digest, PreferencesLink
from notifier.domain.languages import spoken
from notifier.emails import filters
from notifier.emails.catalogs import translate_templates
from notifier.errors import TemplatesMissing

Mail: TypeAlias = Digest | Confirmation | PreferencesLink
Format: TypeAlias = Literal["html", "txt"]
Shape: TypeAlias = Literal["card", "row"]

FULL_CARDS = 24_000
"""How many characters of HTML full cards may take; the studies beyond are shown in short.

Gmail cuts a mail off after about 102 kB, and with it the links to end it: https://developers.google.com/gmail/markup
"""
KEPT_CARDS = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMail:
    """One mail as people read it; ``text`` and ``html`` say the same."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A section with its cards rendered: the weighty ones in full, the others as rows."""

    heading: str
    reason: str
    end_url: str
    cards: tuple[str, ...]
    rows: tuple[str, ...]


class _WithoutIndentation(Extension):
    """Drops the indentation of HTML templates, which is for people who edit them."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE)


def template_root() -> Path:
    """The folder of all templates: inside the package in a wheel, beside it in a checkout.

    Raises:
        TemplatesMissing: neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package / "templates", package.parent / "templates"):
        if (root / "emails").is_dir():
            return root
    raise TemplatesMissing(f"no folder templates/emails in or beside {package.name}: install the package again")


def render_digest(digest: Digest) -> RenderedMail:
    """One digest; its cards are rendered once for all readers who get the same.

    Raises:
        TemplatesMissing: the package was installed without its templates.
    """
    full = _cards_in_full(digest)
    return _render(
        "digest",
        digest,
        text_sections=_sections(digest, full, "txt"),
        html_sections=_sections(digest, full, "html"),
    )


def render_confirmation(confirmation: Confirmation) -> RenderedMail:
    """The mail that asks a mailbox's owner to confirm; raises as `render_digest` does."""
    return _render("confirmation", confirmation)


def render_preferences(link: PreferencesLink) -> RenderedMail:
    """The mail with a fresh link to the preferences; raises as `render_digest` does."""
    return _render("preferences", link)


def _render(
    name: str, mail: Mail, *, text_sections: tuple[_Section, ...] = (), html_sections: tuple[_Section, ...] = ()
) -> RenderedMail:
    language = spoken(mail.language)
    words = {"mail": mail, "language": language, "direction": filters.locale_of(language).text_direction}
    plain = _environment("txt", language)
    subject = " ".join(plain.get_template(f"{name}/subject.txt").render(words).split())
    text = plain.get_template(f"{name}/body.txt")
    html = _environment("html", language).get_template(f"{name}/body.html")
    return RenderedMail(
        subject=subject,
        text=filters.tidied(text.render(words, subject=subject, sections=text_sections)),
        html=html.render(words, subject=subject, sections=html_sections),
    )


def _cards_in_full(digest: Digest) -> frozenset[Card]:
    """The heaviest cards that fit into the space for full cards, and at least one."""
    cards = [card for section in digest.sections for card in section.cards]
    full: set[Card] = set()
    used = 0
    for card in sorted(cards, key=lambda card: filters.TONES.index(filters.known_tone(card.tone))):
        used += len(_fragment(card, spoken(digest.language), "html", "card"))
        if full and used > FULL_CARDS:
            break
        full.add(card)
    return frozenset(full)


def _sections(digest: Digest, full: frozenset[Card], form: Format) -> tuple[_Section, ...]:
    language = spoken(digest.language)

    def rendered(cards: list[Card], shape: Shape) -> tuple[str, ...]:
        return tuple(_fragment(card, language, form, shape) for card in cards)

    return tuple(
        _Section(
            heading=section.heading,
            reason=section.reason,
            end_url=section.end_url,
            cards=rendered([card for card in section.cards if card in full], "card"),
            rows=rendered([card for card in section.cards if card not in full], "row"),
        )
        for section in digest.sections
    )


@lru_cache(maxsize=KEPT_CARDS)
def _fragment(card: Card, language: str, form: Format, shape: Shape) -> str:
    text = _environment(form, language).get_template(f"_base/{shape}.{form}").render(card=card, language=language)
    return filters.tidied(text) if form == "txt" else Markup(text)  # noqa: S704 - rendered with autoescape


@cache
def _environment(form: Format, language: str) -> Environment:
    root = template_root() / "emails"
    environment = Environment(
        loader=FileSystemLoader(root),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=[_WithoutIndentation] if form == "html" else [],
    )
    translate_templates(environment, language, form=Markup if form == "html" else str)
    names = ("clipped", "day", "itemised", "line_breaks", "marked", "marks", "moment", "tone_class", "wrapped")
    environment.filters |= {name: getattr(filters, name) for name in names}
    environment.tests["shortened"] = filters.shortened
    environment.filters["styled"] = filters.styled((root / "_base" / "mail.css").read_text(encoding="utf-8"))
    return environment
