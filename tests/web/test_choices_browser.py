"""The page of choices in a real browser: by keyboard, without JavaScript, narrow and dark; and as valid HTML."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from notifier.installation import Installation
from notifier.web.app import create_app
from tests.page_checks import AXE, list_html_faults, opened_browser
from tests.web.real_server import serving

JUDGE = "axe.run(document).then(r => r.violations.map(v => [v.id, v.nodes.slice(0, 2).map(n => n.html.slice(0, 200))]))"
ACTIONS: dict[str, dict[str, str]] = {
    "paused": {"action": "pause", "pause": "3m"},
    "wrong day": {"action": "pause", "pause": "until", "until": "x"},
    "wrong address": {"action": "move", "email": "x"},
    "asked": {"action": "hand_over", "email": "new@example.org"},
    "changed": {"action": "change:2", "wants": "everything", "narrower": "no"},
    "erase": {"action": "erase"},
}


@pytest.mark.slow
def test_the_pages_are_valid_html(
    client: TestClient, installation: Installation, subscriber: int, now: datetime, tmp_path: Path
) -> None:
    links, late = installation.links, now.replace(year=now.year - 1)
    path = links.preferences(subscriber, now=now)
    found = {"start": client.get(path), "over": client.get(links.preferences(subscriber, now=late))}
    found |= {name: client.post(path, data=fields) for name, fields in ACTIONS.items()}
    found |= {"offer": client.get(links.hand_over(1)), "unticked": client.post(links.hand_over(1), data={})}
    client.post(path, data={"action": "move", "email": "new@example.org"})
    found |= {"mailbox": client.get(links.move(2)), "moved": client.post(links.move(2))}
    found |= {"erased": client.post(path, data={"action": "erase_now"}), "gone": client.get(path)}
    assert list_html_faults({name: answer.text for name, answer in found.items()}, folder=tmp_path) == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def address(installation: Installation, subscriber: int) -> Iterator[str]:
    """Where a real server shows the reader's choices."""
    link = installation.links.preferences(subscriber, now=datetime.now(UTC))
    with serving(create_app(installation), installation.settings) as url:
        yield link.replace("http://testserver", url)


def press(page: Page, words: str) -> None:
    """Go to a control by its words, as somebody does who has no mouse, and press Enter."""
    for _ in range(150):
        page.keyboard.press("Tab")
        told = page.evaluate("document.activeElement.textContent.trim()")
        if told == words:
            if page.evaluate("document.activeElement.tagName") == "SUMMARY":
                page.keyboard.press("Enter")
                return
            with page.expect_navigation():
                page.keyboard.press("Enter")
            return
    raise AssertionError(words)


def judged(page: Page) -> object:
    page.evaluate(AXE)
    return page.evaluate(JUDGE)


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_a_reader_without_mouse_and_scripts_pauses_and_erases(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(address)

    press(page, "Take a pause")
    press(page, "Begin the pause")
    expect(page.locator(":focus")).to_have_text("Your pause has begun.")
    press(page, "End the pause now")
    expect(page.locator(":focus")).to_have_text(re.compile(r"^Your pause is over\."))
    press(page, "Erase everything")
    press(page, "Erase everything")

    assert "All that we held about you is deleted" in page.content()
    context.close()


@pytest.mark.browser
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("width", "dark"), [(360, False), (360, True), (1200, True)])
def test_the_page_can_be_used_by_everybody(browser: Browser, address: str, width: int, dark: bool) -> None:
    context = browser.new_context(
        bypass_csp=True, viewport={"width": width, "height": 740}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert judged(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    page.fill("#new-address", "nobody")
    with page.expect_navigation():
        page.get_by_role("button", name="Send this mail").click()
    expect(page.locator(":focus")).to_contain_text("does not look like an e-mail address")
    assert judged(page) == []
    with page.expect_navigation():
        page.get_by_role("button", name="Erase everything").click()
    assert judged(page) == []
    context.close()
