"""Renders what a mailbox reads: subject, plain text and HTML of a digest, a confirmation, a link to the preferences."""

import re
from binascii import b2a_qp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.ext import Extension
from markupsafe import Markup

from notifier.domain.digests import Card, Confirmation, Digest, Goodbye, PreferencesLink, QuietNote, Section
from notifier.domain.languages import spoken
from notifier.domain.tiers import ROOM, Room, Shape, choose_shapes, count_fitting
from notifier.emails import filters
from notifier.emails.catalogs import translate_templates
from notifier.emails.columns import aligned, underlined, wrapped
from notifier.emails.keeping import kept
from notifier.emails.scripts import foreign, isolated
from notifier.errors import TemplatesMissing

Mail: TypeAlias = Digest | Confirmation | PreferencesLink | QuietNote | Goodbye
Format: TypeAlias = Literal["html", "txt"]

KEPT_CARDS = 4_096
FEW_SECTIONS = 8
"""With so few sections, what stands around the cards is no matter of size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMail:
    """One mail as people read it; ``text`` and ``html`` say the same.

    ``size`` is what the HTML takes as it is sent, where that was measured; 0 where it is no matter.
    """

    subject: str
    text: str
    html: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A section with its studies rendered: the weighty ones in full, the next as rows, the rest as links."""

    heading: str
    reason: str
    end_url: str
    cards: tuple[str, ...]
    rows: tuple[str, ...]
    links: tuple[str, ...]


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


def render_digest(digest: Digest, *, room: Room = ROOM) -> RenderedMail:
    """One digest; its cards are rendered once for all readers who get the same.

    The heaviest studies are told in full, the next in short, the rest as links, so that the HTML is no larger than
    there is room for; it is larger only where not even links fit (see `count_fitting`).

    Raises:
        TemplatesMissing: the package was installed without its templates.
    """
    language = spoken(digest.language)
    cards = _ranked(digest)
    sizes = partial(_size_of_one, cards, language)
    if len(digest.sections) <= FEW_SECTIONS and sum(sizes(one, "card") for one in cards) <= room.cards:
        return _render_shapes(digest, dict.fromkeys(cards, "card"))
    taken = _frame_size(digest) + sum(_shell_size(section, language) for section in digest.sections)
    while True:
        shapes = choose_shapes(list(cards), sizes, taken=taken, room=room)
        mail = _render_shapes(digest, shapes)
        size = sent_size(mail.html)
        if size <= room.mail or set(shapes.values()) == {"link"}:
            return replace(mail, size=size)
        taken += size - room.mail


def count_told(digest: Digest, numbers: Sequence[str], *, room: Room = ROOM) -> int:
    """How many of a digest's studies one mail can tell, at least as links, if they are taken in this order.

    Args:
        digest: with all of them.
        numbers: the registry numbers of its studies, those first that must come first.
        room: what there is for the HTML.
    """
    language = spoken(digest.language)
    found = {card.nct_id: (card, section) for section in digest.sections for card in section.cards}
    begun: set[str] = set()
    sizes = [_frame_size(digest)]
    for number in numbers:
        card, section = found[number]
        shell = 0 if section.end_url in begun else _shell_size(section, language)
        begun.add(section.end_url)
        sizes.append(_card_size(card, language, "link") + shell)
    return count_fitting([sizes[0] + sizes[1], *sizes[2:]], room=room.mail)


def sent_size(html: str) -> int:
    """How many bytes an HTML part takes in the message, in quoted-printable and with line ends of two bytes."""
    # The first line end decides which ones `b2a_qp` writes.
    lines = "\r\n" + html.replace("\r\n", "\n").replace("\n", "\r\n")
    return len(b2a_qp(lines.encode(), istext=True)) - len("\r\n")


def render_confirmation(confirmation: Confirmation) -> RenderedMail:
    """The mail that asks a mailbox's owner to confirm; raises as `render_digest` does."""
    return _render("confirmation", confirmation)


def render_preferences(link: PreferencesLink) -> RenderedMail:
    """The mail with a fresh link to the preferences; raises as `render_digest` does."""
    return _render("preferences", link)


def render_quiet(note: QuietNote) -> RenderedMail:
    """The monthly mail that nothing is new; raises as `render_digest` does."""
    return _render("quiet", note)


def render_goodbye(goodbye: Goodbye) -> RenderedMail:
    """The last mail; raises as `render_digest` does."""
    return _render("goodbye", goodbye)


def render_mail(mail: Mail) -> RenderedMail:
    """Any mail; raises as `render_digest` does."""
    match mail:
        case Digest():
            return render_digest(mail)
        case Confirmation():
            return render_confirmation(mail)
        case PreferencesLink():
            return render_preferences(mail)
        case QuietNote():
            return render_quiet(mail)
        case Goodbye():
            return render_goodbye(mail)


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


def _ranked(digest: Digest) -> dict[int, Card]:
    """The studies by their place in the digest, those that matter most first."""
    cards = dict(enumerate(card for section in digest.sections for card in section.cards))
    tones = {tone: rank for rank, tone in enumerate(filters.TONES)}

    def rank(place: int) -> tuple[int, int, int]:
        return -cards[place].weight, tones[filters.known_tone(cards[place].tone)], place

    return {place: cards[place] for place in sorted(cards, key=rank)}


def _render_shapes(digest: Digest, shapes: Mapping[int, Shape]) -> RenderedMail:
    sections: dict[Format, tuple[_Section, ...]] = {form: _sections(digest, shapes, form) for form in ("txt", "html")}
    return _render("digest", digest, text_sections=sections["txt"], html_sections=sections["html"])


def _sections(digest: Digest, shapes: Mapping[int, Shape], form: Format) -> tuple[_Section, ...]:
    language, places = spoken(digest.language), count()
    found = []
    for section in digest.sections:
        told: dict[Shape, list[str]] = {"card": [], "row": [], "link": []}
        for card, place in zip(section.cards, places):  # noqa: B905 - places go on in the next section
            told[shapes[place]].append(_fragment(card, language, form, shapes[place]))
        found.append(_with_fragments(section, told))
    return tuple(found)


def _with_fragments(section: Section, told: Mapping[Shape, Sequence[str]]) -> _Section:
    return _Section(
        heading=section.heading,
        reason=section.reason,
        end_url=section.end_url,
        cards=tuple(told["card"]),
        rows=tuple(told["row"]),
        links=tuple(told["link"]),
    )


@kept(KEPT_CARDS)
def _fragment(card: Card, language: str, form: Format, shape: Shape) -> str:
    text = _environment(form, language).get_template(f"_base/{shape}.{form}").render(card=card, language=language)
    return filters.tidied(text) if form == "txt" else Markup(text)  # noqa: S704 - rendered with autoescape


def _size_of_one(cards: Mapping[int, Card], language: str, place: int, shape: Shape) -> int:
    return _card_size(cards[place], language, shape)


@kept(KEPT_CARDS)
def _card_size(card: Card, language: str, shape: Shape) -> int:
    return sent_size(_fragment(card, language, "html", shape))


def _frame_size(digest: Digest) -> int:
    """What a digest takes without its sections."""
    return sent_size(_render("digest", digest).html)


def _shell_size(section: Section, language: str) -> int:
    """What a section takes beside its studies, with the lines that lead to rows and links where it has several."""
    # Links that end a subscription are all as long, and so one section's size is that of the next reader's.
    shapes: tuple[Shape, ...] = ("link",) if len(section.cards) == 1 else ("card", "row", "link")
    return _kept_shell_size(section.heading, section.reason, len(section.end_url), language, shapes)


@kept(KEPT_CARDS)
def _kept_shell_size(heading: str, reason: str, url_length: int, language: str, shapes: tuple[Shape, ...]) -> int:
    section = Section(heading=heading, reason=reason, end_url="x" * url_length, cards=())
    shell = _with_fragments(section, {shape: ("",) if shape in shapes else () for shape in ("card", "row", "link")})
    empty = Digest(
        language=language, sections=(), changed=1, new=0, as_of=None, cadence="", preferences_url="",
        unsubscribe_url="", one_click_url="", postal_address="", site_name="",
    )  # fmt: skip
    filled = _render("digest", empty, html_sections=(shell,)).html
    return sent_size(filled) - _frame_size(empty)


@kept(None)
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
    names = ("clipped", "day", "itemised", "line_breaks", "marked", "marks", "moment", "scoped", "tone_class")
    environment.filters |= {name: getattr(filters, name) for name in names}
    environment.filters |= {
        "aligned": aligned,
        "foreign": foreign,
        "isolated": isolated,
        "underlined": underlined,
        "wrapped": wrapped,
    }
    environment.tests["shortened"] = filters.shortened
    css, *screens = ((root / "_base" / f"{name}.css").read_text("utf-8") for name in ("mail", "screen", "dark", "word"))
    leftward = filters.locale_of(language).text_direction == "rtl"
    environment.filters["styled"] = filters.styled(filters.mirrored(css) if leftward else css, "\n".join(screens))
    return environment
