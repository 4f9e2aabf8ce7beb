"""Draws every page in every state that one reader meets, light and dark, on a phone and on a desk."""

import html
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from bench.chromium import Scheme, find_chromium
from bench.other_states import other_states
from bench.page_service import page_service
from bench.reader_journey import Journey, Show, whole_journey
from bench.reader_ways import LIGHT_DESK, Way, begin

LOOKS: tuple[tuple[int, Scheme], ...] = ((360, "light"), (360, "dark"), (1280, "light"), (1280, "dark"))
SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def run(console: Console, *, to: Path) -> bool:
    """Write a picture of each state to ``to``, with one page to look at them all; False without a Chromium."""
    chromium = find_chromium()
    if chromium is None:
        console.print("pages: needs a Chromium; on Debian: apt-get install chromium")
        return False
    to.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    with tempfile.TemporaryDirectory(prefix="notifier-bench-") as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        with page_service(Path(home)) as service:
            way = begin(browser, Way, own=(service.url,), screen=LIGHT_DESK)
            journey = Journey(way=way, service=service, show=_drawing(way.page, names, to))
            whole_journey(journey)
            other_states(journey)
        browser.close()
    sheet = to / "index.html"
    sheet.write_text(_sheet(names), encoding="utf-8")
    console.print(f"{len(names)} states, {len(names) * len(LOOKS)} pictures; see {sheet}")
    return True


def look(page: Page, width: int, scheme: Scheme) -> None:
    """Show the page that is open as somebody sees it who has such a screen and likes it light or dark."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def _drawing(page: Page, names: list[str], to: Path) -> Show:
    def draw(name: str) -> None:
        if name in names:
            return
        names.append(name)
        for width, scheme in LOOKS:
            look(page, width, scheme)
            page.screenshot(path=to / _file(name, width, scheme), full_page=True)

    return draw


def _file(name: str, width: int, scheme: Scheme) -> str:
    return f"{name.replace(' ', '-')}-{width}-{scheme}.png"


def _sheet(names: Sequence[str]) -> str:
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>All pages</title>',
        "<style>body{font:16px sans-serif} img{vertical-align:top;border:1px solid #999;max-width:24%}</style>",
    ]
    for name in names:
        parts.append(f"<h2>{html.escape(name)}</h2>")
        for width, scheme in LOOKS:
            file = _file(name, width, scheme)
            parts.append(f'<a href="{file}"><img loading="lazy" src="{file}" alt="{width} pixels, {scheme}"></a>')
    return "\n".join([*parts, "</html>"])
