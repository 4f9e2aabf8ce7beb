"""Draws the mails: twenty digests of real records, or the invented ones, light and dark, on a phone and on a desk."""

import html
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from bench.chromium import Page, Scheme, find_chromium, open_page
from bench.digest_makers import MadeMail, make_digests, make_samples
from bench.digest_stories import open_shelf, twenty_stories

WIDTHS = (360, 800)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def run(console: Console, folder: Path | None, *, to: Path) -> bool:
    """Write every mail and its pictures to ``to``, with one page to look at them all; False without a Chromium."""
    chromium = find_chromium()
    if chromium is None:
        console.print("pictures: needs a Chromium; on Debian: apt-get install chromium")
        return False
    mails = make_samples()
    if folder is None:
        console.print("pictures: of the invented mails only; --registry FOLDER adds twenty digests of real records")
    else:
        with tempfile.TemporaryDirectory(prefix="notifier-bench-") as home:
            mails = make_digests(twenty_stories(open_shelf(folder)), home=Path(home)) + mails
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as home, open_page(chromium, Path(home)) as page:
        for mail in mails:
            _write(mail, to)
            _draw(mail, page, to)
    sheet = to / "index.html"
    sheet.write_text("".join(_sheet(mails)), encoding="utf-8")
    console.print(f"{len(mails)} mails, {len(mails) * len(WIDTHS) * len(SCHEMES)} pictures; see {sheet}")
    return True


def picture_name(mail: MadeMail, width: int, scheme: Scheme) -> str:
    """The file of one picture."""
    return f"{mail.slug}-{width}-{scheme}.png"


def _write(mail: MadeMail, to: Path) -> None:
    (to / f"{mail.slug}.html").write_text(mail.html, encoding="utf-8")
    (to / f"{mail.slug}.txt").write_text(mail.text, encoding="utf-8")
    (to / f"{mail.slug}.eml").write_bytes(mail.message)


def _draw(mail: MadeMail, page: Page, to: Path) -> None:
    for width in WIDTHS:
        for scheme in SCHEMES:
            page.show(to / f"{mail.slug}.html", width=width, scheme=scheme)
            (to / picture_name(mail, width, scheme)).write_bytes(page.picture())


def _sheet(mails: Sequence[MadeMail]) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><title>All mails</title>'
    yield "<style>body{font:16px sans-serif} img{vertical-align:top;border:1px solid #999;max-width:24%}</style>"
    for mail in mails:
        size = f"{len(mail.html.encode()) / 1000:.0f} kB of HTML, {len(mail.text.encode()) / 1000:.0f} kB of text"
        yield f"<h2>{html.escape(mail.name)}</h2><p>{html.escape(mail.subject)} ({size}) "
        yield f'<a href="{mail.slug}.html">HTML</a> <a href="{mail.slug}.txt">text</a></p>'
        for width in WIDTHS:
            for scheme in SCHEMES:
                name = picture_name(mail, width, scheme)
                yield f'<a href="{name}"><img loading="lazy" src="{name}" alt="{width} pixels wide, {scheme}"></a>\n'
    yield "</html>"
