import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from sqlalchemy import create_engine, text

from tests.conftest import REGISTRY_MISSING


@pytest.mark.postgres
def test_every_test_gets_its_own_postgres_database(new_postgres_database: Callable[..., str]) -> None:
    first, second = (create_engine(new_postgres_database()) for _ in range(2))

    with first.begin() as connection:
        connection.execute(text("CREATE TABLE only_here (id integer)"))
    with second.connect() as connection:
        found = connection.scalar(text("SELECT to_regclass('only_here')"))

    assert found is None
    first.dispose()
    second.dispose()


@pytest.mark.postgres
def test_a_postgres_database_can_be_copied(new_postgres_database: Callable[..., str]) -> None:
    original = create_engine(new_postgres_database())
    with original.begin() as connection:
        connection.execute(text("CREATE TABLE copied (id integer)"))
    original.dispose()

    copy = create_engine(new_postgres_database(template=str(original.url.database)))

    with copy.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM copied")) == 0
    copy.dispose()


@pytest.mark.redis
def test_redis_keeps_an_append_only_file(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        settings = client.config_get("appendonly")

    assert settings == {"appendonly": "yes"}


SKIPPING_TEST = """
import pytest

def test_without_what_it_needs():
    pytest.skip({reason!r})
"""


@pytest.mark.parametrize(
    ("forbidden", "reason", "exit_code"),
    [
        ("", "a server is missing", 0),
        ("1", "a server is missing", 1),
    ],
)
@pytest.mark.slow
def test_a_skip_fails_where_skips_are_forbidden(
    tmp_path: Path, repository: Path, forbidden: str, reason: str, exit_code: int
) -> None:
    (tmp_path / "test_it.py").write_text(SKIPPING_TEST.format(reason=reason))

    run = _pytest(tmp_path, repository=repository, forbidden=forbidden)

    assert run.returncode == exit_code, run.stdout
    assert reason in run.stdout


def test_a_missing_registry_folder_is_no_excuse_where_it_is_there(
    tmp_path: Path, repository: Path, registry_folder: Path
) -> None:
    (tmp_path / "test_it.py").write_text(SKIPPING_TEST.format(reason=REGISTRY_MISSING))

    run = _pytest(tmp_path, repository=repository, forbidden="1")

    assert run.returncode == 1, run.stdout


def _pytest(folder: Path, *, repository: Path, forbidden: str) -> subprocess.CompletedProcess[str]:
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", str(folder), "-rs", "-c", os.devnull]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=repository,
        env={**os.environ, "NOTIFIER_FORBID_SKIPS": forbidden},
        capture_output=True,
        text=True,
        check=False,
    )
