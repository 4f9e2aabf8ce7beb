"""The snippets of the documentation, as they stand there, on a page of another site in a real browser."""

import re
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from bench.page_service import foreign_site
from notifier.installation import Installation
from notifier.web.app import create_app
from tests.page_checks import opened_browser
from tests.web.real_server import serving
from tests.web.site import NUMBER

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

Rows = Callable[[str], list[Any]]


@pytest.fixture
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def service(installation: Installation) -> Iterator[str]:
    with serving(create_app(installation), installation.settings) as url:
        yield url


def snippet(repository: Path, begins: str, service: str) -> str:
    """One of the examples, for our study and our port."""
    text = (repository / "docs" / "integrating.md").read_text()
    blocks = re.findall(r"^```html\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found: str = next(block for block in blocks if block.startswith(begins))
    return found.replace("http://127.0.0.1:8000", service).replace("NCT99990003", NUMBER)


def subscribe_in(frame: FrameLocator) -> None:
    frame.locator("#email").fill("reader@example.org")
    for box in frame.locator("[type=checkbox][name^=consent]").all():
        box.check()
    # What is filled in faster is taken for a program's.
    frame.locator("body").page.wait_for_timeout(2_500)
    frame.locator("button[type=submit]").click()
    expect(frame.get_by_text("Now check your mailbox")).to_be_visible()


def open_unhurried(page: Page, url: str) -> None:
    """Open a page; the script waits for its frame for as long as a busy machine may need, which is 5 s for readers."""
    page.add_init_script(
        "const soon = setTimeout;"
        "window.setTimeout = (act, time, ...rest) => soon(act, time === 5000 ? 1e6 : time, ...rest)"
    )
    page.goto(url)


def fits_what_it_holds(page: Page, place: int) -> None:
    """Measured anew at each look: styles and script may come after the words, and change how high the words are."""
    for _ in range(600):
        inside = page.frame_locator("iframe").nth(place).locator("#main").bounding_box()
        outside = page.locator("iframe").nth(place).bounding_box()
        if inside and outside and ceil(inside["height"]) == outside["height"]:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"a frame of {outside} around {inside}")


def test_one_line_of_script_shows_the_form_and_takes_it(
    browser: Browser, service: str, repository: Path, tmp_path: Path, rows: Rows
) -> None:
    with foreign_site(tmp_path / "site", snippet(repository, "<script", service)) as url:
        page = browser.new_page()
        open_unhurried(page, url)
        frame = page.frame_locator("iframe")
        expect(frame.get_by_text("Walking after")).to_be_visible()
        high = page.locator("iframe").bounding_box()
        subscribe_in(frame)
        expect(page.locator("iframe")).not_to_have_css("height", f"{high and high['height']}px")

        assert page.context.cookies() == []
        assert page.locator("iframe").get_attribute("title") == "Hear about studies by e-mail"
    assert rows("SELECT site FROM pending_requests") == [("this-machine",)]


def test_several_forms_on_one_page_are_each_as_high_as_they_are(
    browser: Browser, service: str, repository: Path, tmp_path: Path
) -> None:
    one = snippet(repository, "<script", service)
    other = one.replace(f'data-study="{NUMBER}"', 'data-condition="Ischemic stroke" data-language="de"')
    with foreign_site(tmp_path / "site", one + other) as url:
        page = browser.new_page(viewport={"width": 360, "height": 3_000})
        open_unhurried(page, url)
        for place in range(2):
            frame = page.frame_locator("iframe").nth(place)
            expect(frame.locator("#email")).to_be_visible()
            fits_what_it_holds(page, place)
        assert page.frame_locator("iframe").nth(1).locator("html").get_attribute("lang") == "de"


def test_a_plain_frame_shows_the_form(browser: Browser, service: str, repository: Path, tmp_path: Path) -> None:
    with foreign_site(tmp_path / "site", snippet(repository, "<iframe", service)) as url:
        page = browser.new_page()
        page.goto(url)
        page.locator("iframe").scroll_into_view_if_needed()
        subscribe_in(page.frame_locator("iframe"))


def test_a_plain_form_leads_to_ours_and_subscribes_nobody(
    browser: Browser, service: str, repository: Path, tmp_path: Path, rows: Rows
) -> None:
    with foreign_site(tmp_path / "site", snippet(repository, "<form", service)) as url:
        page = browser.new_page()
        page.goto(url)
        page.locator("[name=email]").fill("reader@example.org")
        page.locator("button").click()

        expect(page.locator("#email")).to_have_value("reader@example.org")
        assert page.url.startswith(service)
    assert rows("SELECT count(*) FROM pending_requests") == [(0,)]


def test_a_page_that_is_not_listed_gets_a_link_after_two_tries(
    browser: Browser, installation: Installation, repository: Path, tmp_path: Path
) -> None:
    settings = installation.settings.model_copy(update={"sites": "clinic=https://clinic.example.org"})
    opened = type(installation)(settings, installation.database, installation.keys, installation.links)
    with (
        serving(create_app(opened), settings) as service,
        foreign_site(tmp_path / "site", snippet(repository, "<script", service)) as url,
    ):
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(url)
        link = page.get_by_role("link")
        expect(link).to_have_attribute("href", re.compile(f"/subscribe.trial={NUMBER}"))
        assert page.locator("iframe").count() == 0
    assert len([one for one in said if "frame-ancestors" in one]) == 2
