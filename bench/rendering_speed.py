"""Measures cards and digests rendered a second, beside the usual way: all of it for each reader anew."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.utils import format_datetime

import css_inline
from jinja2 import Environment
from markupsafe import Markup
from rich.console import Console
from rich.table import Table

from bench.installations import MONDAY
from bench.measuring import Spread, spread
from notifier.domain.digests import Card, Digest
from notifier.emails import templates
from notifier.emails.joining import join_digest
from notifier.emails.messages import build_message
from notifier.emails.sample_mails import many_studies
from notifier.emails.shaping import shape_digest
from notifier.emails.templates import QuotedMail, RenderedMail, render_digest

SENDER = "Study updates <updates@updates.example.org>"
LIST_ID = "trial updates <updates.updates.example.org>"
STUDIES = (10, 50)


@dataclass(frozen=True, slots=True)
class Rates:
    """Digests made a second of so many studies, in our way and in the usual one, and the bytes of one of ours."""

    ours: Spread
    usual: Spread
    html: int
    text: int
    message: int

    @property
    def times(self) -> float:
        """How many times as fast ours is."""
        return self.ours.middle / self.usual.middle


def run(console: Console, *, cards: int = 200, readers: int = 300, repeat: int = 3) -> dict[int, Rates]:
    """Measure and print; gives the rates of digests by their number of studies."""
    fresh, kept = _card_rates(cards, repeat=repeat)
    found = {number: _digest_rates(number, readers=readers, repeat=repeat) for number in STUDIES}
    table = Table("rendering", "value", title=f"Rendering, {repeat} times")
    table.add_row("cards a second, HTML and text, made anew", str(fresh))
    table.add_row("the same, made before", str(kept))
    for number, rates in found.items():
        table.add_row(f"digests of {number} studies a second, as messages", str(rates.ours))
        table.add_row("  the usual way: each rendered, inlined and packed anew", str(rates.usual))
        table.add_row("  ours is faster by", f"{rates.times:.0f} times")
        table.add_row("  bytes of HTML, text, message", f"{rates.html:,}, {rates.text:,}, {rates.message:,}")
    console.print(table)
    return found


def _card_rates(number: int, *, repeat: int) -> tuple[Spread, Spread]:
    cards = [card for section in many_studies(number).sections for card in section.cards]

    def make() -> None:
        for card in cards:
            for form in ("html", "txt"):
                templates._fragment(card, "en", form, "card")

    make()
    fresh: list[float] = []
    for _ in range(repeat):
        templates._fragment.cache_clear()
        fresh.append(_rate(make, number))
    return spread(fresh), spread([_rate(make, number) for _ in range(repeat)])


def _digest_rates(studies: int, *, readers: int, repeat: int) -> Rates:
    digests = [_for_reader(many_studies(studies), number) for number in range(readers)]
    one = render_digest(digests[0])
    usual = _UsualWay(one.html)
    # The usual way is slow: fewer of them tell as much.
    few = digests[: max(1, readers // 10)]
    return Rates(
        ours=spread([_rate(lambda: _make_all(digests), readers) for _ in range(repeat)]),
        usual=spread([_rate(lambda: _make_usually(usual, few), len(few)) for _ in range(repeat)]),
        html=len(one.html.encode()),
        text=len(one.text.encode()),
        message=len(_message(one)),
    )


def _rate(make: Callable[[], object], number: int) -> float:
    started = time.perf_counter()
    make()
    return number / (time.perf_counter() - started)


def _make_all(digests: Sequence[Digest]) -> None:
    for digest in digests:
        _message(join_digest(shape_digest(digest)))


def _make_usually(usual: "_UsualWay", digests: Sequence[Digest]) -> None:
    for digest in digests:
        usual.message(digest)


def _for_reader(digest: Digest, number: int) -> Digest:
    """The same studies with links of this reader's own."""
    own = f"https://updates.example.org/unsubscribe/reader-{number:06}"
    sections = tuple(replace(section, end_url=f"{own}-{at}") for at, section in enumerate(digest.sections))
    return replace(digest, sections=sections, unsubscribe_url=own, one_click_url=own, preferences_url=f"{own}-choices")


def _message(mail: QuotedMail | RenderedMail) -> bytes:
    return build_message(
        mail=mail,
        sender=SENDER,
        recipient="reader@example.org",
        message_id="<rendering@updates.example.org>",
        date=MONDAY,
        list_id=LIST_ID,
        list_unsubscribe="https://updates.example.org/unsubscribe/reader",
    )


class _UsualWay:
    """Our templates as they are commonly used: every card anew, style sheets inlined in each mail, EmailMessage."""

    def __init__(self, like: str) -> None:
        root = templates.template_root() / "emails"
        css = (root / "_base" / "mail.css").read_text(encoding="utf-8")
        self._style = f"<style>{css}</style></head>"
        self._html = _with_classes(templates._environment.__wrapped__("html", "en"))
        self._text = templates._environment.__wrapped__("txt", "en")
        # As many in full, in short and as links as in ours, so that both make the same mail.
        self._shapes = _shapes_of(like)

    def message(self, digest: Digest) -> bytes:
        """One digest as a message."""
        words: dict[str, object] = {"mail": digest, "language": "en", "direction": "ltr"}
        subject = " ".join(self._text.get_template("digest/subject.txt").render(words).split())
        text = self._body(self._text, digest, {**words, "subject": subject}, "txt")
        html = self._body(self._html, digest, {**words, "subject": subject}, "html").replace("</head>", self._style, 1)
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = SENDER, "reader@example.org", subject
        message["Date"], message["List-Id"] = format_datetime(MONDAY), LIST_ID
        message["Message-ID"] = "<rendering@updates.example.org>"
        message["List-Unsubscribe"] = f"<{digest.one_click_url}>"
        message.set_content(text, cte="quoted-printable")
        message.add_alternative(css_inline.inline(html, keep_style_tags=True), "html", cte="quoted-printable")
        return message.as_bytes()

    def _body(self, environment: Environment, digest: Digest, words: Mapping[str, object], form: str) -> str:
        sections = [
            {
                "heading": section.heading,
                "reason": section.reason,
                "end_url": section.end_url,
                **{f"{shape}s": self._told(environment, section.cards, shape, form) for shape in self._shapes},
            }
            for section in digest.sections
        ]
        return environment.get_template(f"digest/body.{form}").render(words, sections=sections)

    def _told(self, environment: Environment, cards: Sequence[Card], shape: str, form: str) -> list[dict[str, object]]:
        template = environment.get_template(f"_base/{shape}.{form}")
        first, last = self._shapes[shape]
        rendered = (template.render(card=card, language="en") for card in cards[first:last])
        texts = (Markup(f"{text}\n") if form == "html" else text for text in rendered)
        return [{"fragment": {"text": text}, "end_url": None} for text in texts]


def _shapes_of(html: str) -> dict[str, tuple[int, int]]:
    """Which of the studies of a mail, counted from the first, stand in it in full, in short, and as links."""
    full, rows = html.count('class="inside"'), html.count('class="state ')
    return {"card": (0, full), "row": (full, full + rows), "link": (full + rows, len(html))}


def _with_classes(environment: Environment) -> Environment:
    # What ours are compiled to has the styles written out.
    environment.bytecode_cache = None
    environment.filters["styled"] = lambda names: Markup(f'class="{names}"')
    return environment
