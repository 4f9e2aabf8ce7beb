"""Our pages as browsers get them: valid HTML, as the Nu checker judges it, and open to everybody, as axe does."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bench.chromium import Page, Scheme, open_page
from notifier.domain.digests import Reading
from notifier.installation import Installation
from notifier.store import reading_store, trial_lookup
from notifier.web.page_rendering import static_folder
from tests.page_checks import AXE, chromium_here, list_html_faults
from tests.web.site import NUMBER, filled_form, ingest, make_record

JUDGE = """
axe.run(document, {resultTypes: ["violations"]}).then(found => JSON.stringify(found.violations.filter(
  each => ["serious", "critical"].includes(each.impact)
).map(each => [each.id, each.nodes.slice(0, 3).map(node => node.html.slice(0, 300))])))
"""


def full_record(status: str) -> dict[str, Any]:
    """A study with something in every part of its page."""
    places = [
        {"facility": f"Clinic {at}", "city": "Town", "country": country, "status": "RECRUITING"}
        for country in ("Germany", "Spain", "Japan")
        for at in range(5)
    ]
    record = make_record(
        identificationModule={
            "nctId": NUMBER,
            "briefTitle": "Walking after <b>stroke</b>",
            "officialTitle": "مشي بعد السكتة الدماغية",
        },
        statusModule={
            "overallStatus": status,
            "startDateStruct": {"date": "2026-01", "type": "ACTUAL"},
            "lastUpdatePostDateStruct": {"date": "2026-02-20" if status == "TERMINATED" else "2026-02-10"},
        },
        contactsLocationsModule={"locations": places, "centralContacts": [{"name": "A", "phone": "+1 555 010 9999"}]},
        armsInterventionsModule={"interventions": [{"type": "DRUG", "name": "A drug", "description": "Taken daily"}]},
        eligibilityModule={"eligibilityCriteria": "Inclusion:\n\n* Adults", "minimumAge": "18 Years"},
    )
    ancestors = [{"id": f"D00{at}", "term": f"Made up heading {at}"} for at in range(9)]
    record["derivedSection"]["conditionBrowseModule"]["ancestors"] = ancestors
    return record


@pytest.fixture
def pages(client: TestClient, installation: Installation, now: datetime) -> dict[str, str]:
    """By name, the HTML of each page that somebody may look around on."""
    for status in ("RECRUITING", "TERMINATED"):
        ingest(installation, full_record(status), now=now)
    ingest(installation, *(make_record(f"NCT9100{at:04d}") for at in range(25)), now=now)
    with installation.database.writing() as session:
        trial = trial_lookup.find_trial(session, NUMBER)
        assert trial is not None
        words = Reading(summary="It is about walking.", substance="A drug.", could_go_wrong="Falls.")
        reading_store.put_reading(session, words, trial_id=trial.id, language="en", now=now)
        condition = next(
            one.id for one, how in trial_lookup.list_trial_conditions(session, trial.id) if how == "derived"
        )
    found = {
        "home": client.get("/"),
        "study": client.get(f"/studies/{NUMBER}"),
        "condition": client.get(f"/conditions/{condition}?page=2"),
        "search": client.get("/search"),
        "found": client.post("/search", data={"q": "stroke"}),
        "nothing": client.post("/search", data={"q": "zzyzx"}),
        "form": client.get("/subscribe"),
        "errors": client.post("/subscribe", data=filled_form(email="", consent="", condition="strok")),
        "missing": client.get("/studies/NCT00000000"),
        "German": client.get("/?lang=de"),
        "privacy": client.get("/privacy"),
    }
    return {name: answer.text for name, answer in found.items()}


@pytest.mark.slow
def test_pages_are_valid_html(pages: dict[str, str], tmp_path: Path) -> None:
    assert list_html_faults(pages, folder=tmp_path) == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_page(chromium_here(), tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.browser
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1200, "light"), (1200, "dark")])
def test_nothing_on_a_page_keeps_anybody_out(
    browser: Page, pages: dict[str, str], tmp_path: Path, width: int, scheme: Scheme
) -> None:
    found: dict[str, Any] = {}
    for name, html in pages.items():
        file = tmp_path / "page.html"
        file.write_text(_with_style(html), encoding="utf-8")
        browser.show(file, width=width, scheme=scheme)
        browser.run(AXE)
        found[name] = json.loads(browser.run(JUDGE))
        if browser.run("document.documentElement.scrollWidth > innerWidth"):
            found[name].append("wider than the window")

    assert {name: what for name, what in found.items() if what} == {}


def _with_style(html: str) -> str:
    """The page with its style sheets in it and everything folded open, so that it can be judged from a file."""

    def sheet(link: re.Match[str]) -> str:
        return f"<style>{(static_folder() / link[1]).read_text(encoding='utf-8')}</style>"

    styled = re.sub(r'<link rel="stylesheet" href="/static/([\w.]+)\?v=\w+">', sheet, html)
    return re.sub(r"<script[^>]*></script>", "", styled).replace("<details", "<details open")
