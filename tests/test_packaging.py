"""What is shipped: the wheel's contents, the locks, and every setting documented where people look."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from notifier import __version__
from notifier.config import Settings

REPOSITORY = Path(__file__).resolve().parents[1]
LOCKS = ["requirements.lock", "requirements-dev.lock"]
SETTINGS = [f"NOTIFIER_{name.upper()}" for name in Settings.model_fields]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def _tracked(folder: str) -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder]
    lines = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if (REPOSITORY / line).is_file()]


def test_the_wheel_carries_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    assert set(_tracked("notifier")) - set(wheel.namelist()) == set()


def test_the_wheel_carries_the_templates_inside_the_package(wheel: zipfile.ZipFile) -> None:
    shipped = {name.removeprefix("notifier/") for name in wheel.namelist()}

    assert set(_tracked("templates")) - shipped == set()


def test_the_wheel_puts_nothing_beside_the_package(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert tops == {"notifier", f"trial_notifier-{__version__}.dist-info"}


def test_the_wheel_brings_the_command(wheel: zipfile.ZipFile) -> None:
    entry_points = wheel.read(f"trial_notifier-{__version__}.dist-info/entry_points.txt").decode()

    assert "notifier = notifier.cli:main" in entry_points


def _pins(lock: str) -> set[tuple[str, str]]:
    return set(re.findall(r"^([a-z0-9-]+)==(\S+)", (REPOSITORY / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_versions_and_hashes_only(lock: str) -> None:
    expected = re.compile(r"[a-z0-9-]+==[^\s;]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")

    lines = (REPOSITORY / lock).read_text().splitlines()

    assert len(lines) > 100
    assert [line for line in lines if not expected.fullmatch(line)] == []


def test_both_locks_agree() -> None:
    assert _pins("requirements.lock") <= _pins("requirements-dev.lock")


def test_the_lock_fulfils_what_the_package_asks_for() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    asked = [Requirement(line) for line in project["dependencies"]]
    pins = dict(_pins("requirements.lock"))

    unfulfilled = [str(one) for one in asked if not one.specifier.contains(pins.get(one.name, "0"))]

    assert asked
    assert unfulfilled == []


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_stands_in_the_example(setting: str) -> None:
    assert re.search(rf"^(# )?{setting}=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_stands_in_the_readme_table(setting: str) -> None:
    assert re.search(rf"^\| *`{setting}` *\|", (REPOSITORY / "README.md").read_text(), re.MULTILINE)


def test_the_example_names_no_setting_that_is_gone() -> None:
    named = re.findall(r"^(?:# )?(NOTIFIER_[A-Z_]+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)

    assert sorted(named) == sorted(SETTINGS)
