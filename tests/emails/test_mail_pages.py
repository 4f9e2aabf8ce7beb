"""Mails as a browser draws them: nothing is wider than its window, every link is thumb-sized, dark is dark."""

import html
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from notifier.domain.digests import Digest
from notifier.emails.sample_mails import SAMPLES
from notifier.emails.templates import render_digest

pytestmark = pytest.mark.browser

WIDTHS = (320, 360, 480, 800)
DIGESTS = {name: sample for name, sample in SAMPLES.items() if isinstance(sample, Digest)}
# Links in a row of their own are asked to be 44 pixels high; WCAG 2.2 (2.5.8) asks for 24 of any link.
MEASURE = """
onload = () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument;
    const heights = [...page.querySelectorAll("a")].map(link => link.getBoundingClientRect().height);
    return {
      width: frame.clientWidth, needed: page.documentElement.scrollWidth, smallest: Math.min(...heights),
      paper: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
    };
  });
  document.body.textContent = JSON.stringify(found);
};
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium is on the path")
    return path


def measured(chromium: str, mail: str, folder: Path, scheme: int = 1) -> list[dict[str, Any]]:
    """What a browser says about the mail at each width; ``scheme`` is 0 for dark and 1 for light."""
    source = html.escape(mail, quote=True)
    frames = "".join(f'<iframe style="border:0;width:{width}px" srcdoc="{source}"></iframe>' for width in WIDTHS)
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><body>{frames}<script>{MEASURE}</script>", encoding="utf-8")
    switches = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync"
    command = [chromium, *(f"--{switch}" for switch in switches.split()), "--disable-component-update"]
    command += [f"--user-data-dir={folder / 'profile'}", f"--blink-settings=preferredColorScheme={scheme}"]
    done = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, check=True, timeout=110)
    body = BeautifulSoup(done.stdout.decode(), "html.parser").body
    assert body is not None
    found: list[dict[str, Any]] = json.loads(body.get_text())
    return found


@pytest.mark.parametrize("digest", DIGESTS.values(), ids=DIGESTS.keys())
def test_a_mail_fits_every_window_and_every_thumb(chromium: str, tmp_path: Path, digest: Digest) -> None:
    found = measured(chromium, render_digest(digest).html, tmp_path)

    assert [each["width"] for each in found] == list(WIDTHS)
    assert [each for each in found if each["needed"] > each["width"]] == []
    assert min(each["smallest"] for each in found) >= 44


def test_a_mail_is_dark_where_the_reader_likes_it_dark(chromium: str, tmp_path: Path) -> None:
    found = measured(chromium, render_digest(DIGESTS["one study"]).html, tmp_path, scheme=0)

    assert {each["paper"] for each in found} == {"rgb(17, 24, 27)"}
