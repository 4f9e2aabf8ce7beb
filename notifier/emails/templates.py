"""Renders what a mailbox reads: subject, plain text and HTML of a digest, a confirmation, a link to the preferences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, repeat
from pathlib import Path
from typing import Literal, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from notifier.domain.digests import (
    Card,
    Confirmation,
    Digest,
    Goodbye,
    HandOver,
    Mail,
    Moved,
    NewMailbox,
    PreferencesLink,
    QuietNote,
    Section,
)
from notifier.domain.languages import spoken
from notifier.domain.tiers import ROOM, TIERS, Room, Shape, choose_shapes
from notifier.emails import filters
from notifier.emails.catalogs import translate_templates
from notifier.emails.columns import aligned, underlined, wrapped
from notifier.emails.compiling import WithoutIndentation, compiled_for
from notifier.emails.keeping import kept
from notifier.emails.quoting import Fragment, fragment, quoted, quoted_around
from notifier.emails.scripts import foreign, isolated
from notifier.errors import TemplatesMissing

Format: TypeAlias = Literal["html", "txt"]

KINDS: Mapping[type[Mail], str] = {
    Digest: "digest",
    Confirmation: "confirmation",
    PreferencesLink: "preferences",
    QuietNote: "quiet",
    Goodbye: "goodbye",
    NewMailbox: "new_mailbox",
    HandOver: "hand_over",
    Moved: "moved",
}
"""By the value that a mail is made of: the folder of its templates."""

KEPT_CARDS = 1_024

SEAM = "\ue000"
"""Stands where a mail can be taken apart; private use, so that no text of ours or of a registry has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedMail:
    """One mail as it is sent: its subject, and both parts in quoted-printable."""

    subject: str
    text: bytes
    html: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMail:
    """One mail as people read it; ``text`` and ``html`` say the same.

    ``quoted_text`` and ``quoted_html`` are how they are sent; empty where they are still to be encoded.
    """

    subject: str
    text: str
    html: str
    quoted_text: bytes = b""
    quoted_html: bytes = b""

    @property
    def size(self) -> int:
        """How many bytes the HTML takes as it is sent."""
        return len(self.quoted_html or quoted(self.html))

    def as_sent(self) -> QuotedMail:
        """The same in quoted-printable."""
        return QuotedMail(
            subject=self.subject,
            text=self.quoted_text or quoted(self.text),
            html=self.quoted_html or quoted(self.html),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a study stands in a digest: its card, and the reader's own link that ends just this, if there is one."""

    card: Card
    end_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldStudy:
    """A study in one shape: the ``fragment`` that all its readers share, and beside it a reader's own link."""

    fragment: Fragment
    number: str
    end_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldSection:
    """A section with its studies rendered: the weighty ones in full, the next as rows, the rest as links."""

    heading: str
    reason: str
    end_url: str | None
    cards: tuple[ToldStudy, ...] = ()
    rows: tuple[ToldStudy, ...] = ()
    links: tuple[ToldStudy, ...] = ()

    @property
    def fragments(self) -> Iterator[Fragment]:
        """Those of its studies, as they stand in the mail."""
        return (told.fragment for told in (*self.cards, *self.rows, *self.links))


_NO_FRAGMENT = Fragment("", b"")


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
    there is room for; it is larger only where not even links fit. `joining` makes the same mail faster.

    Raises:
        TemplatesMissing: the package was installed without its templates.
    """
    language = spoken(digest.language)
    places = [place for section in digest.sections for place in _places(section)]
    sizes = [{shape: _size_of(place, language, shape) for shape in TIERS} for place in places]
    taken = _size_without_studies(digest)
    while True:
        shapes = choose_shapes(_ranked(places), sizes, taken=taken, room=room)
        mail = _render_shapes(digest, shapes)
        if mail.size <= room.mail or set(shapes) == {"link"}:
            return mail
        taken += mail.size - room.mail


def render_mail(mail: Mail) -> RenderedMail:
    """Any mail; raises as `render_digest` does."""
    return render_digest(mail) if isinstance(mail, Digest) else _render(KINDS[type(mail)], mail)


def render_frame(form: Format, digest: Digest, *, subject: str = "") -> str:
    """One part of a digest without its sections, a `SEAM` where these would stand, and one where its foot begins."""
    template = _environment(form, spoken(digest.language)).get_template(f"digest/body.{form}")
    text = template.render(_words(digest), subject=subject, sections=(), seam=SEAM)
    return filters.tidied(text) if form == "txt" else text


def render_section(form: Format, language: str, section: ToldSection) -> str:
    """One section of a digest as it stands in it, a `SEAM` where it begins and ends and can be taken apart."""
    template = _environment(form, language).get_template(f"_base/section.{form}")
    text = template.render(section=section, seam=SEAM)
    return filters.tidied(f"{text}\n\n{SEAM}") if form == "txt" else f"{text}{SEAM}"


def render_study(card: Card, language: str, form: Format, shape: Shape) -> str:
    """A study in one shape as all its readers get it, in whole lines."""
    text = _environment(form, language).get_template(f"_base/{shape}.{form}").render(card=card, language=language)
    return filters.tidied(text) if form == "txt" else f"{text}\n"


def render_subject(name: str, mail: Mail) -> str:
    """The subject of a mail, on one line."""
    text = _environment("txt", spoken(mail.language)).get_template(f"{name}/subject.txt").render(_words(mail))
    return " ".join(text.split())


def _words(mail: Mail) -> dict[str, object]:
    language = spoken(mail.language)
    return {"mail": mail, "language": language, "direction": filters.locale_of(language).text_direction}


def _render(
    name: str, mail: Mail, *, text_sections: tuple[ToldSection, ...] = (), html_sections: tuple[ToldSection, ...] = ()
) -> RenderedMail:
    language, words, subject = spoken(mail.language), _words(mail), render_subject(name, mail)
    text = _environment("txt", language).get_template(f"{name}/body.txt")
    html = _environment("html", language).get_template(f"{name}/body.html")
    said = filters.tidied(text.render(words, subject=subject, sections=text_sections))
    shown = html.render(words, subject=subject, sections=html_sections)
    return RenderedMail(
        subject=subject,
        text=said,
        html=shown,
        quoted_text=_quoted(said, text_sections),
        quoted_html=_quoted(shown, html_sections),
    )


def _quoted(text: str, sections: Sequence[ToldSection]) -> bytes:
    return quoted_around(text, (one for section in sections for one in section.fragments))


def _places(section: Section) -> Iterator[_Place]:
    ends = section.ends or repeat(None)
    return (_Place(card=card, end_url=end) for card, end in zip(section.cards, ends, strict=False))


def _ranked(places: Sequence[_Place]) -> list[int]:
    """Where the studies stand in the digest, those that matter most first."""

    def rank(at: int) -> tuple[int, int]:
        card = places[at].card
        return -card.weight, filters.TONES.index(filters.known_tone(card.tone))

    return sorted(range(len(places)), key=rank)


def _render_shapes(digest: Digest, shapes: Sequence[Shape]) -> RenderedMail:
    sections: dict[Format, tuple[ToldSection, ...]] = {
        form: _sections(digest, shapes, form) for form in ("txt", "html")
    }
    return _render("digest", digest, text_sections=sections["txt"], html_sections=sections["html"])


def _sections(digest: Digest, shapes: Sequence[Shape], form: Format) -> tuple[ToldSection, ...]:
    language, numbers = spoken(digest.language), count()
    found = []
    for section in digest.sections:
        told: dict[Shape, list[ToldStudy]] = {shape: [] for shape in TIERS}
        for place, at in zip(_places(section), numbers):  # noqa: B905 - numbers go on in the next section
            shared = _fragment(place.card, language, form, shapes[at])
            told[shapes[at]].append(ToldStudy(fragment=shared, number=place.card.nct_id, end_url=place.end_url))
        found.append(_with_studies(section, told))
    return tuple(found)


def _with_studies(section: Section, told: Mapping[Shape, Sequence[ToldStudy]]) -> ToldSection:
    return ToldSection(
        heading=section.heading,
        reason=section.reason,
        end_url=section.end_url,
        cards=tuple(told["card"]),
        rows=tuple(told["row"]),
        links=tuple(told["link"]),
    )


@kept(KEPT_CARDS)
def _fragment(card: Card, language: str, form: Format, shape: Shape) -> Fragment:
    text = render_study(card, language, form, shape)
    return fragment(Markup(text) if form == "html" else text)  # noqa: S704 - rendered with autoescape


def _size_of(place: _Place, language: str, shape: Shape) -> int:
    """What a study takes in a shape, with what stands around it."""
    # Links that end a subscription are all as long, and so what stands around one study is as much as around the next.
    length = len(place.end_url or "")
    return len(_fragment(place.card, language, "html", shape).quoted) + _kept_size_around(language, shape, length)


@kept(KEPT_CARDS)
def _kept_size_around(language: str, shape: Shape, url_length: int) -> int:
    sizes = [_size_with(_hollow_section({shape: number}, url_length), language) for number in (1, 2)]
    return sizes[1] - sizes[0]


def _size_without_studies(digest: Digest) -> int:
    language = spoken(digest.language)
    return _frame_size(digest) + sum(_shell_size(section, language) for section in digest.sections)


def _frame_size(digest: Digest) -> int:
    """What a digest takes without its sections; as much as that of the next reader who gets as many studies."""
    like = replace(
        digest,
        sections=(),
        preferences_url="x" * len(digest.preferences_url),
        unsubscribe_url="x" * len(digest.unsubscribe_url),
        one_click_url="",
    )
    return _kept_frame_size(like)


@kept(KEPT_CARDS)
def _kept_frame_size(digest: Digest) -> int:
    return _render("digest", digest).size


def _shell_size(section: Section, language: str) -> int:
    """What a section takes beside its studies, with the lines that lead to rows and links where it has several."""
    shapes: tuple[Shape, ...] = ("link",) if len(section.cards) == 1 else TIERS
    return _kept_shell_size(section.heading, section.reason, len(section.end_url or ""), language, shapes)


@kept(KEPT_CARDS)
def _kept_shell_size(heading: str, reason: str, url_length: int, language: str, shapes: tuple[Shape, ...]) -> int:
    hollow = _hollow_section(dict.fromkeys(shapes, 1), 0)
    section = replace(hollow, heading=heading, reason=reason, end_url="x" * url_length or None)
    around = sum(_kept_size_around(language, shape, 0) for shape in shapes)
    return _size_with(section, language) - _frame_size(hollow_digest(language)) - around


def _hollow_section(numbers: Mapping[Shape, int], url_length: int) -> ToldSection:
    """A section with so many studies in each shape, of which nothing is told."""
    told = ToldStudy(fragment=_NO_FRAGMENT, number="NCT00000000", end_url="x" * url_length or None)
    studies: dict[Shape, list[ToldStudy]] = {shape: [told] * numbers.get(shape, 0) for shape in TIERS}
    return _with_studies(Section(heading="", reason="", end_url=None, cards=()), studies)


def hollow_digest(language: str) -> Digest:
    """A digest that says nothing to nobody, to see what a part of one takes."""
    return Digest(
        language=language, sections=(), changed=1, new=0, as_of=None, cadence="", preferences_url="",
        unsubscribe_url="", one_click_url="", postal_address="", site_name="",
    )  # fmt: skip


def _size_with(section: ToldSection, language: str) -> int:
    return _render("digest", hollow_digest(language), html_sections=(section,)).size


@kept(None)
def _environment(form: Format, language: str) -> Environment:
    root = template_root() / "emails"
    leftward = filters.locale_of(language).text_direction == "rtl"
    environment = Environment(
        loader=FileSystemLoader(root),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=compiled_for(leftward=leftward),
        extensions=[WithoutIndentation] if form == "html" else [],
    )
    translate_templates(environment, language, form=Markup if form == "html" else str)
    own = (
        "clipped", "day", "itemised", "line_breaks", "marked", "marks", "moment", "scoped", "tone_class", "unbroken",
        "untold_facts",
    )  # fmt: skip
    environment.filters |= {name: getattr(filters, name) for name in own}
    environment.filters |= {
        "aligned": aligned,
        "foreign": foreign,
        "isolated": isolated,
        "underlined": underlined,
        "wrapped": wrapped,
    }
    environment.tests["shortened"] = filters.shortened
    environment.globals["seam"] = ""
    css, *screens = ((root / "_base" / f"{name}.css").read_text("utf-8") for name in ("mail", "screen", "dark", "word"))
    environment.filters["styled"] = filters.styled(filters.mirrored(css) if leftward else css, "\n".join(screens))
    return environment
