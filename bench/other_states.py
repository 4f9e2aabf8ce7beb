"""The pages beside a reader's way: the form in a frame, what operators and programmers read, and what is not there."""

from pathlib import Path

from playwright.sync_api import expect

from bench.page_service import foreign_site
from bench.reader_journey import READER, STUDY, Journey


def other_states(journey: Journey) -> None:
    """Show each of them."""
    for name, path in {
        "privacy": "/privacy",
        "API": "/api/docs",
        "not there": "/studies/NCT00000000",
        "wrong link": "/preferences/nothing",
        "gallery": "/mailbox/gallery",
        "mailbox": "/mailbox",
    }.items():
        journey.go(path)
        journey.show(name)
    embed_on_another_site(journey)
    journey.go("/mailbox")
    journey.way.press("Delete all")
    journey.show("mailbox empty")


def embed_on_another_site(journey: Journey) -> None:
    """The form on a page of somebody else: an error first, then the answer."""
    way, url = journey.way, journey.service.url
    snippet = f'<script src="{url}/embed.js" data-study="{STUDY}" async></script>'
    with foreign_site(Path(journey.service.folder) / "site", snippet) as site:
        way.own = (*way.own, site)
        way.page.goto(site)
        frame = way.page.frame_locator("iframe")
        expect(frame.locator("#email")).to_be_visible()
        journey.show("embedded")
        frame.get_by_role("button", name=way.told("Subscribe")).click()
        expect(frame.locator("#email-wrong")).to_be_visible()
        journey.show("embedded errors")
        frame.locator("#email").fill(READER)
        for box in frame.locator("[type=checkbox][name^=consent]").all():
            box.check()
        frame.get_by_role("button", name=way.told("Subscribe")).click()
        expect(frame.get_by_role("heading", name=way.told("Now check your mailbox"))).to_be_visible()
        journey.show("embedded done")
        way.page.goto("about:blank")
