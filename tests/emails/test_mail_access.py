"""Every mail can be used by everybody, as axe judges it in a real browser: light and dark, on a phone and on a desk."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.chromium import Page, Scheme, open_page
from bench.digest_makers import MadeMail
from tests.page_checks import AXE, chromium_here

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

# What axe cannot judge of contrast (text upon a picture, hidden text) would be as bad as what it judges wrong.
JUDGE = """
axe.run(document, {resultTypes: ["violations", "incomplete"]}).then(found => JSON.stringify([
  ...found.violations.filter(each => ["serious", "critical"].includes(each.impact)),
  ...found.incomplete.filter(each => each.id == "color-contrast"),
].map(each => [each.id, each.nodes.slice(0, 3).map(node => node.html.slice(0, 300))])))
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_page(chromium_here(), tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def judged(page: Page, html: str, *, to: Path, width: int, scheme: Scheme) -> list[object]:
    """What axe calls serious or critical in a mail."""
    file = to / "mail.html"
    file.write_text(html, encoding="utf-8")
    page.show(file, width=width, scheme=scheme)
    page.run(AXE)
    found: list[object] = json.loads(page.run(JUDGE))
    return found


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (800, "light"), (800, "dark")])
def test_nothing_in_a_mail_keeps_anybody_out(
    page: Page, mails: list[MadeMail], tmp_path: Path, width: int, scheme: Scheme
) -> None:
    found = {mail.name: judged(page, mail.html, to=tmp_path, width=width, scheme=scheme) for mail in mails}

    assert {name: what for name, what in found.items() if what} == {}


def test_faint_text_is_found(page: Page, tmp_path: Path) -> None:
    faint = '<!doctype html><html lang="en"><title>A</title><p style="color:#bbb;background:#fff">Faint</p>'

    assert "color-contrast" in str(judged(page, faint, to=tmp_path, width=360, scheme="light"))
