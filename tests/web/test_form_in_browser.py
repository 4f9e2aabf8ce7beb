"""The form with JavaScript: it shows what a choice would bring as one chooses, and the time zone."""

from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect

from notifier.installation import Installation
from notifier.web.app import create_app
from tests.page_checks import opened_browser
from tests.web.real_server import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def form(installation: Installation) -> Iterator[Page]:
    """The form on a small dark screen in New York."""
    with serving(create_app(installation), installation.settings) as url, opened_browser() as opened:
        page = opened.new_page(
            viewport={"width": 360, "height": 800}, color_scheme="dark", timezone_id="America/New_York"
        )
        page.goto(f"{url}/subscribe")
        yield page


def test_the_outlook_follows_what_is_chosen_and_the_address_stays_here(form: Page) -> None:
    form.fill("#email", "reader@example.org")
    form.fill("#condition", "ischemic strok")
    expect(form.get_by_role("option").first).to_be_visible()
    form.keyboard.press("ArrowDown")
    with form.expect_request("**/subscribe/preview") as asked:
        form.keyboard.press("Enter")

    expect(form.locator(".outlook")).to_contain_text("Ischemic Stroke")
    assert "email" not in parse_qs(asked.value.post_data or "")
    form.locator("details.more > summary").click()
    with form.expect_response("**/subscribe/preview"):
        form.locator("[name=wants][value=everything]").check()
    expect(form.locator("#outlook-told")).to_contain_text("In the last 90 days")
    assert form.evaluate("document.documentElement.scrollWidth") == 360


def test_what_else_may_be_meant_is_chosen_in_place(form: Page) -> None:
    form.fill("#condition", "strokes of the brain, ischemic")
    form.keyboard.press("Tab")
    form.locator("[name=condition_choice]").first.check()

    expect(form.locator("#condition")).to_have_value("Ischemic Stroke")
    expect(form.locator(".outlook")).to_be_visible()


def test_the_time_zone_is_shown_and_can_be_changed(form: Page) -> None:
    expect(form.locator("details.more > summary")).to_contain_text("Your time zone: New York")
    form.locator("details.more > summary").click()
    expect(form.locator("#time_zone")).to_be_hidden()
    form.get_by_role("button", name="Change").click()

    expect(form.locator("#time_zone")).to_be_focused()
    form.select_option("#time_zone", "Asia/Tokyo")
    expect(form.locator("[data-zone]")).to_contain_text("Tokyo")
