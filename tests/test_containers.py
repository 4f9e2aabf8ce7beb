"""The container files, as far as they can be tried where no container engine runs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import check_jsonschema
import pytest
import yaml
from jsonschema import Draft7Validator

from notifier.config import Settings

REPOSITORY = Path(__file__).resolve().parents[1]
COMPOSE = REPOSITORY / "docker-compose.yml"
DOCKERFILE = REPOSITORY / "Dockerfile"
SETTINGS = {f"NOTIFIER_{name.upper()}" for name in Settings.model_fields}


def _services() -> dict[str, dict]:
    services: dict[str, dict] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def test_compose_file_follows_the_specification() -> None:
    schema = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = Draft7Validator(json.loads(schema.read_text()))

    assert [error.message for error in validator.iter_errors(yaml.safe_load(COMPOSE.read_text()))] == []


def test_compose_file_names_every_setting_but_that_of_the_embedded_default() -> None:
    assert set(re.findall(r"NOTIFIER_[A-Z_]+", COMPOSE.read_text())) == SETTINGS - {"NOTIFIER_DATA_DIR"}


def test_a_variable_without_default_says_what_to_set() -> None:
    variables = re.findall(r"\$\{([^}]+)\}", COMPOSE.read_text())

    assert variables
    assert [name for name in variables if not re.match(r"\w+(:-|:\?set \w+ in \.env, .{10})", name)] == []


def test_ports_open_on_this_machine_only() -> None:
    ports = [port for service in _services().values() for port in service.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_redis_keeps_its_queue_on_disk() -> None:
    redis = _services()["redis"]

    assert "--appendonly yes" in shlex.join(redis["command"])
    assert redis["volumes"] == ["redis:/data"]


def test_everything_that_sends_waits_for_the_migration() -> None:
    waiting = {name for name, service in _services().items() if "migrate" in service.get("depends_on", {})}

    assert waiting == {"web", "worker", "beat"}


def test_workers_can_be_scaled() -> None:
    worker = _services()["worker"]

    assert worker["deploy"]["replicas"] > 1
    assert not {"ports", "container_name"} & worker.keys()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_step_of_the_dockerfile_works_in_an_empty_folder(tmp_path: Path) -> None:
    image, programs = tmp_path / "image", tmp_path / "python" / "bin"
    subprocess.run([sys.executable, "-m", "venv", programs.parent], check=True)
    folder, environment = image, {**os.environ, "PATH": f"{programs}:/usr/bin:/bin", "PIP_QUIET": "2"}

    for instruction, value in _instructions():
        if instruction == "WORKDIR":
            folder = image / value.lstrip("/")
            folder.mkdir(parents=True)
        elif instruction == "COPY":
            _copy(value.split(), into=folder)
        elif instruction == "RUN":
            subprocess.run(value, shell=True, cwd=folder, env=environment, check=True)

    command = json.loads(dict(_instructions())["CMD"])
    shutil.rmtree(image)
    help_text = subprocess.run(
        [programs / command[0], *command[1:], "--help"], env=environment, cwd=tmp_path, capture_output=True, check=True
    )
    assert b"Usage" in help_text.stdout


def test_the_container_does_not_run_as_root() -> None:
    assert dict(_instructions())["USER"] not in {"", "root", "0"}


def test_the_builder_gets_what_is_copied_and_no_more() -> None:
    copied = {source for name, value in _instructions() if name == "COPY" for source in value.split()[:-1]}
    rules = (REPOSITORY / ".dockerignore").read_text().splitlines()

    assert "*" in rules
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied


def _instructions() -> list[tuple[str, str]]:
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, value) for name, value in (line.split(maxsplit=1) for line in lines)]


def _copy(words: list[str], *, into: Path) -> None:
    *sources, target = words
    for source in sources:
        start = REPOSITORY / source
        if start.is_dir():
            shutil.copytree(start, into / target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(start, into / target)
