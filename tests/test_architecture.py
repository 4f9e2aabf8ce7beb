"""The code about itself: where things stand, how long they are, who may import whom."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "notifier"
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "versions" not in path.parts]
MODULES = [path for path in FILES if path.name != "__init__.py"]
LONGEST_FILE = 400
LONGEST_FUNCTION = 50
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "handlers", "misc", "base", "core"}

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _files_with(pattern: str) -> Counter[str]:
    found = {_name(path): len(re.findall(pattern, path.read_text())) for path in MODULES}
    return Counter({name: times for name, times in found.items() if times})


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_the_package_is_found() -> None:
    assert PACKAGE / "__init__.py" in FILES


@each_module
def test_a_file_stays_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < LONGEST_FILE


@each_module
def test_a_function_stays_short(path: Path) -> None:
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in _functions(path)}

    assert {name: length for name, length in lengths.items() if length >= LONGEST_FUNCTION} == {}


@each_module
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@each_module
def test_a_module_name_means_something(path: Path) -> None:
    assert not EMPTY_NAMES & {path.stem, *path.relative_to(PACKAGE).parts}


@each_module
def test_imports_stand_at_the_top(path: Path) -> None:
    inside = [
        f"{function.name}:{node.lineno}"
        for function in _functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert inside == []


@each_module
def test_no_import_is_hidden_from_the_running_program(path: Path) -> None:
    assert "TYPE_CHECKING" not in path.read_text()


def test_file_names_are_unique() -> None:
    names = Counter(path.name for path in MODULES)

    assert [name for name, times in names.items() if times > 1] == []


def test_package_files_are_empty() -> None:
    packages = [path for path in FILES if path.name == "__init__.py" and path.parent != PACKAGE]

    assert [_name(path) for path in packages if path.read_text().strip()] == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in MODULES} - {PACKAGE / "migrations"}

    assert [_name(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_commit_stands_once() -> None:
    if (PACKAGE / "store" / "database.py").exists():
        assert _files_with(r"\.commit\(") == {"store/database.py": 1}
    else:
        assert not _files_with(r"\.commit\(")


def test_event_loops_are_made_where_mail_servers_are_talked_to() -> None:
    makers = _files_with(r"\b(?:asyncio\.run|asyncio\.Runner|new_event_loop|run_until_complete|anyio\.run)\(")

    assert set(makers) <= {"emails/postman.py", "emails/introducing.py"}


def test_nothing_below_an_entry_point_reads_the_clock() -> None:
    entry_points = re.compile(r"^(cli|\w+_commands?|embedded|worker|queues|logs|metrics)\.py$|^web/")
    readers = _files_with(r"\b(?:datetime\.now|datetime\.today|date\.today|utcnow|time\.time)\(")

    assert [name for name in readers if not entry_points.match(name)] == []


def test_the_environment_is_read_in_one_file() -> None:
    assert set(_files_with(r"\bos\.(?:environ|getenv)\b")) <= {"config.py"}


def test_the_import_contracts_hold() -> None:
    # In a process of its own: import-linter switches off every logger that is there.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
