"""One reader's way through every page: looking around, subscribing, choosing, handing over, leaving, erasing."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from bench.page_service import PageService, wait_until
from bench.reader_ways import Keyboard, Way

Show = Callable[[str], None]
"""Told the name of each state of each page while it stands there."""

STUDY = "NCT99990001"
READER, MOVED, OTHER, SAMPLE = "reader@example.org", "moved@example.org", "other@example.org", "ben@example.org"
READING = {
    "summary": "Doctors want to find out whether a tablet every day makes a second stroke less likely.",
    "substance": "A tablet that is taken with water every morning, or one without any active substance.",
    "could_lead_to": "If it works, fewer people may have a second stroke.",
    "could_go_wrong": "The tablet may not help, and it may have side effects.",
}


@dataclass(kw_only=True)
class Journey:
    """What it needs, and what was learned on the way; ``show`` may look at each page."""

    way: Way
    service: PageService
    show: Show
    read: dict[str, int] = field(default_factory=dict)

    def go(self, path: str) -> None:
        """Open a page by its address."""
        self.way.page.goto(path if path.startswith("http") else f"{self.service.url}{path}")

    def have_news(self, *, people: int) -> None:
        """A new version of the study arrives: it looks for so many people."""
        self.service.post("/api/v1/records", [_next_version(people)])

    def open_mail(self, recipient: str) -> None:
        """Open the next mail to an address that was not opened yet."""
        lines = self.way.page.locator(".mails a", has_text=recipient)
        number = self.read.get(recipient, 0)

        def is_there() -> bool:
            self.go("/mailbox")
            return lines.count() > number

        wait_until(is_there, what=f"mail {number + 1} to {recipient}", seconds=60)
        self.read[recipient] = lines.count()
        with self.way.page.expect_navigation():
            self.way.use(lines.first)

    def follow(self, place: str, *, last: bool = False) -> None:
        """Follow the link to such a place in the mail that is open."""
        if isinstance(self.way, Keyboard):
            self.way.unfold("As plain text")
            links = self.way.page.locator(f'pre a[href*="{place}"]')
        else:
            links = self.way.page.frame_locator("iframe.mail").locator(f'a[href*="{place}"]')
        with self.way.page.expect_navigation():
            self.way.use(links.last if last else links.first)


def whole_journey(journey: Journey) -> None:
    """All of it, in an order in which each part finds what it needs."""
    journey.service.put(f"/api/v1/studies/{STUDY}/readings/en", READING)
    look_around(journey)
    meet_errors(journey)
    subscribe(journey)
    confirm(journey)
    ask_for_choices(journey, READER, people=400)
    change_choices(journey)
    pause_and_resume(journey)
    move(journey)
    ask_for_choices(journey, MOVED, people=450)
    export(journey)
    hand_over(journey)
    leave_by_a_digest(journey)
    end_and_erase(journey)
    leave_altogether(journey)


def look_around(journey: Journey) -> None:
    """The first screen, the search and the page of a condition."""
    way = journey.way
    journey.go("/")
    journey.show("home")
    field = way.page.locator("#q")
    if way.scripted:
        way.write(field, "")
        field.press_sequentially("strok")
        expect(way.page.get_by_role("option").first).to_be_visible()
        journey.show("home suggestions")
    way.write(field, "zzyzx")
    way.press("Find")
    journey.show("search nothing")
    way.write(way.page.locator("#q"), "stroke")
    way.press("Find")
    journey.show("search")
    with way.page.expect_navigation():
        way.use(way.page.locator(".kin a", has_text="Stroke").first)
    journey.show("condition")


def meet_errors(journey: Journey) -> None:
    """The form sent empty, and words that no condition bears."""
    way = journey.way
    journey.go("/subscribe")
    journey.show("form")
    way.press("Subscribe")
    assert_told_what_is_wrong(way, "email")
    journey.show("form empty")
    if way.scripted:
        field = way.page.locator("#condition")
        way.write(field, "")
        field.press_sequentially("ischemic str")
        expect(way.page.get_by_role("option").first).to_be_visible()
        way.page.keyboard.press("ArrowDown")
        way.page.keyboard.press("Enter")
        expect(way.page.locator(".outlook")).to_contain_text("Ischemic Stroke")
        journey.show("form outlook")
    way.write(way.page.locator("#condition"), "arms that feel week")
    way.press("Subscribe")
    journey.show("form unknown words")


def assert_told_what_is_wrong(way: Way, name: str) -> None:
    """A summary that has the focus and leads to the field, which says what is wrong with it."""
    expect(way.page.locator(f"#{name}-wrong")).to_be_visible()
    assert way.page.locator(f"#{name}").get_attribute("aria-invalid") == "true"
    if way.scripted:
        expect(way.page.locator("#errors")).to_be_focused()
    way.use(way.page.locator(f'#errors a[href="#{name}"]'))
    expect(way.page.locator(f"#{name}")).to_be_focused()


def subscribe(journey: Journey) -> None:
    """On the study's page: the study and its condition, as it happens; first with a mistyped address."""
    way = journey.way
    journey.go(f"/studies/{STUDY}")
    journey.show("study")
    way.use(way.page.locator("[name=follow_condition]"))
    if not way.scripted:
        way.press("First show what I would get")
    expect(way.page.locator(".outlook")).to_contain_text("Ischemic Stroke")
    way.unfold("More choices")
    if way.scripted:
        expect(way.page.locator(".zone-told")).to_contain_text("Lisbon")
    journey.show("study form open")
    way.choose(way.page.locator('[name=cadence][value="instant"]'))
    way.write(way.page.locator("#email"), "nobody")
    _agree(way)
    way.press("Subscribe")
    assert_told_what_is_wrong(way, "email")
    journey.show("form wrong address")
    way.write(way.page.locator("#email"), READER)
    way.press("Subscribe")
    expect(way.page.get_by_role("heading", level=1)).to_have_text(way.told("Now check your mailbox"))
    journey.show("check mailbox")


def confirm(journey: Journey) -> None:
    """The mail, its link, the page that asks, the answer; and the link once more."""
    way = journey.way
    journey.open_mail(READER)
    journey.show("mail")
    journey.follow("/confirm/")
    journey.show("confirm")
    way.press("Yes, subscribe me")
    expect(way.page.get_by_role("heading", level=1)).to_have_text(way.told("You are subscribed"))
    journey.show("confirmed")
    journey.go(way.page.url)
    journey.show("confirmed before")


def ask_for_choices(journey: Journey, reader: str, *, people: int) -> None:
    """From a digest about so many people to the page of choices, by a link that only the mailbox gets."""
    journey.have_news(people=people)
    journey.open_mail(reader)
    journey.show("digest")
    journey.follow("/preferences/")
    journey.show("choices asked for")
    journey.way.press("Send me the link")
    journey.show("choices under way")
    journey.open_mail(reader)
    journey.follow("/preferences/")
    journey.show("choices")


def change_choices(journey: Journey) -> None:
    """Which news of a condition, of which of its studies; how often; what the mails tell."""
    way = journey.way
    own = way.page.locator(".followed > li", has_text="Ischemic Stroke")
    way.unfold("Change", within=own)
    way.choose(own.locator('[name=wants][value="everything"]'))
    way.use(own.locator("[name=only_recruiting]"))
    way.write(own.locator("[name=near]"), "Nowhere at all")
    way.press("Save", within=own)
    journey.show("choices wrong town")
    own = way.page.locator(".followed > li", has_text="Ischemic Stroke")
    assert own.locator('[name=wants][value="everything"]').is_checked()
    way.write(own.locator("[name=near]"), "")
    way.press("Save", within=own)
    expect(own.locator(".filters").first).to_be_visible()
    journey.show("choices kept")
    for cadence in ("weekly", "instant"):
        way.unfold("Change how often")
        way.choose(way.page.locator(f'[name=cadence][value="{cadence}"]'))
        if cadence == "weekly":
            way.pick(way.page.locator("#weekday"), "4")
            way.pick(way.page.locator("#hour"), "18")
        way.press("Save", within=way.page.locator("details", has=way.page.locator("#cadence")))
        expect(way.page.locator(".done")).to_be_visible()
    way.unfold("What your mails say")
    way.use(way.page.locator("[name=quiet_notes]"))
    way.press("Save", within=way.page.locator("details", has=way.page.locator("#country")))
    assert way.page.locator("[name=quiet_notes]").is_checked()


def pause_and_resume(journey: Journey) -> None:
    """A pause until a day that was forgotten to be named, one of two weeks, and its end."""
    way = journey.way
    way.unfold("Take a pause")
    way.choose(way.page.locator('[name=pause][value="until"]'))
    way.write(way.page.locator("#until"), "")
    way.press("Begin the pause")
    journey.show("choices wrong day")
    way.choose(way.page.locator('[name=pause][value="2w"]'))
    way.press("Begin the pause")
    expect(way.page.locator(".done")).to_be_focused()
    journey.show("choices paused")
    way.press("End the pause now")
    expect(way.page.locator(".resting")).to_have_count(0)


def move(journey: Journey) -> None:
    """To another mailbox, which is asked."""
    way = journey.way
    way.unfold("My address has changed")
    way.write(way.page.locator("#new-address"), "nobody")
    way.press("Send this mail")
    journey.show("choices wrong address")
    way.write(way.page.locator("#new-address"), MOVED)
    way.press("Send this mail")
    expect(way.page.locator(".done")).to_be_focused()
    journey.open_mail(MOVED)
    journey.follow("/confirm/mailbox/")
    journey.show("new mailbox")
    way.press("Yes, write to this mailbox")
    journey.show("new mailbox done")


def export(journey: Journey) -> None:
    """All that is held, as a file."""
    way = journey.way
    with way.page.expect_download() as saving:
        way.use(way.find("button", "Save the file"))
    held = Path(saving.value.path()).read_text(encoding="utf-8")
    json.loads(held)
    missing = [words for words in (MOVED, STUDY, "Ischemic Stroke") if words not in held]
    assert not missing, f"{missing} missing in {saving.value.suggested_filename}"


def hand_over(journey: Journey) -> None:
    """To somebody else, who forgets to agree and then does."""
    way = journey.way
    way.unfold("Hand these mails over to somebody else")
    way.write(way.page.locator("#their-address"), OTHER)
    way.press("Send them this mail")
    journey.open_mail(OTHER)
    journey.follow("/confirm/handing-over/")
    journey.show("hand over")
    way.press("Yes, subscribe me")
    journey.show("hand over unticked")
    _agree(way)
    way.press("Yes, subscribe me")
    expect(way.page.get_by_role("heading", level=1)).to_have_text(way.told("You are subscribed"))
    journey.show("handed over")


def leave_by_a_digest(journey: Journey) -> None:
    """A link in a digest ends what it is about."""
    way = journey.way
    journey.have_news(people=500)
    journey.open_mail(OTHER)
    journey.follow("/unsubscribe/")
    journey.show("stop")
    way.press("Stop these mails")
    journey.show("stopped")
    journey.go(way.page.url)
    journey.show("stopped before")


def end_and_erase(journey: Journey) -> None:
    """The rest ends on the page of choices, and then all is erased."""
    way = journey.way
    journey.go("/mailbox")
    digest = way.page.locator(".mails a", has_text=OTHER).nth(0)
    with way.page.expect_navigation():
        way.use(digest)
    journey.follow("/preferences/")
    way.press("Send me the link")
    journey.open_mail(OTHER)
    journey.follow("/preferences/")
    way.press("End everything")
    journey.show("choices nothing followed")
    way.press("Erase everything")
    journey.show("erase")
    way.press("Erase everything")
    journey.show("erased")
    journey.go(way.page.url)
    journey.show("nothing kept")


def leave_altogether(journey: Journey) -> None:
    """Another reader ends all mails by the last link of a digest."""
    way = journey.way
    journey.open_mail(SAMPLE)
    journey.follow("/unsubscribe/", last=True)
    journey.show("stop all")
    with way.page.expect_navigation():
        way.use(way.page.locator('button[value="everything"]'))
    journey.show("stopped all")
    journey.go(way.page.url)
    journey.show("stopped all before")


def _agree(way: Way) -> None:
    for box in way.page.locator("[type=checkbox][name^=consent]").all():
        if not box.is_checked():
            way.use(box)


def _next_version(people: int) -> dict[str, Any]:
    text = resources.files("notifier").joinpath("samples", "after.json").read_text("utf-8")
    for days in (0, 3, 40, 400):
        text = text.replace(f"@{days}-days-ago", datetime.now(UTC).date().isoformat())
    record: dict[str, Any] = json.loads(text)[0]
    record["protocolSection"]["designModule"]["enrollmentInfo"]["count"] = people
    return record
