"""One reader's whole way in a real browser: by mouse, by keyboard, by touch, without scripts, in German; and each page
on that way as the checkers judge it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from bench.other_states import other_states
from bench.page_pictures import LOOKS, look
from bench.page_service import PageService, page_service
from bench.reader_journey import Journey, whole_journey
from bench.reader_ways import DARK_PHONE, LIGHT_DESK, Keyboard, Touch, Way, begin
from tests.page_checks import AXE, list_html_faults, opened_browser

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

# What is folded away is judged too, unfolded: while it is not, all of it lies in one place for axe.
JUDGE = """
async () => {
  const folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach(each => { each.open = true; });
  const found = await axe.run(document, {resultTypes: ["violations"], iframes: false});
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  folded.forEach(each => { each.open = false; });
  return found.violations.filter(each => ["serious", "critical"].includes(each.impact)).map(
    each => [each.id, each.nodes.slice(0, 3).map(node => node.html.slice(0, 300))]
  ).concat(wide ? ["too wide"] : []);
}
"""
IS_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"

WAYS: dict[str, dict[str, Any]] = {
    "keyboard": {"kind": Keyboard},
    "small and dark, by touch": {"kind": Touch, "screen": DARK_PHONE},
    "without scripts": {"kind": Way, "scripted": False},
    "German, on a phone": {"kind": Touch, "screen": DARK_PHONE, "language": "de"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PageService]:
    with page_service(tmp_path) as running:
        yield running


@pytest.mark.parametrize("name", WAYS)
def test_a_reader_gets_all_the_way(browser: Browser, service: PageService, name: str) -> None:
    way = begin(browser, own=(service.url,), **WAYS[name])
    wide: list[str] = []

    def measure(state: str) -> None:
        if way.page.evaluate(IS_TOO_WIDE):
            wide.append(state)

    whole_journey(Journey(way=way, service=service, show=measure))

    assert (wide, way.faults) == ([], [])
    way.page.context.close()


def test_every_page_in_every_state_is_open_to_everybody_and_valid(
    browser: Browser, service: PageService, tmp_path: Path
) -> None:
    way = begin(browser, Way, own=(service.url,), screen=LIGHT_DESK)
    found: dict[str, list[object]] = {}
    pages: dict[str, str] = {}
    served = _listen(way.page)

    def judge(state: str) -> None:
        pages[state] = served()
        found[state] = _judged(way.page)

    journey = Journey(way=way, service=service, show=judge)
    whole_journey(journey)
    other_states(journey)

    assert {state: what for state, what in found.items() if what} == {}
    assert way.faults == []
    assert list_html_faults(pages, folder=tmp_path) == []
    way.page.context.close()


@pytest.mark.parametrize("screen", [LIGHT_DESK, DARK_PHONE])
def test_the_first_tab_leads_past_the_head_of_the_page(
    browser: Browser, service: PageService, screen: dict[str, object]
) -> None:
    way = begin(browser, Keyboard, own=(service.url,), screen=screen)
    way.page.goto(service.url)

    way.page.keyboard.press("Tab")
    expect(way.page.locator(":focus")).to_have_class("skip")
    way.page.keyboard.press("Enter")

    expect(way.page.locator("#main")).to_be_focused()
    way.page.context.close()


def _judged(page: Page) -> list[object]:
    """What axe calls serious or critical, and what is wider than the window, however one looks at the page."""
    found: list[object] = []
    for width, scheme in LOOKS:
        look(page, width, scheme)
        for frame in page.frames:
            if frame.url.endswith("/html"):
                # A mail: tests/emails looks at them all.
                continue
            if frame.url.startswith("http"):
                # A frame may show its words before its styles have come.
                frame.wait_for_load_state()
            frame.evaluate(AXE)
            found += frame.evaluate(JUDGE)
        if page.evaluate(IS_TOO_WIDE):
            found.append(f"wider than {width}")
    return found


def _listen(page: Page) -> Callable[[], str]:
    """A function that gives the page that is open as it came from the server."""
    came: list[Response] = []

    def hear(response: Response) -> None:
        if response.request.is_navigation_request() and response.frame == page.main_frame:
            came[:] = [response]

    page.on("response", hear)
    return lambda: came[0].text()  # noqa: PLW0108 - there is none yet
