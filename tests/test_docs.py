"""The documentation about the code: what it names exists, and what it shows can be typed."""

import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import typer
from starlette.routing import Match

from notifier import cli
from notifier.config import load_settings
from notifier.emails.mailbox import Mailbox
from notifier.installation import open_installation
from notifier.store.models import Base
from notifier.web.app import create_app
from notifier.web.limiting import RULES

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
TOPS = {path.name for path in REPOSITORY.iterdir() if path.name not in {"var", "dist", ".venv", ".env"}}
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)

COMMAND = re.compile(r"(?:docker compose .* |\S*/)?notifier (?P<name>[a-z]+)(?P<rest>.*)")
COMMANDS = getattr(typer.main.get_command(cli.app), "commands", {})

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))


def _prose(page: Path) -> str:
    return FENCED.sub("", page.read_text())


def _spans(page: Path) -> list[str]:
    return SPAN.findall(_prose(page))


def _typed(page: Path) -> Iterator[str]:
    """Every line that a reader might type: inline code, and lines of shell blocks without their comments."""
    yield from _spans(page)
    for language, block in FENCED.findall(page.read_text()):
        if language == "sh":
            yield from (line.split(" #")[0].strip() for line in block.replace("\\\n", " ").splitlines())


def _addresses(page: Path) -> Iterator[tuple[str, str]]:
    """Method and path of whatever is asked of the service: by curl, or as a path in inline code."""
    for text in _typed(page):
        found = re.search(r"(?:\$BASE|http://127\.0\.0\.1:8000)(/[^\s\"]*)", text)
        if found and text.startswith("curl"):
            named = re.search(r" -X ([A-Z]+) ", text)
            posts = any(option in text for option in (" --json", " --data"))
            yield named[1] if named else "POST" if posts else "GET", found[1].split("?")[0]
        elif re.fullmatch(r"/[\w./{}?=-]*", text):
            yield "GET", text.split("?")[0]


def _can_be_typed(name: str, rest: str) -> bool:
    """Whether there is such a command, with the options that follow it."""
    if name not in COMMANDS:
        return False
    command, words = COMMANDS[name], rest.split()
    command = getattr(command, "commands", {}).get(words[0] if words else "", command)
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    return set(re.findall(r"--[a-z-]+", rest)) <= known


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], bool]]:
    """Whether the application has a route for a method and a path."""
    folder = tmp_path_factory.mktemp("docs")
    installation = open_installation(load_settings(data_dir=folder), now=datetime.fromisoformat("2026-03-02T09:00Z"))
    app = create_app(installation, mailbox=Mailbox(folder / "mails"))

    def has_route(method: str, path: str) -> bool:
        scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
        return any(route.matches(scope)[0] is Match.FULL for route in app.routes)

    yield has_route
    installation.close()


def test_there_is_something_to_read() -> None:
    names = {page.name for page in PAGES}

    assert {"README.md", "architecture.md", "operating.md", "integrating.md"} <= names


@each_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {found for text in _typed(page) for found in re.findall(r"^make ([a-z-]+)", text)}

    assert named - targets == set()


@each_page
def test_every_command_and_option_exists(page: Path) -> None:
    typed = [found for text in _typed(page) if (found := COMMAND.match(text))]

    assert [found[0] for found in typed if not _can_be_typed(found["name"], found["rest"])] == []


@each_page
def test_every_file_named_exists(page: Path) -> None:
    named = {text for text in _spans(page) if re.fullmatch(r"[\w.-]+(/[\w.{}-]+)*/?", text)}
    of_ours = {text for text in named if text.split("/")[0] in TOPS and ("/" in text or "." in text)}

    assert {text for text in of_ours if not (REPOSITORY / text).exists()} == set()


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(_prose(page)):
        if target.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        headings = {_anchor(found) for found in HEADING.findall(file.read_text())} if anchor and file.exists() else {""}
        if not file.exists() or (anchor and anchor not in headings):
            broken.append(target)

    assert broken == []


@each_page
def test_every_address_has_a_route(page: Path, answers: Callable[[str, str], bool]) -> None:
    assert [one for one in _addresses(page) if not answers(*one)] == []


def test_what_does_not_exist_would_be_noticed() -> None:
    assert not _can_be_typed("brew", "")
    assert not _can_be_typed("ingest", " --quietly")
    assert _can_be_typed("ingest", " --baseline studies/")


def test_addresses_are_found_at_all(answers: Callable[[str, str], bool]) -> None:
    found = list(_addresses(REPOSITORY / "docs" / "integrating.md"))

    assert ("POST", "/api/v1/records") in found
    assert len(found) > 10
    assert not answers("GET", "/no-such-page")


def test_every_table_is_described() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text()

    assert [name for name in Base.metadata.tables if f"`{name}`" not in text] == []


def test_every_command_stands_in_the_readme() -> None:
    text = (REPOSITORY / "README.md").read_text()

    assert [name for name in COMMANDS if f"`notifier {name}" not in text] == []


def test_every_module_of_a_layer_stands_in_the_architecture() -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    modules = set(re.findall(r"\((\w+)\)", " ".join(contracts[0]["layers"]))) - {"__main__"}
    text = (REPOSITORY / "docs" / "architecture.md").read_text()

    assert [name for name in sorted(modules) if f"`{name}`" not in text] == []


def test_every_limit_stands_in_the_manual() -> None:
    text = (REPOSITORY / "docs" / "operating.md").read_text()
    table = text[text.index("| What | Counted per | Limit |") :].split("\n\n")[0]
    shown = sorted(re.findall(r"\| (\w+) \| ([\d,]+) an? (\w+) \|", table))

    told = [(by, f"{rule.amount:,}", rule.GRANULARITY.name) for (_, by), rule in RULES.items()]
    assert shown == sorted(told)


def test_every_decision_is_listed() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    listed = LINK.findall((folder / "README.md").read_text())

    assert sorted(listed) == sorted(path.name for path in folder.glob("0*.md"))


def test_a_decision_fits_on_a_screen_and_has_four_parts() -> None:
    parts = ["Context", "Decision", "Consequences", "Alternatives"]
    for path in (REPOSITORY / "docs" / "decisions").glob("0*.md"):
        text = path.read_text()
        assert HEADING.findall(text)[1:] == parts, path.name
        assert len(text.splitlines()) <= 50, path.name
